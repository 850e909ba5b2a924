/** Look-ups of users that other features use too. */
import type { Caller } from "../../core/caller.ts";
import type { Rules } from "../../core/context.ts";
import type { Read } from "../../core/transaction.ts";

/** Names are unique whatever their case; this is the form they are compared in. */
export function usernameKey(username: string): string {
  // Of ASCII letters only: lower case of more would make one name of two that people see apart, K and the Kelvin sign for example.
  return username.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

export function findUserWithHash(read: Read, username: string): Promise<{ id: number; password_hash: string } | undefined> {
  return read.get(`select id, password_hash from "user" where username_key = ?`, [usernameKey(username)]);
}

/** The user who holds a session, while it lasts. Where `ADMIN` is set, the name alone tells who is admin. */
export async function findSession(read: Read, rules: Rules, sessionId: number): Promise<Caller | undefined> {
  const session = await read.get<Omit<Caller, "admin"> & { admin: number | boolean }>(
    `select s.id as session_id, s.user_id, u.username, u.admin, s.expires_at from session s join "user" u on u.id = s.user_id where s.id = ?`,
    [sessionId],
  );
  if (!session) return undefined;
  const { admin } = rules;
  return { ...session, admin: admin === undefined ? Boolean(session.admin) : usernameKey(admin) === usernameKey(session.username) };
}
