/** Owns where the server is, and under which names this browser keeps what belongs to it. */

/** The server is where the page is: below a path, where a proxy puts one before it. */
export const server = new URL(".", location.href);

/** Servers below other paths of one host are other servers, with other users. */
export const keyPrefix = server.pathname === "/" ? "keenchat" : `keenchat ${server.pathname}`;
