import { spawn } from "node:child_process";
import { freePort } from "../../src/platform/free-port.ts";
import { projectFile } from "../../src/platform/index.ts";
import type { Figure } from "../figure.ts";
import { round } from "../numbers.ts";

/** `npm start` for the second time in this folder, until it says it is ready. */
export async function secondStart(): Promise<Figure> {
  const port = await freePort();
  const startOnce = () =>
    new Promise<number>((resolve, reject) => {
      const startedMs = performance.now();
      const env = { ...process.env, NODE_OPTIONS: "", PORT: String(port) };
      const entry = projectFile("bin", "heliograph.mjs");
      const child = spawn(process.execPath, [entry, "start"], {
        env,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let errors = "";
      child.stderr.on("data", (chunk) => {
        errors += chunk;
      });
      let seconds: number | undefined;
      child.stdout.on("data", (chunk) => {
        if (!String(chunk).includes("Ctrl-C")) return;
        seconds = (performance.now() - startedMs) / 1_000;
        child.kill("SIGINT");
      });
      child.once("exit", () =>
        seconds === undefined ? reject(new Error(`no start: ${errors}`)) : resolve(seconds),
      );
    });
  const first = await startOnce();
  const second = await startOnce();
  return {
    figure: "npm start, second time, until ready",
    value: round(second),
    unit: "s",
    firstSeconds: round(first),
    baseline: null,
    target: "< 5 s",
    reached: second < 5,
  };
}
