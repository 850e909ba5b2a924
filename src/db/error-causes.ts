/** Owns finding the error that a driver raised under what the ORM has wrapped around it. */

const maxDepth = 4;

/** The error, then what caused it, and so on. The ORM keeps the driver's error as `previous`. */
export function* causesOf(error: unknown): Generator<Error, void> {
  let cause = error;
  for (let depth = 0; depth < maxDepth && cause instanceof Error; depth += 1) {
    yield cause;
    cause = cause.cause ?? ("previous" in cause ? cause.previous : undefined);
  }
}
