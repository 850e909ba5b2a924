/** Owns `/`: the web app's page and the files that it loads. */
import { type Exchange, methodNotAllowed, sendOptions } from "../http/http.ts";
import { type Build, page } from "./build.ts";
import { sendFile, sendNotBuilt } from "./file.ts";

/** Nothing inline, nothing from another host, no HTML made from text: the text of a message can only be shown. */
const contentSecurityPolicy = [
  "default-src 'none'",
  ...["script-src", "style-src", "font-src", "img-src", "connect-src"].map((kind) => `${kind} 'self'`),
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** The app shows it on the page for signing in. */
const signUpClosed = '<meta name="sign-up" content="closed" />';

/** The page of the web app says whether users may sign up. */
export function adaptWebPage(html: string, signUp: "open" | "closed"): string {
  return signUp === "closed" ? html.replace("</title>", `</title>${signUpClosed}`) : html;
}

/** Answers a request for one of the app's files; false where the path is none of them. */
export function createWeb(build: Build): (exchange: Exchange) => boolean {
  return (exchange) => {
    const { segments } = exchange.target;
    const name = segments.length === 0 ? page : segments.join("/");
    // A slash within a segment was percent-encoded, and is no way into /docs.
    const file = segments.some((segment) => segment.includes("/")) ? undefined : build.get(name);
    if (!file && segments.length > 0) return false;
    exchange.operation = "web";
    const { method } = exchange.request;
    if (method === "OPTIONS") sendOptions(exchange, ["GET"]);
    else if (method !== "GET" && method !== "HEAD") throw methodNotAllowed(exchange.response, ["GET"]);
    else if (!file) sendNotBuilt(exchange);
    else if (name === page) {
      exchange.response.setHeader("Content-Security-Policy", contentSecurityPolicy);
      exchange.response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      sendFile(exchange, file, "no-cache");
      // The name of every other file has a hash of its content.
    } else sendFile(exchange, file, "public, max-age=31536000, immutable");
    return true;
  };
}
