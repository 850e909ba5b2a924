/** Owns which procedures only read. The build of the package writes their paths here; without them, the server's answer to the first call tells. */
export const queries: ReadonlySet<string> = new Set();
