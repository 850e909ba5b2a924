/** Owns whose request over HTTP it is, as far as what is called wants to know. */
import type { Caller } from "../../core/caller.ts";
import { describeError } from "../../core/errors.ts";
import { definitions } from "./procedures.ts";

/**
 * `read` gives the request's token, `verify` its caller.
 * @throws AppError UNAUTHORIZED where the token is not good, and one of the procedures, or what is none, wants it to be.
 */
export async function findCaller(
  procedures: readonly string[],
  read: () => string | undefined,
  verify: (token: string) => Promise<Caller>,
): Promise<Caller | null> {
  const words = procedures.map((name) => definitions.get(name)?.meta?.token);
  if (words.every((word) => word === "ignored")) return null;
  try {
    const token = read();
    return token === undefined ? null : await verify(token);
  } catch (error) {
    // In a batch the others ask for a caller themselves.
    if (describeError(error).code === "UNAUTHORIZED" && words.some((word) => word !== undefined)) return null;
    throw error;
  }
}
