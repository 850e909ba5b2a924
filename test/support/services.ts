/** Owns which services the tests need in addition to npm's packages, and which of them this machine lacks. */
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import process from "node:process";

/** Where tests may make databases of their own. */
export const postgresUrl = process.env["KEENCHAT_TEST_POSTGRES"] ?? "postgres://postgres@127.0.0.1:5432/postgres";
export const redisUrl = process.env["KEENCHAT_TEST_REDIS"] ?? "redis://127.0.0.1:6379";
export const chromiumPath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Whether something takes connections there. */
function listens(url: string, usualPort: number): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port || usualPort), timeout: 1_000 });
    const answer = (found: boolean) => {
      socket.destroy();
      resolve(found);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
    socket.once("timeout", () => answer(false));
  });
}

/** Debian keeps servers where only root looks. */
function isInstalled(program: string): boolean {
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
  return directories.some((directory) => existsSync(join(directory, program)));
}

const services = {
  postgres: () => listens(postgresUrl, 5432),
  redis: async () => isInstalled("redis-server") && (await listens(redisUrl, 6379)),
  chromium: async () => existsSync(chromiumPath),
  nginx: async () => isInstalled("nginx"),
  caddy: async () => isInstalled("caddy"),
  openssl: async () => isInstalled("openssl"),
  curl: async () => isInstalled("curl"),
  sqlite3: async () => isInstalled("sqlite3"),
};

export type Service = keyof typeof services;

/** The services that this machine lacks; called once, by the run's configuration. */
export async function findMissing(): Promise<Service[]> {
  const names = Object.keys(services) as Service[];
  const found = await Promise.all(names.map((name) => services[name]()));
  return names.filter((_, index) => !found[index]);
}

const leftOutVariable = "KEENCHAT_TEST_LEFT_OUT";

/** How the run tells its test files. */
export function toEnvironment(missing: readonly Service[]): Record<string, string> {
  return { [leftOutVariable]: missing.join(",") };
}

/** Whether this machine lacks it; the run has said so in its first line. */
export function leftOut(service: Service): boolean {
  return process.env[leftOutVariable]?.split(",").includes(service) ?? false;
}
