import { randomUUID } from "node:crypto";
import { createReadStream, type Dirent } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { syncFolder } from "../platform/index.ts";
import { assertKey, type Storage, StoredFileMissing, type StoredObject } from "./storage.ts";

/** Where what is being written lies. No key begins so. */
const INCOMING = ".incoming";
const READ_BYTES = 256 * 1024;

/**
 * Files in a folder of this machine, or one that all processes see. What is written lies apart until all
 * of it is on disk; its name is then put in place at once.
 */
export async function openLocalStorage(folder: string): Promise<Storage> {
  const incoming = path.join(folder, INCOMING);
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  const fileOf = (key: string) => {
    assertKey(key);
    return path.join(folder, ...key.split("/"));
  };
  return {
    put: async (key, content, { signal } = {}) => {
      const file = fileOf(key);
      const half = path.join(incoming, randomUUID());
      let sizeBytes = 0;
      try {
        const handle = await open(half, "wx", 0o600);
        try {
          for await (const part of content) {
            signal?.throwIfAborted();
            await handle.writeFile(part);
            sizeBytes += part.length;
          }
          await handle.sync();
        } finally {
          await handle.close();
        }
        await makeFolder(folder, path.dirname(file));
        await rename(half, file);
      } catch (error) {
        await rm(half, { force: true });
        throw error;
      }
      await syncFolder(path.dirname(file));
      return { sizeBytes };
    },
    read: async (key, from, to) => {
      if (to <= from) return empty();
      const handle = await open(fileOf(key), "r").catch((error) => {
        throw isMissing(error) ? new StoredFileMissing(key) : error;
      });
      const range = { start: from, end: to - 1, highWaterMark: READ_BYTES };
      // The stream closes it.
      return createReadStream("", { fd: handle, ...range });
    },
    sizeBytes: async (key) => {
      try {
        return (await stat(fileOf(key))).size;
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    remove: (key) => rm(fileOf(key), { force: true }),
    list: (prefix) => walk(folder, "", prefix),
    tidy: async (olderThanMs) => {
      const before = Date.now() - olderThanMs;
      let gone = 0;
      for (const name of await readdir(incoming)) {
        const file = path.join(incoming, name);
        const found = await stat(file).catch(() => null);
        if (found === null || found.mtimeMs >= before) continue;
        await rm(file, { force: true });
        gone++;
      }
      return gone;
    },
  };
}

/** Makes a folder whose name, and those above it, survive a power cut. */
async function makeFolder(root: string, folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length > root.length; made = path.dirname(made)) {
    await syncFolder(path.dirname(made));
  }
}

async function* empty(): AsyncGenerator<Uint8Array> {}

async function* walk(root: string, folder: string, prefix: string): AsyncGenerator<StoredObject> {
  const entries = await readdir(path.join(root, folder), { withFileTypes: true });
  // As the whole keys stand: a folder's name is followed by what divides the parts of a key.
  const nameOf = (entry: Dirent) => `${entry.name}${entry.isDirectory() ? "/" : ""}`;
  entries.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  for (const entry of entries) {
    const key = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (key === INCOMING) continue;
    if (entry.isDirectory()) {
      const below = `${key}/`;
      if (below.startsWith(prefix) || prefix.startsWith(below)) yield* walk(root, key, prefix);
      continue;
    }
    if (!key.startsWith(prefix)) continue;
    const found = await stat(path.join(root, key)).catch(() => null);
    if (found !== null) yield { key, sizeBytes: found.size, changedAt: found.mtime };
  }
}

const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === "ENOENT";
