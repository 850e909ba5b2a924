/** Owns the pages of docs/ as HTML: each page's own text, the reference below it, and links to all other pages. */
import { readFileSync } from "node:fs";
import { lexer, Marked, type Tokens } from "marked";
import { eventsReference, requestsReference } from "./references.ts";

/** The pages in reading order. */
const order = [
  "index",
  "start",
  "client",
  "real-time",
  "reconnect",
  "rest",
  "events",
  "errors",
  "limits",
  "close-codes",
  "keenchat-2014",
  "operate",
  "grow",
];

/** The references stand below a page's own text. */
const references: Readonly<Record<string, () => string>> = { rest: requestsReference, events: eventsReference };

/** Only the REST page runs scripts: those of the viewer. */
const viewerScripts = ["swagger-ui-bundle.js", "rest.js"].map((name) => `<script src="/docs/${name}" defer></script>`);
const viewerHead = `<link rel="stylesheet" href="/docs/swagger-ui.css">${viewerScripts.join("")}`;

interface Page {
  readonly name: string;
  readonly title: string;
  readonly lead: string;
  readonly text: string;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}

const pathOf = (name: string) => (name === "index" ? "/docs" : `/docs/${name}`);

const markdown = new Marked({
  renderer: {
    heading({ tokens, depth, text }: Tokens.Heading) {
      const content = this.parser.parseInline(tokens);
      if (depth === 1) return `<h1>${content}</h1>\n`;
      const id = slug(text);
      return `<h${depth} id="${id}"><a href="#${id}">${content}</a></h${depth}>\n`;
    },
    // A link to a file of docs/, as GitHub shows it, becomes a link to its page.
    link({ href, tokens }: Tokens.Link) {
      const [, name, anchor = ""] = /^([\w-]+)\.md(#.*)?$/.exec(href) ?? [];
      const path = name === undefined ? href : pathOf(name) + anchor;
      return `<a href="${escapeHtml(path)}">${this.parser.parseInline(tokens)}</a>`;
    },
  },
  hooks: {
    // Wide tables and code scroll on their own on a phone, and with the keyboard.
    postprocess: (html) =>
      html
        .replaceAll("<table>", `<div class="wide" tabindex="0" role="group"><table>`)
        // A column may have no heading, but an empty heading is an accessibility fault.
        .replaceAll("<th></th>", "<td></td>")
        .replaceAll("</table>", "</table></div>")
        .replaceAll("<pre>", `<pre tabindex="0">`),
  },
});

function read(name: string, text: string): Page {
  const tokens = lexer(text);
  const first = (type: string, otherwise: string): string => {
    const token = tokens.find((candidate) => candidate.type === type);
    return token && "text" in token ? String(token.text) : otherwise;
  };
  return { name, title: first("heading", name), lead: first("paragraph", ""), text };
}

function frame(page: Page, pages: readonly Page[], content: string): string {
  const links = pages.map(({ name, title }) => {
    const current = name === page.name ? ` aria-current="page"` : "";
    return `<li><a href="${pathOf(name)}"${current}>${name === "index" ? "Documentation" : escapeHtml(title)}</a></li>`;
  });
  const hasViewer = page.name === "rest";
  const title = page.name === "index" ? "Keenchat documentation" : `${page.title} · Keenchat`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/style.css">${hasViewer ? viewerHead : ""}
</head>
<body>
<a class="skip" href="#content">To the text</a>
<header><a href="/docs">Keenchat</a> <a class="menu" href="#pages">All pages</a></header>
<div class="columns">
<main id="content">
<article>
${content}</article>
${hasViewer ? `<div id="viewer"></div>` : ""}
</main>
<nav id="pages" aria-label="Pages"><ul>
${links.join("\n")}
</ul></nav>
</div>
</body>
</html>
`;
}

/** All pages as HTML, by name. Links to this server are absolute paths, to which the server adds its path prefix. */
export function renderPages(directory: URL): ReadonlyMap<string, string> {
  const pages = order.map((name) => read(name, readFileSync(new URL(`${name}.md`, directory), "utf8")));
  const contents = pages.filter(({ name }) => name !== "index").map(({ name, title, lead }) => `- [${title}](${name}.md)  \n  ${lead}`);
  const htmlOf = (page: Page): string => {
    const below = page.name === "index" ? contents.join("\n") : (references[page.name]?.() ?? "");
    return frame(page, pages, markdown.parse(`${page.text}\n${below}`, { async: false }));
  };
  return new Map(pages.map((page) => [page.name, htmlOf(page)]));
}
