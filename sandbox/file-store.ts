import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join, resolve } from "node:path";

/** Where file contents live: in memory, or in a folder when the sandbox keeps its state. */
export interface FileStore {
  put(key: string, content: Uint8Array): Promise<void>;
  /** Undefined when there is no such file. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Where a file lies on this machine; undefined when it is only in memory. */
  pathOf(key: string): string | undefined;
}

export function memoryFiles(): FileStore {
  const files = new Map<string, Uint8Array>();
  return {
    async put(key, content) {
      files.set(key, content);
    },
    async get(key) {
      return files.get(key);
    },
    pathOf: () => undefined,
  };
}

/** One file a key; a key is a number, never a name that somebody sent. */
export function folderFiles(folder: string): FileStore {
  return {
    pathOf: (key) => resolve(folder, key),
    async put(key, content) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const path = join(folder, key);
      const handle = await open(`${path}.part`, "w", 0o600);
      try {
        await handle.writeFile(content);
      } finally {
        await handle.close();
      }
      await rename(`${path}.part`, path);
    },
    async get(key) {
      try {
        return await readFile(join(folder, key));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
  };
}
