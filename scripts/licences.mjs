/**
 * Refuses copyleft and unknown licences among what production installs: Heliograph is MIT, and
 * whoever takes it in must be able to. Goes by package-lock.json and by what the installed packages
 * say of themselves; where the two differ, both must be fine.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ALLOWED = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MIT-0",
  "PostgreSQL",
  "Unlicense",
  "Zlib",
]);

/** True when an SPDX expression lets us choose allowed licences only. */
export function isAllowed(expression) {
  if (typeof expression !== "string") return false;
  const text = expression.trim();
  const bare =
    text.startsWith("(") && matching(text) === text.length - 1 ? text.slice(1, -1) : text;
  const either = split(bare, " OR ");
  if (either.length > 1) return either.some(isAllowed);
  const all = split(bare, " AND ");
  if (all.length > 1) return all.every(isAllowed);
  return ALLOWED.has(bare.trim());
}

/** Index of the parenthesis that closes the first one. */
function matching(text) {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "(") depth++;
    if (text[index] === ")" && --depth === 0) return index;
  }
  return -1;
}

/** Splits at `word` outside parentheses. */
function split(text, word) {
  const parts = [];
  let depth = 0;
  let from = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "(") depth++;
    if (text[index] === ")") depth--;
    if (depth === 0 && text.startsWith(word, index)) {
      parts.push(text.slice(from, index));
      from = index + word.length;
    }
  }
  return [...parts, text.slice(from)];
}

/** What production installs, and what each package says its licence is. */
export function productionLicences(root) {
  const { packages } = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8"));
  const found = [];
  for (const [place, entry] of Object.entries(packages)) {
    if (place === "" || entry.dev || entry.devOptional) continue;
    const said = new Set([entry.license, installedLicence(path.join(root, place))]);
    said.delete(undefined);
    const name =
      entry.name ?? place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);
    found.push({ name, version: entry.version, licences: [...said] });
  }
  return found;
}

/** Undefined when it is not installed here (packages of other systems). */
function installedLicence(folder) {
  let manifest;
  try {
    manifest = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  } catch {
    return undefined;
  }
  const { license, licenses } = manifest;
  if (typeof license === "string") return license;
  if (typeof license?.type === "string") return license.type;
  const old = (Array.isArray(licenses) ? licenses : []).map((each) => each.type ?? each);
  return old.length > 0 ? old.join(" OR ") : "none stated";
}

function main() {
  const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
  const all = productionLicences(root);
  const refused = all.filter(({ licences }) => licences.length === 0 || !licences.every(isAllowed));
  for (const { name, version, licences } of refused) {
    process.stderr.write(
      `licence not allowed: ${name} ${version}: ${licences.join(", ") || "unknown"}\n`,
    );
  }
  process.stdout.write(
    `${all.length} packages in production, ${refused.length} with a licence not allowed\n`,
  );
  process.exitCode = refused.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main();
