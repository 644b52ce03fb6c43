import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The folder of this project: compiled code runs from `dist/`, but pages and other files that are
 * served or read as they are stay where their source is.
 */
export const projectRoot = findRoot(path.dirname(fileURLToPath(import.meta.url)));

function findRoot(from: string): string {
  for (let folder = from; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, "package.json"))) return folder;
    if (path.dirname(folder) === folder) throw new Error(`No package.json above ${from}`);
  }
}

/** A file of the project, by its path from the root: `projectFile("sandbox", "public")`. */
export function projectFile(...segments: string[]): string {
  return path.join(projectRoot, ...segments);
}
