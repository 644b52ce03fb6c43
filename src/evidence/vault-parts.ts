import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Queryable } from "../platform/index.ts";
import { lockPart, PartInUse, partFolder } from "../storage/index.ts";
import { WRITING_IS_ALIVE_MS } from "./vault-rows.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const BEING_WRITTEN = `/* vault.being_written */
SELECT n.id FROM unnest($1::uuid[]) AS n(id)
WHERE EXISTS (SELECT FROM stored_files s WHERE s.id = n.id AND s.state = 'writing')`;

/**
 * Removes parts that no row is being written for any more: left by processes that died, also by those
 * of machines that are gone. Young ones are left alone, and those that somebody has open. Answers how
 * many.
 */
export async function dropOldParts(
  on: Queryable,
  partsFolder: string,
  olderThanMs = WRITING_IS_ALIVE_MS,
): Promise<number> {
  let gone = 0;
  for (const machine of await namesIn(partsFolder)) {
    const folder = path.join(partsFolder, machine);
    const old: string[] = [];
    for (const name of await namesIn(folder)) {
      if (UUID.test(name) && (await isOlder(partFolder(folder, name), olderThanMs))) old.push(name);
    }
    if (old.length === 0) continue;
    const rows = await on.query<{ id: string }>(BEING_WRITTEN, [old]);
    const written = new Set(rows.map(({ id }) => id));
    for (const name of old) if (!written.has(name) && (await drop(folder, name))) gone++;
  }
  return gone;
}

async function drop(folder: string, name: string): Promise<boolean> {
  try {
    const lock = await lockPart(folder, name);
    await rm(partFolder(folder, name), { recursive: true, force: true });
    await lock.release();
    return true;
  } catch (error) {
    if (error instanceof PartInUse) return false;
    throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
}

async function isOlder(folder: string, olderThanMs: number): Promise<boolean> {
  const found = await stat(folder).catch(() => null);
  return found !== null && found.mtimeMs < Date.now() - olderThanMs;
}
