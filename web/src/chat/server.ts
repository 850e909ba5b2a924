/** Owns the URL of the server, and the names under which this browser stores its data. */

/** The server has the URL of the page, including the path that a proxy may add. */
export const server = new URL(".", location.href);

/** Servers below other paths of one host are other servers, with other users. */
export const keyPrefix = server.pathname === "/" ? "keenchat" : `keenchat ${server.pathname}`;
