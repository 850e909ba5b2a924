/** nginx and Caddy in front of nodes, from the very files in `deploy/`: only addresses, ports and certificates are others. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { root } from "./copy.ts";
import { freePort } from "./redis-server.ts";
import { until } from "./wait.ts";

export type Program = "nginx" | "caddy";

/** An edge that is up; its certificate is trusted by this process from now on. */
export interface Edge extends AsyncDisposable {
  readonly restUrl: string;
  readonly wsUrl: string;
}

interface Target {
  readonly restUrl: string;
  readonly wsUrl: string;
}

interface Ports {
  readonly rest: number;
  readonly sockets: number;
}

/** Debian keeps servers where a user's PATH does not look. */
function find(program: string): string | undefined {
  const places = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
  return places.map((place) => join(place, program)).find((path) => existsSync(path));
}

/** Puts one text in the place of another that must be there, as often as it is. */
function replace(config: string, changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`There is no ${JSON.stringify(from)} in the file.`);
    return text.replaceAll(from, to);
  }, config);
}

function hostOf(url: string): string {
  return new URL(url).host;
}

function makeCertificate(directory: string): { certificate: string; key: string } {
  const [certificate, key] = [join(directory, "certificate.pem"), join(directory, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", ...subject];
  execFileSync("openssl", [...args, "-keyout", key, "-out", certificate], { stdio: "pipe" });
  return { certificate, key };
}

function nginx(directory: string, nodes: readonly Target[], ports: Ports) {
  const { certificate, key } = makeCertificate(directory);
  const site = replace(readFileSync(join(root, "deploy/nginx.conf"), "utf8"), [
    ...nodes.map(({ restUrl }, index): [string, string] => [`server 127.0.0.1:50${index}0 `, `server ${hostOf(restUrl)} `]),
    ...nodes.map(({ wsUrl }, index): [string, string] => [`server 127.0.0.1:50${index}1 `, `server ${hostOf(wsUrl)} `]),
    ["listen 443 ssl;", `listen 127.0.0.1:${ports.rest} ssl;`],
    ["listen 5001 ssl;", `listen 127.0.0.1:${ports.sockets} ssl;`],
    ["/etc/ssl/chat.example.pem", certificate],
    ["/etc/ssl/chat.example.key", key],
    ["server_name chat.example;", "server_name localhost;"],
  ]);
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${join(directory, name)};`);
  const file = join(directory, "nginx.conf");
  const main = `daemon off; pid ${join(directory, "pid")}; events {}\nhttp { access_log off; ${paths.join(" ")}\n${site}\n}\n`;
  writeFileSync(file, main);
  return { args: ["-c", file, "-p", directory, "-e", "stderr"], authority: certificate };
}

function caddy(directory: string, nodes: readonly Target[], ports: Ports) {
  const site = replace(readFileSync(join(root, "deploy/Caddyfile"), "utf8"), [
    ...nodes.map(({ restUrl }, index): [string, string] => [`node${index + 1}:5000`, hostOf(restUrl)]),
    ...nodes.map(({ wsUrl }, index): [string, string] => [`node${index + 1}:5001`, hostOf(wsUrl)]),
    ["{$KEENCHAT_HOST:localhost}:5001 {", `{$KEENCHAT_HOST:localhost}:${ports.sockets} {`],
  ]);
  const options = [`https_port ${ports.rest}`, "auto_https disable_redirects", "admin off", "skip_install_trust", "default_bind 127.0.0.1"];
  const file = join(directory, "Caddyfile");
  writeFileSync(file, `{\n\t${options.join("\n\t")}\n}\n${site}`);
  return {
    args: ["run", "--adapter", "caddyfile", "--config", file],
    authority: join(directory, "caddy/pki/authorities/local/root.crt"),
  };
}

const programs = { nginx, caddy };

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

/** Starts one of the two before three nodes; resolves when it answers. */
export async function startEdge(program: Program, nodes: readonly Target[]): Promise<Edge> {
  const directory = mkdtempSync(join(tmpdir(), `keenchat-${program}-`));
  // nginx's workers are another user.
  chmodSync(directory, 0o755);
  const ports = { rest: await freePort(), sockets: await freePort() };
  const { args, authority } = programs[program](directory, nodes, ports);
  const child = spawn(find(program) ?? program, args, {
    env: { PATH: process.env["PATH"], HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const edge = { restUrl: `https://localhost:${ports.rest}`, wsUrl: `wss://localhost:${ports.sockets}` };
  const trusted = getCACertificates("default");
  await until(`${program}'s first answer`, 20_000, async () => {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}: ${said}`);
    if (existsSync(authority)) setDefaultCACertificates([...trusted, readFileSync(authority, "utf8")]);
    return fetch(`${edge.restUrl}/ready`).then(
      ({ status }) => status === 200,
      () => false,
    );
  });
  return {
    ...edge,
    async [Symbol.asyncDispose]() {
      await stop(child);
      setDefaultCACertificates(trusted);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
