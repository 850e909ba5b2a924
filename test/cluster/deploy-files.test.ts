/** What in `deploy/` cannot be started here holds together: names, ports and variables that one file has from another. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { readConfig, variables } from "../../src/config.ts";
import { root } from "../support/copy.ts";

const read = (file: string) => readFileSync(join(root, "deploy", file), "utf8");
const nodePorts = ["5000", "5001"];

interface Service {
  readonly environment: Record<string, string>;
  readonly depends_on?: string[];
  readonly networks: string[];
  readonly ports?: string[];
  readonly volumes?: string[];
  readonly build?: { context: string; dockerfile: string };
}

const compose: { services: Record<string, Service>; networks: Record<string, unknown>; volumes: Record<string, unknown> } = parse(
  read("compose.yaml"),
  { merge: true },
);

/** Puts a value in the place of `${NAME:?}` and `${NAME:-fallback}`. */
function fill(text: string): string {
  return text.replaceAll(/\$\{(\w+):[?-](\w*)\}/g, (_, name: string, fallback: string) => fallback || name.toLowerCase());
}

test("Compose's nodes are configured as the server reads it, and reach what they name", () => {
  const nodes = Object.entries(compose.services).filter(([, { build }]) => build);
  expect(nodes.map(([name]) => name)).toEqual(["node1", "node2", "node3"]);
  for (const [, { environment, build }] of nodes) {
    for (const name of Object.keys(environment)) expect(Object.keys(variables.shape)).toContain(name);
    const config = readConfig(Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, fill(value)])));
    const database = config.database.kind === "postgres" ? new URL(config.database.url) : undefined;
    const { environment: owner } = compose.services["postgres"] as Service;
    expect(database?.hostname).toBe("postgres");
    expect([database?.username, database?.password, database?.pathname]).toEqual([
      owner["POSTGRES_USER"],
      fill(owner["POSTGRES_PASSWORD"] ?? ""),
      `/${owner["POSTGRES_DB"]}`,
    ]);
    expect(Object.keys(compose.services)).toContain(new URL(config.redisUrl ?? "").hostname);
    expect(JSON.stringify(compose.networks)).toContain(JSON.stringify(config.trustedProxies[0]));
    expect(config.rules.admin).toBe("keenchat_admin");
    expect(read(`../${build?.dockerfile}`)).toContain("CMD");
  }
});

test("Compose's services, networks and volumes are all there, and nothing but Caddy is reached from outside", () => {
  for (const [name, { networks, depends_on = [], volumes = [], ports }] of Object.entries(compose.services)) {
    for (const network of networks) expect(Object.keys(compose.networks)).toContain(network);
    for (const other of depends_on) expect(Object.keys(compose.services)).toContain(other);
    const named = volumes.map((volume) => volume.split(":")[0] ?? "").filter((volume) => !volume.startsWith("."));
    for (const volume of named) expect(Object.keys(compose.volumes)).toContain(volume);
    expect(ports !== undefined).toBe(name === "caddy");
  }
});

test("Caddy passes on to Compose's nodes at the ports they have, and Compose publishes each port it listens at", () => {
  const caddyfile = read("Caddyfile");
  const upstreams = [...caddyfile.matchAll(/(\w+):(500\d)\b/g)].map(([, host = "", port = ""]) => [host, port]);
  const wanted = nodePorts.flatMap((port) => ["node1", "node2", "node3"].map((host) => [host, port]));
  expect(upstreams.filter(([host]) => host !== "localhost")).toEqual(wanted);
  const published = compose.services["caddy"]?.ports?.map((port) => port.split(/[:/]/)[1]);
  const listens = [...caddyfile.matchAll(/^\{\$KEENCHAT_HOST:localhost\}(?::(\d+))? \{$/gm)].map(([, port = "443"]) => port);
  expect(listens).toEqual(["443", "5001"]);
  for (const port of listens) expect(published).toContain(port);
  expect(Object.keys(compose.services["caddy"]?.environment ?? {})).toEqual(["KEENCHAT_HOST"]);
  expect(read("Dockerfile")).toContain(`EXPOSE ${nodePorts.join(" ")}`);
});

test("Kubernetes finds its pods, its ports by their names, the probes where the server answers, and variables that the server reads", () => {
  const documents = parseAllDocuments(read("kubernetes/keenchat.yaml")).map((document) => document.toJS());
  const [deployment, service, budget] = documents;
  expect(documents.map(({ kind }) => kind)).toEqual(["Deployment", "Service", "PodDisruptionBudget"]);
  const { labels } = deployment.spec.template.metadata;
  for (const selector of [deployment.spec.selector.matchLabels, service.spec.selector, budget.spec.selector.matchLabels])
    expect(selector).toEqual(labels);
  const [container] = deployment.spec.template.spec.containers;
  const ports = new Map(container.ports.map(({ name, containerPort }: { name: string; containerPort: number }) => [name, containerPort]));
  expect([...ports.values()].map(String)).toEqual(nodePorts);
  for (const { port, targetPort } of service.spec.ports) expect(ports.get(targetPort)).toBe(port);
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
    const { path, port } = container[probe].httpGet;
    expect(ports.get(port)).toBe(5000);
    expect(path).toBe(probe === "readinessProbe" ? "/ready" : "/live");
  }
  const [proxies, admin] = container.env;
  expect(admin).toEqual({ name: "ADMIN", valueFrom: { secretKeyRef: { name: "keenchat", key: "ADMIN" } } });
  const environment = { [proxies.name]: proxies.value, [admin.name]: "of_the_secret" };
  for (const name of Object.keys(environment)) expect(Object.keys(variables.shape)).toContain(name);
  const config = readConfig(environment);
  expect(config.trustedProxies).toHaveLength(1);
  expect(config.rules.admin).toBeDefined();
  // It is told to stop after preStop, and then has 15 s.
  expect(deployment.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(container.lifecycle.preStop.sleep.seconds + 15);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(container.image).toBe(`registry.example/keenchat:${version}`);
});

test("the image is made of what git knows, without what a build or a run leaves behind", () => {
  const ignored = read("Dockerfile.dockerignore").trim().split("\n");
  for (const path of [".git", "data", "node_modules", "**/dist"]) expect(ignored).toContain(path);
  const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).trim().split("\n");
  expect(tracked.filter((file) => /(^|\/)(node_modules|dist|data)\//.test(file))).toEqual([]);
});
