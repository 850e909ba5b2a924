/** Owns which procedures only read. In the package the build writes their paths here, read off the router; without them the server tells, at the first call of each. */
export const queries: ReadonlySet<string> = new Set();
