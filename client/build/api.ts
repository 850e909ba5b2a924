/** Writes the package's API reference: what each entry exports, as its types say it. */
import ts from "typescript";

/** The source of a declaration without the words that only modules need. */
function declarationOf(symbol: ts.Symbol): string {
  return (symbol.declarations ?? [])
    .map((declaration) => (ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration))
    .map((declaration) => declaration.getText().replace(/^export (declare )?/, ""))
    .join("\n");
}

function entryOf(checker: ts.TypeChecker, symbol: ts.Symbol): string {
  const actual = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const words = ts.displayPartsToString(actual.getDocumentationComment(checker));
  const throws = actual.getJsDocTags(checker).map(({ name, text }) => `@${name} ${ts.displayPartsToString(text)}`);
  return [`### ${symbol.name}`, words, ...throws, `\`\`\`ts\n${declarationOf(actual)}\n\`\`\``].filter(Boolean).join("\n\n");
}

/** Markdown for the entries of a package, from their declarations: `{ "@keenchat/client": "dist/client.d.ts" }`. */
export function printApi(entries: Record<string, string>): string {
  const program = ts.createProgram(Object.values(entries), { noLib: true, types: [], skipLibCheck: true, module: ts.ModuleKind.NodeNext });
  const checker = program.getTypeChecker();
  const parts = Object.entries(entries).map(([name, file]) => {
    const source = program.getSourceFile(file);
    const entry = source && checker.getSymbolAtLocation(source);
    if (!entry) throw new Error(`${file} exports nothing.`);
    const exported = checker.getExportsOfModule(entry).map((symbol) => entryOf(checker, symbol));
    return [`## ${name}`, ...exported].join("\n\n");
  });
  return `${["# API", ...parts].join("\n\n")}\n`;
}
