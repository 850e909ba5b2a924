/** The noun `user`: its shape, its event, its procedures. */
import { z } from "zod";
import type { Context } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import { loggedEvent } from "../../core/events/event.ts";
import { maxPasswordBytes, maxUsernameCharacters, minPasswordBytes, minUsernameCharacters } from "../../core/limits.ts";
import { readPage } from "../../core/paging.ts";
import { readResource } from "../../core/resource.ts";
import { forwardPage, Id, Storable } from "../../core/schema.ts";
import type { Read } from "../../core/transaction.ts";
import { openProcedure, readProcedure, router } from "../../core/trpc.ts";
import { UserEntity } from "./user.entity.ts";
import { usernameKey } from "./user.queries.ts";

const usernameForm = new RegExp(`^[A-Za-z][A-Za-z0-9_-]{${minUsernameCharacters - 1},${maxUsernameCharacters - 1}}$`);

const Username = z
  .string("Invalid username.")
  .regex(usernameForm, "Invalid username.")
  .meta({
    description: `${minUsernameCharacters} to ${maxUsernameCharacters} letters, digits, - or _, the first a letter; unique whatever its case.`,
    examples: ["ann"],
  });

function fits(password: string): boolean {
  if (password.length > maxPasswordBytes) return false;
  const bytes = Buffer.byteLength(password);
  return bytes >= minPasswordBytes && bytes <= maxPasswordBytes;
}

const Password = Storable.refine(fits, `Must be ${minPasswordBytes} to ${maxPasswordBytes} bytes long.`).meta({
  description: `${minPasswordBytes} to ${maxPasswordBytes} bytes of UTF-8; every byte counts.`,
  examples: ["correct horse"],
});

const User = z.object({ id: Id, username: z.string().meta({ examples: ["ann"] }) }).meta({ id: "User" });

export const userEvents = [loggedEvent("post user", User, "A user was made.")] as const;
const [postUser] = userEvents;

function noSuchUser(): AppError {
  return new AppError("NOT_FOUND", "There is no such user.");
}

function isAdminsName({ rules: { admin } }: Context, username: string): boolean {
  return admin !== undefined && usernameKey(admin) === usernameKey(username);
}

function isTaken(read: Read, username: string): Promise<boolean> {
  return read.get(`select id from "user" where username_key = ?`, [usernameKey(username)]).then((row) => row !== undefined);
}

/**
 * Whether this request makes the admin, where there is none: by name where `ADMIN` is set, else the first one. A request from elsewhere
 * never does: a stranger may know the name, or be first.
 */
async function becomesAdmin(ctx: Context, read: Read, username: string): Promise<boolean> {
  if (ctx.rules.admin !== undefined) return isAdminsName(ctx, username) && ctx.origin.local && !(await isTaken(read, username));
  return ctx.origin.local && (await read.get(`select id from "user" where admin`, [])) === undefined;
}

/** Asked before the hashing, which is expensive, and again inside the transaction, which is sure. */
async function requireSignUp(ctx: Context, read: Read, username: string): Promise<void> {
  if (ctx.rules.signUp === "closed" && !ctx.caller?.admin && !(await becomesAdmin(ctx, read, username)))
    throw ctx.caller ? new AppError("FORBIDDEN", "Only an admin makes users here.") : new AppError("UNAUTHORIZED");
  if (await isTaken(read, username)) throw new AppError("CONFLICT", "This username is taken.");
  if (isAdminsName(ctx, username) && !ctx.origin.local && !ctx.caller?.admin)
    throw new AppError("FORBIDDEN", "The name in ADMIN can be taken on the machine itself only.");
}

export const userRouter = router({
  list: readProcedure
    .meta({
      openapi: { method: "GET", path: "/user", tags: ["user"], summary: "List users, from the first, ascending." },
      large: true,
      rest: { paged: true },
    })
    .input(
      z
        .object({
          username: Storable.describe("Only the user of this name, whatever its case.").optional(),
          ...forwardPage,
        })
        .prefault({}),
    )
    .output(z.array(User))
    .query(({ ctx, input }) => {
      const where = input.username === undefined ? [] : [{ column: "username_key", value: usernameKey(input.username) }];
      return readPage(ctx, { shape: User, table: "user", where, from: "first" }, input);
    }),

  get: readProcedure
    .meta({ openapi: { method: "GET", path: "/user/{id}", tags: ["user"], summary: "Get one user." }, rest: { errors: ["NOT_FOUND"] } })
    .input(z.object({ id: Id }))
    .output(User)
    .query(async ({ ctx, input }) => {
      const user = await readResource(ctx.read, User, "user", input.id);
      if (!user) throw noSuchUser();
      return user;
    }),

  post: openProcedure
    .meta({
      openapi: { method: "POST", path: "/user", tags: ["user"], summary: "Make a user." },
      rest: { success: 201, errors: ["FORBIDDEN", "CONFLICT", "TOO_MANY_REQUESTS"] },
    })
    .input(z.object({ username: Username, password: Password }))
    .output(User)
    .mutation(async ({ ctx, input }) => {
      const { username, password } = input;
      await requireSignUp(ctx, ctx.read, username);
      const password_hash = await ctx.passwords.hash(password);
      return ctx.write(async (transaction) => {
        await requireSignUp(ctx, transaction, username);
        const admin = await becomesAdmin(ctx, transaction, username);
        const row = { username, username_key: usernameKey(username), password_hash, admin, created_at: transaction.now };
        const id = await transaction.insert(UserEntity, row);
        const user = { id, username };
        transaction.append(postUser, user);
        return user;
      });
    }),
});
