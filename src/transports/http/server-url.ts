/** Owns the URL of this server, as the reader of a document used it. */
import type { IncomingMessage } from "node:http";

export interface ServerUrlOptions {
  /** As it was set; undefined where a request has to tell. Without a slash at its end. */
  readonly publicUrl: string | undefined;
  readonly isTrustedPeer: (request: IncomingMessage) => boolean;
}

/** The scheme of the client, as a proxy reports it; the first of a chain is the client's. */
function forwardedScheme({ headers }: IncomingMessage): string | undefined {
  const [first] = [headers["x-forwarded-proto"] ?? ""].flat().join(",").split(",");
  return first?.trim().toLowerCase();
}

/** Returns the URL of `/` from the configuration, or from a request's `Host`; without a slash at its end. */
export function createServerUrlReader({ publicUrl, isTrustedPeer }: ServerUrlOptions): (request: IncomingMessage) => string {
  return (request) => {
    if (publicUrl !== undefined) return publicUrl;
    const isSecure = isTrustedPeer(request) && forwardedScheme(request) === "https";
    // HTTP/1.0 has no `Host`.
    const { host = `localhost:${request.socket.localPort}` } = request.headers;
    return `${isSecure ? "https" : "http"}://${host}`;
  };
}
