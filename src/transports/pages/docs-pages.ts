/** Owns the pages of docs/: Markdown made HTML, in one frame that leads from each to all. */
import { readdir, readFile } from "node:fs/promises";
import { lexer, Marked, type Tokens } from "marked";
import { eventsReference, requestsReference } from "./docs-references.ts";

/** In the order in which one reads them. A page that is not in docs/ is left out. */
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
  "scale",
];

/** What is read off the code and stands below a page's own text. */
const references: Readonly<Record<string, () => string>> = { rest: requestsReference, events: eventsReference };

/** The viewer of the REST page, the only thing that runs in a browser. */
function viewer(prefix: string) {
  const scripts = ["swagger-ui-bundle.js", "rest.js"].map((name) => `<script src="${prefix}/docs/${name}" defer></script>`);
  return { head: `<link rel="stylesheet" href="${prefix}/docs/swagger-ui.css">${scripts.join("")}`, body: `<div id="viewer"></div>` };
}

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

const createMarkdown = (prefix: string) =>
  new Marked({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading) {
        const content = this.parser.parseInline(tokens);
        if (depth === 1) return `<h1>${content}</h1>\n`;
        const id = slug(text);
        return `<h${depth} id="${id}"><a href="#${id}">${content}</a></h${depth}>\n`;
      },
      // Between files on GitHub, between pages here.
      link({ href, tokens }: Tokens.Link) {
        const [, name, anchor = ""] = /^([\w-]+)\.md(#.*)?$/.exec(href) ?? [];
        const path = name === undefined ? href : pathOf(name) + anchor;
        return `<a href="${escapeHtml(path.startsWith("/") ? prefix + path : path)}">${this.parser.parseInline(tokens)}</a>`;
      },
    },
    hooks: {
      // What is too wide for a phone is scrolled by itself, with keys too.
      postprocess: (html) =>
        html
          .replaceAll("<table>", `<div class="wide" tabindex="0" role="group"><table>`)
          // A column may speak for itself, a heading may not be empty.
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

function frame(page: Page, pages: readonly Page[], content: string, prefix: string): string {
  const links = pages.map(({ name, title }) => {
    const current = name === page.name ? ` aria-current="page"` : "";
    return `<li><a href="${prefix}${pathOf(name)}"${current}>${name === "index" ? "Documentation" : escapeHtml(title)}</a></li>`;
  });
  const { head, body } = page.name === "rest" ? viewer(prefix) : { head: "", body: "" };
  const title = page.name === "index" ? "Keenchat documentation" : `${page.title} · Keenchat`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${prefix}/docs/style.css">${head}
</head>
<body>
<a class="skip" href="#content">To the text</a>
<header><a href="${prefix}/docs">Keenchat</a> <a class="menu" href="#pages">All pages</a></header>
<div class="columns">
<main id="content">
<article>
${content}</article>
${body}
</main>
<nav id="pages" aria-label="Pages"><ul>
${links.join("\n")}
</ul></nav>
</div>
</body>
</html>
`;
}

/** The pages of a directory as HTML, by name; links to this server begin with `prefix`. */
export async function renderPages(directory: URL, prefix: string): Promise<ReadonlyMap<string, string>> {
  const markdown = createMarkdown(prefix);
  const present = await readdir(directory);
  const names = order.filter((name) => present.includes(`${name}.md`));
  const pages = await Promise.all(names.map(async (name) => read(name, await readFile(new URL(`${name}.md`, directory), "utf8"))));
  const contents = pages.filter(({ name }) => name !== "index").map(({ name, title, lead }) => `- [${title}](${name}.md)  \n  ${lead}`);
  const html = pages.map((page) => {
    const below = page.name === "index" ? contents.join("\n") : (references[page.name]?.() ?? "");
    return frame(page, pages, markdown.parse(`${page.text}\n${below}`, { async: false }), prefix);
  });
  return new Map(names.map((name, index) => [name, html[index] ?? ""]));
}
