/** Builds the package: a file of JavaScript for each source, one of types for each that its readers can reach, an API reference, and the wire's types written out from the server's definition. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { printApi } from "./api.ts";
import { printQueries } from "./queries.ts";
import { printWireTypes } from "./wire-types.ts";

const sources = new URL("../src/", import.meta.url);
const target = new URL("../dist/", import.meta.url);
/** Inferred from the server here; nothing of it runs. */
const wire = "wire.ts";
/** Empty here. */
const queries = "queries.ts";

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  strict: true,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
  jsx: ts.JsxEmit.ReactJSX,
};

function check(fileName: string, { outputText, diagnostics = [] }: ts.TranspileOutput): string {
  const host = { getCurrentDirectory: () => "", getCanonicalFileName: (name: string) => name, getNewLine: () => "\n" };
  if (diagnostics.length > 0) throw new Error(`${fileName}: ${ts.formatDiagnostics(diagnostics, host)}`);
  return outputText;
}

const declarations = new Map<string, string>();

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const fileName of readdirSync(sources)) {
  const name = fileName.replace(/\.ts$/, "");
  if (fileName === wire) {
    declarations.set(name, printWireTypes());
    continue;
  }
  const source = fileName === queries ? printQueries() : readFileSync(new URL(fileName, sources), "utf8");
  const options = { fileName, compilerOptions, reportDiagnostics: true };
  const typeOptions = { ...options, compilerOptions: { ...compilerOptions, declaration: true, isolatedDeclarations: true } };
  writeFileSync(new URL(`${name}.js`, target), check(fileName, ts.transpileModule(source, options)));
  // Declarations keep the file extension of their imports, but the package contains no sources.
  const declaration = check(fileName, ts.transpileDeclaration(source, typeOptions)).replace(/(from "\.\/[^"]+)\.ts"/g, '$1.js"');
  declarations.set(name, declaration);
}

// The declarations that an entry's types reference, directly or indirectly.
const reached = new Set(["client", "node", "react"]);
for (const name of reached) {
  const declaration = declarations.get(name) ?? "";
  writeFileSync(new URL(`${name}.d.ts`, target), declaration);
  for (const [, imported = ""] of declaration.matchAll(/"\.\/([\w-]+)\.js"/g)) reached.add(imported);
}

const typesOf = (name: string) => fileURLToPath(new URL(`${name}.d.ts`, target));
writeFileSync(new URL("API.md", target), printApi({ "@keenchat/client": typesOf("client"), "@keenchat/client/react": typesOf("react") }));
