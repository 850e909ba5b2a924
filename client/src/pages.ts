/** Owns how to tell the last page of a list from a page that ended early, because no answer is larger than 1 MiB. */

/** In characters of JSON, of up to four bytes each. An answer that ended early is far larger. */
const surelyWholeLength = 200_000;

/** Whether another page may follow a page that was requested with `limit`. */
export function mayGoOn(page: readonly unknown[], limit: number): boolean {
  return page.length >= limit || JSON.stringify(page).length > surelyWholeLength;
}
