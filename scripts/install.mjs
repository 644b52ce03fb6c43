import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

/**
 * True when node_modules holds what package-lock.json says, going by npm's own note of what it
 * installed. Packages for other systems are left out by npm, and may be missing.
 */
export function isInstalled(root, { development }) {
  const wanted = readLock(path.join(root, "package-lock.json"));
  const present = readLock(path.join(root, "node_modules", ".package-lock.json"));
  if (wanted === undefined || present === undefined) return false;
  return Object.entries(wanted).every(([place, entry]) => {
    if (place === "" || entry.link) return true;
    const found = present[place];
    if (found === undefined) {
      return entry.optional || (!development && (entry.dev || entry.devOptional)) || false;
    }
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

/** Undefined when there is none, or when it was cut short. */
function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** @throws with the end of npm's output when it fails */
export function install(root) {
  process.stderr.write("heliograph: installing packages (npm ci), this takes a moment\n");
  // NODE_ENV=production would leave out the compiler.
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const { npm_execpath: npm } = process.env;
  const [file, words] = npm?.endsWith(".js") ? [process.execPath, [npm, ...args]] : ["npm", args];
  const result = spawnSync(file, words, { cwd: root, encoding: "utf8", timeout: 900_000 });
  if (result.error !== undefined) throw new Error(`npm ci did not run: ${result.error.message}`);
  if (result.status !== 0) {
    const said = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-6);
    throw new Error(`npm ci failed: ${said.map((line) => line.trim()).join(" | ")}`);
  }
}
