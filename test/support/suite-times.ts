/** What each suite took, in a line for each folder of `test/`: its files' own time, which three of them may have spent at once. */
import { dirname, relative } from "node:path";
import process from "node:process";
import type { Reporter, TestModule, Vitest } from "vitest/node";

interface Suite {
  files: number;
  tests: number;
  ms: number;
}

export class SuiteTimes implements Reporter {
  #root = process.cwd();

  onInit({ config }: Vitest): void {
    this.#root = config.root;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const suites = new Map<string, Suite>();
    for (const module of modules) {
      const name = relative(this.#root, dirname(module.moduleId));
      const suite = suites.get(name) ?? { files: 0, tests: 0, ms: 0 };
      suites.set(name, suite);
      suite.files += 1;
      suite.tests += [...module.children.allTests()].length;
      suite.ms += module.diagnostic().duration;
    }
    const rows = [...suites].sort(([a], [b]) => a.localeCompare(b));
    for (const [name, { files, tests, ms }] of rows) {
      const [fileCount, testCount, seconds] = [files, tests, (ms / 1_000).toFixed(1)].map((value) => String(value).padStart(6));
      process.stdout.write(`${name.padEnd(18)} ${fileCount} files ${testCount} tests ${seconds} s\n`);
    }
  }
}
