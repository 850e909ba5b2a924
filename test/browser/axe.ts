/** Runs axe in a page. It is evaluated by the debugger's hand: the page's own security policy stays as it is. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  readonly id: string;
  readonly nodes: readonly { html: string; failureSummary: string }[];
}

/** What axe finds, a line each. */
export async function findViolations(page: Page): Promise<string[]> {
  // What is still fading in has colours of its own for a moment; what left meanwhile is done too.
  await page.evaluate(
    "Promise.allSettled(document.getAnimations().filter((each) => each.effect.getComputedTiming().iterations === 1).map((each) => each.finished))",
  );
  await page.evaluate(source);
  const { violations } = (await page.evaluate("axe.run()")) as { violations: Violation[] };
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}
