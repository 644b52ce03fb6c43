import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { checkNode } from "./ready.mjs";

const here = process.cwd();
let root: string;

/** A project like this one, with a main of one line, and this one's packages. */
beforeEach(() => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), "heliograph-clone-")));
  for (const name of ["bin", "package.json", "package-lock.json", "tsconfig.json"]) {
    cpSync(path.join(here, name), path.join(root, name), { recursive: true });
  }
  cpSync(path.join(here, "tsconfig.build.json"), path.join(root, "tsconfig.build.json"));
  mkdirSync(path.join(root, "scripts"));
  for (const name of readdirSync(path.join(here, "scripts"))) {
    if (name.endsWith(".mjs")) {
      cpSync(path.join(here, "scripts", name), path.join(root, "scripts", name));
    }
  }
  mkdirSync(path.join(root, "workers"));
  writeMain("first");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function writeMain(word: string): void {
  const source = `const said: string[] = ["${word}", ...process.argv.slice(2)];
    console.log(said.join(" "));\n`;
  writeFileSync(path.join(root, "workers", "main.ts"), source);
}

const usePackages = () =>
  symlinkSync(path.join(here, "node_modules"), path.join(root, "node_modules"));

/** Stands for npm: counts its calls, and installs by writing npm's note of what it installed. */
function useFakeNpm(script: string): Record<string, string> {
  const source = `
    const fs = require("node:fs");
    fs.appendFileSync("npm-calls", process.argv.slice(2).join(" ") + "\\n");
    ${script}`;
  // A folder of its own, where no "type" makes a module of it.
  mkdirSync(path.join(root, "npm"));
  writeFileSync(path.join(root, "npm", "package.json"), "{}");
  writeFileSync(path.join(root, "npm", "npm-cli.js"), source);
  return { npm_execpath: path.join(root, "npm", "npm-cli.js") };
}
const npmCalls = () =>
  existsSync(path.join(root, "npm-calls"))
    ? readFileSync(path.join(root, "npm-calls"), "utf8").trim().split("\n")
    : [];

async function run(args: string[] = [], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [path.join(root, "bin", "heliograph.mjs"), ...args], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: "", npm_execpath: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const [code] = await once(child, "close");
  return { stdout, stderr, code };
}

const leftovers = () => readdirSync(root).filter((name) => name.startsWith("dist."));

describe("bin/heliograph.mjs", () => {
  test("compiles once, hands the arguments on, and compiles again when a source has changed", async () => {
    usePackages();
    expect(await run(["start", "--now"])).toEqual({
      stdout: "first start --now\n",
      stderr: "heliograph: compiling\n",
      code: 0,
    });
    expect(await run()).toEqual({ stdout: "first\n", stderr: "", code: 0 });
    writeMain("second");
    expect(await run()).toMatchObject({ stdout: "second\n", stderr: "heliograph: compiling\n" });
    expect(leftovers()).toEqual([]);
  });

  test("of several that start at once, one compiles and all run", async () => {
    usePackages();
    mkdirSync(path.join(root, "dist.new-killed", "src"), { recursive: true });
    const runs = await Promise.all([1, 2, 3, 4, 5].map((n) => run([String(n)])));
    expect(runs.map(({ stdout }) => stdout)).toEqual([1, 2, 3, 4, 5].map((n) => `first ${n}\n`));
    expect(runs.filter(({ stderr }) => stderr !== "")).toHaveLength(1);
    expect(leftovers()).toEqual([]);
  });

  test("a killed start's compiler that goes on writing keeps nobody from starting", async () => {
    usePackages();
    const left = path.join(root, "dist.new-killed");
    mkdirSync(left);
    const script = `for (let n = 0; ; n++) { try {
      fs.mkdirSync(${JSON.stringify(left)} + "/" + (n % 50), { recursive: true }); } catch {} }`;
    const writer = spawn(process.execPath, ["-e", script], { stdio: "ignore" });
    try {
      expect(await run(["1"])).toMatchObject({ code: 0, stdout: "first 1\n" });
    } finally {
      const ended = once(writer, "exit");
      writer.kill("SIGKILL");
      await ended;
    }
  });

  test("what does not compile is said, and what was compiled before stays", async () => {
    usePackages();
    await run();
    writeFileSync(path.join(root, "workers", "main.ts"), "const = ;\n");
    const broken = await run();
    expect(broken.code).toBe(1);
    expect(broken.stderr).toMatch(/does not compile:\n.*workers\/main\.ts/);
    expect(leftovers()).toEqual([]);
    expect(existsSync(path.join(root, "dist", "workers", "main.js"))).toBe(true);
  });

  test("installs when packages are missing, once for all that start together", async () => {
    const env = useFakeNpm(
      `fs.symlinkSync(${JSON.stringify(path.join(here, "node_modules"))}, "node_modules");`,
    );
    const runs = await Promise.all([1, 2, 3].map(() => run([], env)));
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(npmCalls()).toHaveLength(1);
    expect(npmCalls()[0]).toMatch(/^ci --include=dev/);
    expect(runs.map(({ stderr }) => stderr).join("")).toContain("installing packages (npm ci)");
  });

  test("installs when package-lock.json asks for another version", async () => {
    usePackages();
    const env = useFakeNpm("");
    await run([], env);
    expect(npmCalls()).toEqual([]);
    const file = path.join(root, "package-lock.json");
    const lock = JSON.parse(readFileSync(file, "utf8"));
    lock.packages["node_modules/pg"].version = "999.0.0";
    writeFileSync(file, JSON.stringify(lock));
    await run([], env);
    expect(npmCalls()).toHaveLength(1);
  });

  test("a deployment that dropped the development packages after its build runs as it is", async () => {
    usePackages();
    await run();
    rmSync(path.join(root, "node_modules"));
    mkdirSync(path.join(root, "node_modules"));
    const lock = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8"));
    for (const [place, entry] of Object.entries<{ dev?: boolean }>(lock.packages)) {
      if (entry.dev) delete lock.packages[place];
    }
    writeFileSync(path.join(root, "node_modules", ".package-lock.json"), JSON.stringify(lock));
    const env = useFakeNpm("");
    expect(await run([], env)).toEqual({ stdout: "first\n", stderr: "", code: 0 });
    expect(npmCalls()).toEqual([]);
  });

  test("an install that fails ends it, with npm's own words in one line", async () => {
    const env = useFakeNpm(`console.error("no network\\nreally"); process.exit(1);`);
    const { code, stderr } = await run([], env);
    expect(code).toBe(1);
    expect(stderr.split("\n")).toEqual([
      "heliograph: installing packages (npm ci), this takes a moment",
      "heliograph: npm ci failed: no network | really",
      "",
    ]);
  });
});

test("a Node that is too old is told so", () => {
  for (const version of ["18.20.4", "20.18.3"]) {
    expect(() => checkNode(version)).toThrow(
      `this is Node ${version}, and 20.19 or newer is needed`,
    );
  }
  for (const version of ["20.19.0", "22.1.0", "26.0.0"])
    expect(() => checkNode(version)).not.toThrow();
});
