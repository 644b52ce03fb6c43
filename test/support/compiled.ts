import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { transform } from "@swc/core";

/**
 * The project as JavaScript, for the processes that tests start: compiled once for all of them. A
 * process that compiles what it loads takes twice as long to start, and a run starts some two hundred.
 */

const FOLDERS = ["migrations", "sandbox", "src", "test/support", "workers"];
const NAME = "dist.tests-";
const OLD_MS = 24 * 3_600_000;
const OPTIONS = {
  jsc: { parser: { syntax: "typescript" }, target: "es2023" },
  module: { type: "es6" },
  swcrc: false,
} as const;

/** Compiles what has changed since the last run, if anything has; gives the folder. */
export async function compileProject(root: string): Promise<string> {
  const files = (await Promise.all(FOLDERS.map((folder) => sourcesIn(root, folder)))).flat();
  const sources = await Promise.all(files.map((file) => readFile(path.join(root, file), "utf8")));
  const hash = createHash("sha256").update(JSON.stringify(OPTIONS));
  for (const [n, source] of sources.entries()) hash.update(JSON.stringify([files[n], source]));
  const folder = path.join(root, `${NAME}${hash.digest("hex").slice(0, 16)}`);
  if (await exists(folder)) return folder;
  // Beside it, and then renamed: whole or not at all, whoever else is at it.
  const fresh = path.join(root, `${NAME}${randomUUID()}`);
  await Promise.all(
    files.map(async (file, n) => {
      const { code } = await transform(sources[n] ?? "", { ...OPTIONS, filename: file });
      const written = path.join(fresh, file.replace(/\.ts$/, ".js"));
      await mkdir(path.dirname(written), { recursive: true });
      await writeFile(written, code.replaceAll(TYPESCRIPT, '$1.js"'));
    }),
  );
  await rename(fresh, folder).catch(async (error) => {
    await rm(fresh, { recursive: true, force: true });
    if (!(await exists(folder))) throw error;
  });
  await removeOld(root, folder);
  return folder;
}

/** What is imported by its path. */
const TYPESCRIPT = /(\b(?:from|import)\s*\(?\s*"\.{1,2}\/[^"\n]+)\.ts"/g;

async function sourcesIn(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(path.join(root, folder), { recursive: true });
  return entries
    .filter((entry) => entry.endsWith(".ts") && !entry.endsWith(".test.ts"))
    .map((entry) => path.join(folder, entry))
    .sort();
}

const exists = (folder: string) =>
  stat(folder).then(
    () => true,
    () => false,
  );

/** Other runs may still use what is younger. */
async function removeOld(root: string, kept: string): Promise<void> {
  for (const name of await readdir(root)) {
    const folder = path.join(root, name);
    if (!name.startsWith(NAME) || folder === kept) continue;
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > OLD_MS) await rm(folder, { recursive: true, force: true });
  }
}
