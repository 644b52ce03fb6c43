import { randomUUID } from "node:crypto";
import { lstat, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { syncFolder } from "../platform/index.ts";
import { contentOfFile } from "./file-content.ts";
import {
  isSegment,
  partsOfKey,
  type Storage,
  StoredFileMissing,
  StoredFileRefused,
  type StoredObject,
} from "./storage.ts";

/** Where what is being written lies. No group begins so. */
const INCOMING = ".incoming";
const READ_BYTES = 256 * 1024;
/** Of a name: files of a group lie in folders by how their names begin, so that none has a million. */
const SHELF_CHARS = 2;

/**
 * Files in a folder of this machine, or one that all processes see: `<group>/<shelf>/<name>`. What is
 * written lies apart until all of it is on disk; its name is then put in place at once.
 */
export async function openLocalStorage(folder: string): Promise<Storage> {
  const incoming = path.join(folder, INCOMING);
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  const fileOf = (key: string) => {
    const { group, name } = partsOfKey(key);
    return path.join(folder, group, shelfOf(name), name);
  };

  /** `half` is on disk; from here on it is the object. */
  async function place(half: string, file: string): Promise<void> {
    await makeFolder(folder, path.dirname(file));
    await rename(half, file);
    await syncFolder(path.dirname(file));
  }

  async function put(
    key: string,
    content: AsyncIterable<Uint8Array>,
    { signal }: { signal?: AbortSignal } = {},
  ) {
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
      await place(half, file);
    } catch (error) {
      // What stays of it goes by `tidy`.
      await rm(half, { force: true }).catch(() => {});
      throw error;
    }
    return { sizeBytes };
  }

  return {
    put,
    putPart: async (key, part, options) => {
      const file = fileOf(key);
      options?.signal?.throwIfAborted();
      const sizeBytes = await syncFile(part);
      try {
        await place(part, file);
        return { sizeBytes };
      } catch (error) {
        if (codeOf(error) !== "EXDEV") throw error;
      }
      // On another disk.
      return put(key, contentOfFile(part), options);
    },
    read: async (key, from, to) => {
      if (to <= from) return empty();
      const handle = await open(fileOf(key), "r").catch((error) => {
        throw isNotThere(error) ? new StoredFileMissing(key) : orRefused(key, error);
      });
      // The stream closes the file when it ends or is given up.
      return handle.createReadStream({ start: from, end: to - 1, highWaterMark: READ_BYTES });
    },
    sizeBytes: async (key) => {
      const file = await found(fileOf(key)).catch((error) => {
        throw orRefused(key, error);
      });
      return file?.size ?? null;
    },
    remove: (key) => rm(fileOf(key), { force: true }),
    list: (prefix) => walk(folder, prefix),
    tidy: (olderThanMs) => dropOld(incoming, Date.now() - olderThanMs),
    close: () => {},
  };
}

const shelfOf = (name: string) => name.slice(0, SHELF_CHARS);

/** A file's size once all of it is on disk. */
async function syncFile(file: string): Promise<number> {
  const handle = await open(file, "r+");
  try {
    await handle.sync();
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

/** Makes a folder whose name, and those above it, survive a power cut. */
async function makeFolder(root: string, folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length > root.length; made = path.dirname(made)) {
    await syncFolder(path.dirname(made));
  }
}

async function dropOld(folder: string, beforeMs: number): Promise<number> {
  let gone = 0;
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    if (((await found(file))?.mtimeMs ?? beforeMs) >= beforeMs) continue;
    await rm(file, { force: true });
    gone++;
  }
  return gone;
}

async function* empty(): AsyncGenerator<Uint8Array> {}

async function* walk(folder: string, prefix: string): AsyncGenerator<StoredObject> {
  for (const group of await namesIn(folder, "/")) {
    const begins = `${group}/`;
    if (!begins.startsWith(prefix) && !prefix.startsWith(begins)) continue;
    for (const shelf of await namesIn(path.join(folder, group))) {
      for (const name of await namesIn(path.join(folder, group, shelf))) {
        const key = `${begins}${name}`;
        if (!key.startsWith(prefix)) continue;
        // One that cannot be read is there all the same.
        const file = await found(path.join(folder, group, shelf, name), lstat);
        if (file !== null) yield { key, sizeBytes: file.size, changedAt: file.mtime };
      }
    }
  }
}

/** Names of ours in a folder, in the order of keys in which `behind` comes behind them. */
async function namesIn(folder: string, behind = ""): Promise<string[]> {
  try {
    const names = (await readdir(folder)).filter(isSegment);
    return names.sort((a, b) => (a + behind < b + behind ? -1 : 1));
  } catch (error) {
    if (isNotThere(error)) return [];
    throw error;
  }
}

async function found(file: string, look = stat) {
  try {
    return await look(file);
  } catch (error) {
    if (isNotThere(error)) return null;
    throw error;
  }
}

/** ENOTDIR: there is something else where its folder was. */
const isNotThere = (error: unknown) => ["ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "");

/** What is about this file alone, and says nothing of the others. */
const REFUSALS = ["EACCES", "EPERM", "ELOOP"];

function orRefused(key: string, error: unknown): unknown {
  const code = codeOf(error) ?? "";
  return REFUSALS.includes(code) ? new StoredFileRefused(key, code, { cause: error }) : error;
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;
