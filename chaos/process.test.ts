import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { waitFor } from "../test/support/wait-for.ts";
import { runOnce, type SupervisedProcess, supervise } from "./process.ts";

let folder: string;
let one: SupervisedProcess | undefined;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heliograph-chaos-test-"));
});
afterEach(async () => {
  await one?.end();
  await rm(folder, { recursive: true, force: true });
});

function run(script: string): SupervisedProcess {
  one = supervise("one", ["-e", script], {}, path.join(folder, "log"));
  return one;
}

test("a process that ends by itself is started again, and its last lines tell why", async () => {
  const lines = 'for (let n = 1; n <= 20; n++) console.error("line " + n);';
  const { ownDeaths } = run(`${lines} throw new Error("nobody catches me")`);
  await waitFor(() => ownDeaths.length >= 2, { what: "the second death" });
  const [death] = ownDeaths;
  expect(death).toMatchObject({ code: 1, signal: null });
  expect(death?.lastLines.length).toBeLessThanOrEqual(15);
  expect(death?.lastLines.join("\n")).toContain("Error: nobody catches me");
  expect(death?.lastLines).not.toContain("line 1");
});

test("one that was killed is started again, and did not end by itself", async () => {
  const starts = async () =>
    (await readFile(path.join(folder, "log"), "utf8")).split("up\n").length - 1;
  const process = run('console.error("up"); setInterval(() => {}, 1_000)');
  await waitFor(async () => (await starts()) === 1, { what: "the start" });
  process.kill();
  await waitFor(async () => (await starts()) === 2, { what: "the next start" });
  expect(process.ownDeaths).toEqual([]);
});

test("a command tells its code and what it printed; one that does not end is no success", async () => {
  const fails = 'console.log("one"); console.error("two"); process.exitCode = 3';
  expect(await runOnce(["-e", fails], {})).toEqual({ code: 3, lines: ["one", "two"] });
  const hangs = "setInterval(() => {}, 1_000)";
  expect(await runOnce(["-e", hangs], {}, 500)).toEqual({ code: null, lines: [] });
});
