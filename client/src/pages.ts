/** Owns telling a list's last page from one that ended early: no answer of the server is larger than 1 MiB. */

/** In characters of JSON, each of which is up to four bytes; what makes an answer end early is far larger. */
const surelyWholeLength = 200_000;

/** Whether there may be more behind a page of a list that was asked for by `limit`. */
export function mayGoOn(page: readonly unknown[], limit: number): boolean {
  return page.length >= limit || JSON.stringify(page).length > surelyWholeLength;
}
