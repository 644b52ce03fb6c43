import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

/**
 * TypeScript to `dist/`, only when a source has changed: `dist/.stamp` holds a hash of what it was
 * made from. It is made in a folder beside it and renamed into place, so that `dist/` is whole
 * whenever it is there. Types are not checked here; `npm run typecheck` and the gate do that.
 */
const SOURCES = ["src", "workers", "sandbox", "migrations", "bench", "chaos"];
const SETTINGS = ["tsconfig.json", "tsconfig.build.json", "package.json"];
const STAMP = ".stamp";

/** True when `dist/` was made from the sources as they are. */
export function isBuilt(root) {
  try {
    return readFileSync(path.join(root, "dist", STAMP), "utf8") === hashOfSources(root);
  } catch (error) {
    if (error.code === "ENOENT") return false;
    throw error;
  }
}

/** @throws with the compiler's output when it cannot compile */
export function build(root) {
  process.stderr.write("heliograph: compiling\n");
  removeLeftovers(root);
  // Before compiling: a file that changes meanwhile is compiled again at the next start.
  const stamp = hashOfSources(root);
  const fresh = path.join(root, `dist.new-${randomBytes(4).toString("hex")}`);
  try {
    const compiler = createRequire(path.join(root, "package.json")).resolve(
      "typescript/package.json",
    );
    const { bin } = JSON.parse(readFileSync(compiler, "utf8"));
    const tsc = path.join(path.dirname(compiler), typeof bin === "string" ? bin : bin.tsc);
    const args = [tsc, "-p", "tsconfig.build.json", "--outDir", fresh];
    const result = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: "utf8",
      timeout: 300_000,
    });
    if (result.status !== 0) {
      throw new Error(
        `the TypeScript does not compile:\n${result.stdout}${result.stderr}`.trimEnd(),
      );
    }
    mkdirSync(fresh, { recursive: true });
    writeFileSync(path.join(fresh, STAMP), stamp);
    const dist = path.join(root, "dist");
    if (existsSync(dist)) renameSync(dist, `${fresh}.replaced`);
    renameSync(fresh, dist);
  } finally {
    removeLeftovers(root);
  }
}

/**
 * Of this build, and of earlier ones that were killed; the compiler of such a one may still be
 * writing, and what cannot be removed now is the next build's. The caller has the setup lock.
 */
function removeLeftovers(root) {
  for (const name of readdirSync(root)) {
    if (!name.startsWith("dist.new-")) continue;
    try {
      rmSync(path.join(root, name), { recursive: true, force: true });
    } catch (error) {
      if (error.code !== "ENOTEMPTY") throw error;
    }
  }
}

function hashOfSources(root) {
  const hash = createHash("sha256");
  const files = [...SETTINGS, ...SOURCES.flatMap((folder) => sourcesIn(root, folder))];
  for (const file of files) {
    const text = readIfThere(path.join(root, file));
    hash.update(`${file}\0${text.length}\0`).update(text);
  }
  return hash.digest("hex");
}

function sourcesIn(root, folder) {
  const found = [];
  for (const entry of listIfThere(path.join(root, folder))) {
    const file = `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...sourcesIn(root, file));
    else if (/\.(ts|mts|json)$/.test(entry.name) && !/\.test\.ts$/.test(entry.name))
      found.push(file);
  }
  return found.sort();
}

function listIfThere(folder) {
  return existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
}

function readIfThere(file) {
  return existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
}
