import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openLocalStorage } from "./local-storage.ts";
import { type Storage, StoredFileMissing } from "./storage.ts";

async function* parts(...contents: (Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const content of contents) {
    if (content instanceof Error) throw content;
    yield content;
  }
}

async function all(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const found: Uint8Array[] = [];
  for await (const part of stream) found.push(part);
  return Buffer.concat(found);
}

async function keysOf(storage: Storage, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list(prefix)) keys.push(key);
  return keys;
}

let folder: string;
let storage: Storage;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heliograph-storage-"));
  storage = await openLocalStorage(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a folder", () => {
  test("gives back what was put, whole and in part", async () => {
    const content = randomBytes(700_000);
    const key = `w1/${randomUUID()}`;
    const put = await storage.put(key, parts(content.subarray(0, 10), content.subarray(10)));
    expect(put).toEqual({ sizeBytes: content.length });
    expect(await storage.sizeBytes(key)).toBe(content.length);
    expect((await all(await storage.read(key, 0, content.length))).equals(content)).toBe(true);
    const part = await all(await storage.read(key, 300_000, 300_007));
    expect(part.equals(content.subarray(300_000, 300_007))).toBe(true);
    expect(await all(await storage.read(key, 5, 5))).toHaveLength(0);
    await storage.remove(key);
    await storage.remove(key);
    expect(await storage.sizeBytes(key)).toBeNull();
    await expect(storage.read(key, 0, 1)).rejects.toThrow(StoredFileMissing);
  });

  test("an object replaces the one before it as a whole", async () => {
    const key = "w1/replaced";
    await storage.put(key, parts(Buffer.from("the first, longer")));
    const half = storage.put(key, parts(Buffer.from("th"), new Error("the sender is gone")));
    await expect(half).rejects.toThrow("the sender is gone");
    expect(String(await all(await storage.read(key, 0, 17)))).toBe("the first, longer");
    await storage.put(key, parts(Buffer.from("2")));
    expect(await storage.sizeBytes(key)).toBe(1);
  });

  test("lists by prefix, in order, and nothing that is on its way", async () => {
    for (const key of ["list/b/1", "list/a", "list/b-1", "list/b/2", "listed"]) {
      await storage.put(key, parts(Buffer.from("x")));
    }
    expect(await keysOf(storage, "list/")).toEqual(["list/a", "list/b-1", "list/b/1", "list/b/2"]);
    expect(await keysOf(storage, "list/b/")).toEqual(["list/b/1", "list/b/2"]);
    expect(await keysOf(storage, "elsewhere/")).toEqual([]);
  });

  test("what an interrupted put left is let go of, once it is old", async () => {
    const incoming = path.join(folder, ".incoming");
    const stuck = new AbortController();
    const endless = async function* () {
      yield Buffer.from("begun");
      await new Promise((_, reject) => {
        stuck.signal.addEventListener("abort", () => reject(stuck.signal.reason));
      });
    };
    const put = storage.put("w1/stuck", endless(), { signal: stuck.signal });
    let left: string[] = [];
    while (left.length === 0) left = await readdir(incoming);
    expect(await storage.tidy(60_000)).toBe(0);
    const anHourAgo = new Date(Date.now() - 3_600_000);
    await utimes(path.join(incoming, left[0] ?? ""), anHourAgo, anHourAgo);
    expect(await storage.tidy(60_000)).toBe(1);
    stuck.abort(new Error("stopped"));
    await expect(put).rejects.toThrow("stopped");
    expect(await keysOf(storage, "w1/stuck")).toEqual([]);
  });

  test.each(["", "../x", "a/../b", "a//b", "/a", "a/", ".incoming/x", "a\0b", "ä", "a b", "a/."])(
    "%j is no key",
    async (key) => {
      await expect(storage.put(key, parts())).rejects.toThrow("not a key");
      await expect(storage.read(key, 0, 1)).rejects.toThrow("not a key");
    },
  );
});
