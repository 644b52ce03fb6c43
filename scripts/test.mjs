/**
 * `npm test`: makes the clone ready, runs jest with the arguments given, and ends with what was
 * skipped and why, and with one line of its counts: `N passed, N failed`.
 * With REQUIRE_ALL=1 a skip is a failure.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { makeReady } from "./ready.mjs";
import { summarize } from "./test-summary.mjs";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
await makeReady({ development: true });

const folder = mkdtempSync(path.join(tmpdir(), "heliograph-results-"));
const results = path.join(folder, "results.json");
const skips = path.join(folder, "skips.jsonl");

const jest = createRequire(import.meta.url).resolve("jest/bin/jest");
const child = spawn(
  process.execPath,
  [
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    jest,
    "--json",
    `--outputFile=${results}`,
    ...process.argv.slice(2),
  ],
  {
    cwd: root,
    env: { ...process.env, HELIOGRAPH_TEST_SKIPS: skips },
    // --json writes to stdout what the file holds already
    stdio: ["inherit", "ignore", "inherit"],
  },
);
// A terminal has told jest already; from elsewhere (kill) it comes to us alone.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));

child.on("close", (code) => {
  const summary = summarize({
    results: readJson(results),
    skips: readLines(skips),
    requireAll: process.env.REQUIRE_ALL === "1",
  });
  rmSync(folder, { recursive: true, force: true });
  process.stdout.write(`\n${summary.lines.join("\n")}\n`);
  process.exitCode = code === 0 && summary.ok ? 0 : 1;
});

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function readLines(file) {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}
