import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Compiled files by their content: dozens of processes of a test run load the same hundred. */
const cache = fileURLToPath(new URL("../../node_modules/.cache/heliograph-tests", import.meta.url));
const VERSION = "1";

/** Node's load hook: TypeScript files become JavaScript on the way in, by the compiler jest uses. */
export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return nextLoad(url, context);
  const file = fileURLToPath(url);
  const text = await readFile(file, "utf8");
  const name = createHash("sha256").update(`${VERSION}\0${file}\0${text}`).digest("hex");
  const compiled = path.join(cache, `${name}.mjs`);
  const source = await readFile(compiled, "utf8").catch(() => compile(file, text, compiled));
  return { format: "module", source, shortCircuit: true };
}

async function compile(file, text, compiled) {
  const { transform } = await import("@swc/core");
  const { code } = await transform(text, {
    filename: file,
    jsc: { parser: { syntax: "typescript" }, target: "es2023" },
    module: { type: "es6" },
    sourceMaps: "inline",
    swcrc: false,
  });
  const half = `${compiled}.${randomUUID()}`;
  try {
    mkdirSync(cache, { recursive: true });
    writeFileSync(half, code);
    renameSync(half, compiled);
  } catch {
    // Somebody who may not write here compiles for himself.
  }
  return code;
}
