/** Owns how a person is named on the page. */
import { useUser } from "@keenchat/client/react";

/** Undefined until it is known. */
export function useName(id: number): string | undefined {
  return useUser(id).user?.username;
}

export function Name({ id }: { id: number }) {
  return useName(id) ?? "…";
}
