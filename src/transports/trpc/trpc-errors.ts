/** Owns the refusals that both of tRPC's wires have in common. */
import { AppError } from "../../core/errors.ts";
import { maxBatchCalls } from "../../core/limits.ts";

export function batchTooLong(): AppError {
  return new AppError("BAD_REQUEST", `A batch has at most ${maxBatchCalls} calls.`);
}

export function authParameterNoToken(): AppError {
  return new AppError("BAD_REQUEST", "The connection parameter auth must be a token.");
}

export function authParameterDiffers(): AppError {
  return new AppError("BAD_REQUEST", "The connection parameter auth and the request's token differ.");
}
