/** Owns the secret of this database, which signs tokens where `AUTH_SECRET` is not set. */
import { randomBytes } from "node:crypto";
import type { Read } from "../core/transaction.ts";
import { SettingEntity } from "./log.entity.ts";
import type { Writer } from "./writer.ts";

const name = "auth_secret";

/** The secret, made where there is none yet: once, however many nodes start together. */
export async function readSecret(read: Read, writer: Writer): Promise<string> {
  const stored = await read.get<{ value: string }>("select value from setting where name = ?", [name]);
  if (stored) return stored.value;
  return writer.write(async (transaction) => {
    const present = await transaction.find(SettingEntity, { name });
    const value = present?.value ?? randomBytes(48).toString("base64url");
    if (!present) await transaction.insert(SettingEntity, { name, value });
    return value;
  });
}
