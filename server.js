// The documented start: `node server.js`. Kept in old syntax so that an old Node can read it: where this
// Node is too old for src/server.ts, the one that `npm ci` brought takes over.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

var required = [24, 7];
var bundled = fileURLToPath(new URL("./node_modules/node/bin/node", import.meta.url));

function isNewEnough(version) {
  var parts = version.split(".").map(Number);
  return parts[0] > required[0] || (parts[0] === required[0] && parts[1] >= required[1]);
}

/** Runs the server under the bundled Node and lives and dies with it: signals go down, the exit code comes up. */
function handOver(node) {
  var entry = fileURLToPath(new URL("./src/server.ts", import.meta.url));
  // The channel is how the child learns that this process was killed (src/server.ts ends at "disconnect").
  var child = spawn(node, [entry].concat(process.argv.slice(2)), {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  var asked;
  ["SIGTERM", "SIGINT", "SIGHUP"].forEach((signal) => {
    process.on(signal, () => {
      asked = signal;
      child.kill(signal);
    });
  });
  child.on("error", (error) => {
    console.error(`The Node in node_modules could not be started: ${error.message}`);
    process.exit(78);
  });
  child.on("exit", (code, signal) => {
    // One that was told to stop before it could listen dies of it, and has done what it was told.
    process.exit(signal ? (signal === asked ? 0 : 1) : code);
  });
}

if (isNewEnough(process.versions.node)) {
  // Until src/server.ts has its own; there is nothing to drain so early.
  ["SIGTERM", "SIGINT"].forEach((signal) => {
    process.once(signal, () => process.exit(0));
  });
  import("./src/server.ts");
} else {
  if (existsSync(bundled)) {
    handOver(bundled);
  } else {
    console.error(
      `Keenchat needs Node ${required.join(".")} or newer, or the one that \`npm ci\` installs; this is ${process.versions.node}.`,
    );
    process.exit(78);
  }
}
