/** Owns what PostgreSQL's errors mean: away, busy, hopeless, or somebody's mistake. */
import pg from "pg";
import { AppError } from "../../core/errors.ts";
import { TooLongError } from "../database.ts";
import { causesOf } from "../error-causes.ts";

const statementTooLong = "57014";
/**
 * SQLSTATE classes that say "not now": connection, resources, operator's hand; lock or statement took too long; read-only, or closed to
 * new connections, for now. 26000: what the one before it on the connection was to prepare, and it was refused so.
 */
const unavailable = /^(08|53|57|58|26000|40001|40P01|55000|55P03|25P03|25006)/;
/** Nothing that waiting would mend: a name, a password, a database, a right. */
const hopeless = /^(28|3D000|3F000|42501|42704|0A000|22023)/;
/** What a pooler says to a parameter that it cannot pass on. */
const hopelessAtPooler = /startup parameter/i;
/** What the client says where the server's certificate, or its want of one, or of a password, can never be right. */
const hopelessAtClient = /does not support SSL|^SASL: /;
const hopelessCertificate = /^(DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(VERIFY|GET)_|CERT_|HOSTNAME_MISMATCH|ERR_TLS_CERT)/;

/** The connection went, or never came; what was under way may have been done or not. */
export class LostError extends Error {
  override name = "LostError";
  /** Whether it was silence and not an answer that ended it. */
  readonly silent: boolean;

  constructor(cause: unknown) {
    super(reasonOf(cause), { cause });
    this.silent = cause instanceof Error && !(cause instanceof pg.DatabaseError) && /timeout/i.test(cause.message);
  }
}

/** One short reason without addresses' passwords or SQL: a code of the system or of PostgreSQL. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
  return code ?? (error instanceof Error ? error.message : String(error));
}

/** The error of a kind under whatever the ORM has wrapped around it. */
function find<Kind>(kind: abstract new (...args: never[]) => Kind, error: unknown): Kind | undefined {
  for (const cause of causesOf(error)) if (cause instanceof kind) return cause;
  return undefined;
}

/** What PostgreSQL or its client said where no connection can ever come about with this URL. */
export function hopelessAnswer(error: unknown): string | undefined {
  const answer = find(pg.DatabaseError, error);
  if (answer) return hopeless.test(answer.code ?? "") || hopelessAtPooler.test(answer.message) ? answer.message : undefined;
  for (const { message, ...cause } of causesOf(error)) {
    const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
    if (hopelessAtClient.test(message) || hopelessCertificate.test(code)) return message;
  }
  return undefined;
}

/** Our own errors, constraints and mistakes in SQL pass as they are; that the connection is gone, or the server busy, is no one's mistake. */
export function toAppError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  // Looked for before its cause: a lost connection is not the fault of the request, whatever the reason.
  const lost = find(LostError, error);
  if (lost) return away(lost);
  const answer = find(pg.DatabaseError, error);
  if (answer?.code === statementTooLong) return new TooLongError(error);
  return answer && unavailable.test(answer.code ?? "") ? away(error) : error;
}

function away(cause: unknown): AppError {
  return new AppError("SERVICE_UNAVAILABLE", `The database does not answer (${reasonOf(cause)}).`, { cause, retryAfterSeconds: 1 });
}
