/** Owns the meaning of keys, with any input method. */
import type { KeyboardEvent } from "react";

/** The code of every key that an input method takes. */
const takenByInputMethod = 229;

/**
 * Whether a key belongs to an input method, where Enter takes a word and Escape leaves one. Safari ends the composition before the key
 * that ends it comes, with `isComposing` false: only the old code tells (https://bugs.webkit.org/show_bug.cgi?id=165004).
 */
export function isComposing({ nativeEvent }: KeyboardEvent): boolean {
  return nativeEvent.isComposing || nativeEvent.keyCode === takenByInputMethod;
}
