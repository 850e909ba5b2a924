/** Owns how a built file is sent: its type, its tag, and the best of its encodings that the client takes. */
import { createHash } from "node:crypto";
import { type Exchange, send } from "../http/http.ts";

type Encodings = readonly (readonly [name: string, content: Buffer])[];

export interface File {
  readonly contentType: string;
  readonly etag: string;
  readonly content: Buffer;
  /** Best first. */
  readonly encodings: Encodings;
}

export function toFile(content: Buffer, contentType: string, encodings: Encodings): File {
  const etag = `"${createHash("sha256").update(content).digest("base64url").slice(0, 22)}"`;
  return { contentType, etag, content, encodings };
}

function accepts(header: string | string[] | undefined, encoding: string): boolean {
  return String(header ?? "")
    .split(",")
    .some((part) => {
      const [name = "", ...parameters] = part.split(";").map((text) => text.trim());
      return name.toLowerCase() === encoding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    });
}

export function sendFile({ request, response }: Exchange, file: File, cacheControl: string): void {
  response.setHeader("Cache-Control", cacheControl);
  response.setHeader("ETag", file.etag);
  response.appendHeader("Vary", "Accept-Encoding");
  if (request.headers["if-none-match"] === file.etag) return send(response, 304);
  const best = file.encodings.find(([encoding]) => accepts(request.headers["accept-encoding"], encoding));
  if (best) response.setHeader("Content-Encoding", best[0]);
  send(response, 200, best?.[1] ?? file.content, file.contentType);
}

const notBuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Keenchat</title>
<h1>Keenchat is running; its web app and its docs are not built.</h1>
<p>Run <code>npm run build -w web</code> where the server is installed and load this page again. The API is here already.</p></html>
`;

export function sendNotBuilt({ response }: Exchange): void {
  send(response, 404, notBuilt, "text/html; charset=utf-8");
}
