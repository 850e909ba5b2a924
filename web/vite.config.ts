/** How the web app is built: one page, one script, hashed names, nothing inline, all addresses relative to the page. */
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { clientQueries } from "../client/build/vite-plugin.ts";

/** Asks for the text's font together with the script, so that the first text is set in it. */
function preloadFont(name: string): Plugin {
  return {
    name: "preload-font",
    enforce: "post",
    transformIndexHtml: {
      order: "post",
      handler(_html, { bundle }) {
        const file = Object.keys(bundle ?? {}).find((fileName) => fileName.includes(name));
        if (file === undefined) return [];
        return [
          {
            tag: "link",
            injectTo: "head-prepend",
            attrs: { rel: "preload", as: "font", type: "font/woff2", crossorigin: true, href: `./${file}` },
          },
        ];
      },
    },
  };
}

const server = "http://localhost:5000";

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // Relative, so that one build serves below any path that a proxy takes away.
  base: "./",
  // The client as it stands in this repository, so that nothing has to be built before.
  resolve: {
    alias: {
      "@keenchat/client/react": fileURLToPath(new URL("../client/src/react.ts", import.meta.url)),
      "@keenchat/client": fileURLToPath(new URL("../client/src/client.ts", import.meta.url)),
    },
    dedupe: ["react"],
  },
  plugins: [clientQueries, preloadFont("instrument-sans-latin-wght")],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // "use client" is for servers that render React; this page has none.
    rolldownOptions: { checks: { moduleLevelDirective: false } },
  },
  server: { proxy: { "/trpc": { target: server, ws: true } } },
});
