import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { COMPILED, fromSetup } from "./run-environment.ts";
import { waitFor } from "./wait-for.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A process of its own that runs TypeScript of this project. */
export interface RunningScript {
  child: ChildProcess;
  /** Lines of its stdout so far. */
  lines: string[];
  /** What it wrote to stderr so far. */
  stderr(): string;
  /** Waits for a line of stdout that `matches`, and gives it; fails at once when the process ends. */
  line(matches: RegExp | string, timeoutMs?: number): Promise<string>;
  /** Resolves with the exit code, or with the signal's name. */
  exited: Promise<number | NodeJS.Signals | null>;
}

export interface ScriptOptions {
  args?: string[];
  env?: Record<string, string | undefined>;
  /** Default: the project's folder. */
  cwd?: string;
  /** Starts it in a process group of its own. */
  detached?: boolean;
  uid?: number;
  gid?: number;
}

/** Runs a .ts file: `startScript(new URL("./a-script.ts", import.meta.url))`. The caller ends it. */
export function startScript(file: string | URL, options: ScriptOptions = {}): RunningScript {
  const target = typeof file === "string" ? path.resolve(file) : fileURLToPath(file);
  return run([compiled(target), ...(options.args ?? [])], options);
}

/** Runs TypeScript given as text, as an ES module with top-level await; imports need full URLs. */
export function startInline(source: string, options: ScriptOptions = {}): RunningScript {
  return run(["--input-type=module", "-e", source, "--", ...(options.args ?? [])], options);
}

/** The URL of a file of this project, for the imports of `startInline`. */
export function projectUrl(...segments: string[]): string {
  return pathToFileURL(compiled(path.join(root, ...segments))).href;
}

/** What the setup made of a TypeScript file of this project; other files are themselves. */
function compiled(file: string): string {
  if (!file.endsWith(".ts")) return file;
  return path.join(fromSetup(COMPILED), path.relative(root, file)).replace(/\.ts$/, ".js");
}

function run(args: string[], options: ScriptOptions): RunningScript {
  // jest's own NODE_OPTIONS are of no use to it
  const env = { ...process.env, NODE_OPTIONS: "", ...options.env };
  const child = spawn(process.execPath, args, {
    cwd: options.cwd ?? root,
    env,
    detached: options.detached ?? false,
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  let partial = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (partial + text).split("\n");
    partial = parts.pop() ?? "";
    lines.push(...parts);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  let ended = false;
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once("close", (code, signal) => {
      ended = true;
      resolve(code ?? signal);
    });
  });
  const find = (matches: RegExp | string) =>
    lines.find((line) =>
      typeof matches === "string" ? line.includes(matches) : matches.test(line),
    );
  return {
    child,
    lines,
    stderr: () => errors,
    exited,
    line: async (matches, timeoutMs = 30_000) => {
      await waitFor(() => ended || find(matches) !== undefined, {
        timeoutMs,
        what: `a line ${matches} of ${args.find((arg) => !arg.startsWith("-"))?.slice(0, 80)}`,
      });
      const found = find(matches);
      if (found === undefined) throw new Error(`It ended without a line ${matches}: ${errors}`);
      return found;
    },
  };
}
