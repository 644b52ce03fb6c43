import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openFiles } from "../../test/support/open-files.ts";
import { type S3Server, startS3Server } from "../../test/support/s3-server.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { contentOfFile } from "./file-content.ts";
import { openStorage } from "./index.ts";
import { type Storage, StoredFileMissing, StoredFileRefused } from "./storage.ts";

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
let server: S3Server;
const opened: Record<string, Storage> = {};
const storageOf = (name: string): Storage => {
  const storage = opened[name];
  if (storage === undefined) throw new Error(`no storage ${name}`);
  return storage;
};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heliograph-storage-"));
  server = await startS3Server();
  opened.folder = await openStorage({ kind: "local", folder: path.join(folder, "files") });
  opened.S3 = await openStorage(server.config);
});
afterAll(async () => {
  for (const storage of Object.values(opened)) storage.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

describe.each(["folder", "S3"])("%s", (name) => {
  test("gives back what was put, whole and in part", async () => {
    const storage = storageOf(name);
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

  test("stores a file of several parts as it is", async () => {
    const storage = storageOf(name);
    const content = randomBytes(9 * 1024 * 1024);
    const file = path.join(folder, randomUUID());
    await writeFile(file, content);
    expect(await storage.putPart("w1/large", file)).toEqual({ sizeBytes: content.length });
    expect((await all(await storage.read("w1/large", 0, content.length))).equals(content)).toBe(
      true,
    );
    await rm(file, { force: true });
    await expect(storage.putPart("w1/large", file)).rejects.toThrow("ENOENT");
    expect(await storage.sizeBytes("w1/large")).toBe(content.length);
  });

  test("an object replaces the one before it as a whole", async () => {
    const storage = storageOf(name);
    const key = "w1/replaced";
    await storage.put(key, parts(Buffer.from("the first, longer")));
    const half = storage.put(key, parts(Buffer.from("th"), new Error("the sender is gone")));
    await expect(half).rejects.toThrow("the sender is gone");
    expect(String(await all(await storage.read(key, 0, 17)))).toBe("the first, longer");
    await storage.put(key, parts(Buffer.from("2")));
    expect(await storage.sizeBytes(key)).toBe(1);
  });

  test("lists by prefix and in order, what was stored and when", async () => {
    const storage = storageOf(name);
    for (const key of ["list/b2", "list/a", "list/b-1", "list/b1", "listed/x"]) {
      await storage.put(key, parts(Buffer.from("x")));
    }
    expect(await keysOf(storage, "list/")).toEqual(["list/a", "list/b-1", "list/b1", "list/b2"]);
    expect(await keysOf(storage, "list/b")).toEqual(["list/b-1", "list/b1", "list/b2"]);
    expect(await keysOf(storage, "elsewhere/")).toEqual([]);
    const ours = (await keysOf(storage, "")).filter((key) => key.startsWith("list"));
    expect(ours).toEqual(["list/a", "list/b-1", "list/b1", "list/b2", "listed/x"]);
    for await (const { sizeBytes, changedAt } of storage.list("list/a")) {
      expect(sizeBytes).toBe(1);
      expect(Math.abs(Date.now() - changedAt.getTime())).toBeLessThan(60_000);
    }
  });

  test.each(["", "x", "../x", "a/..", "a/b/c", "a//b", "/a", "a/", ".incoming/x", "a/b\0", "ä/x"])(
    "%j is no key",
    async (key) => {
      await expect(storageOf(name).put(key, parts())).rejects.toThrow("not a key");
      await expect(storageOf(name).read(key, 0, 1)).rejects.toThrow("not a key");
    },
  );
});

test("a file on another disk is copied into the folder", async () => {
  // Where there is one; elsewhere it is the same disk.
  const shared = await mkdtemp("/dev/shm/heliograph-").catch(() => mkdtemp(folder));
  const file = path.join(shared, "part");
  await writeFile(file, "from elsewhere");
  await storageOf("folder").putPart("w1/elsewhere", file);
  const read = await storageOf("folder").read("w1/elsewhere", 0, 14);
  expect(String(await all(read))).toBe("from elsewhere");
  await rm(shared, { recursive: true });
});

test("in a folder, what an interrupted put left is let go of once it is old", async () => {
  const storage = storageOf("folder");
  const incoming = path.join(folder, "files", ".incoming");
  const stuck = new AbortController();
  const endless = async function* () {
    yield Buffer.from("begun");
    await new Promise((_, reject) => {
      stuck.signal.addEventListener("abort", () => reject(stuck.signal.reason));
    });
  };
  const put = storage.put("w1/stuck", endless(), { signal: stuck.signal });
  const [left = ""] = await waitFor(async () => {
    const names = await readdir(incoming);
    return names.length > 0 && names;
  });
  expect(await storage.tidy(60_000)).toBe(0);
  const anHourAgo = new Date(Date.now() - 3_600_000);
  await utimes(path.join(incoming, left), anHourAgo, anHourAgo);
  expect(await storage.tidy(60_000)).toBe(1);
  stuck.abort(new Error("stopped"));
  await expect(put).rejects.toThrow("stopped");
  expect(await keysOf(storage, "w1/stuck")).toEqual([]);
});

test("in S3, an upload that fails is aborted, and one that nobody ended once it is old", async () => {
  const storage = storageOf("S3");
  const content = () => parts(randomBytes(9 * 1024 * 1024));
  server.refuseParts(true);
  await expect(storage.put("w1/refused", content())).rejects.toThrow("No");
  server.refuseParts(false);
  expect(await server.uploads()).toEqual([]);
  expect(await storage.sizeBytes("w1/refused")).toBeNull();

  const stuck = storage.put(
    "w1/stuck",
    (async function* () {
      yield* content();
      await new Promise(() => {});
    })(),
  );
  stuck.catch(() => {});
  await waitFor(async () => (await server.uploads()).length === 1);
  expect(await storage.tidy(3_600_000)).toBe(0);
  await server.ageUploads(2 * 3_600_000);
  expect(await storage.tidy(3_600_000)).toBe(1);
  expect(await server.uploads()).toEqual([]);
});

describe.each(["folder", "S3"])("a put into %s that ends early", (name) => {
  test("leaves no file open, whether it began or not", async () => {
    const storage = storageOf(name);
    const aside = await mkdtemp(path.join(folder, "aside-"));
    const file = path.join(aside, "part");
    const ended = AbortSignal.abort(new Error("stopped"));
    await writeFile(file, randomBytes(20 * 1024 * 1024));
    await expect(storage.putPart("w1/ended", file, { signal: ended })).rejects.toThrow("stopped");
    const stop = new AbortController();
    const put = storage.put("w1/ended", contentOfFile(file), { signal: stop.signal });
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error("stopped"));
    await expect(put).rejects.toThrow("stopped");
    await waitFor(async () => (await openFiles(aside)).length === 0, { what: "it to be closed" });
    expect(await storage.sizeBytes("w1/ended")).toBeNull();
  });
});

test("in a folder, a file that may not be read is another matter than one that is not there", async () => {
  const storage = storageOf("folder");
  await storage.put("w1/looped", parts(Buffer.from("x")));
  const file = path.join(folder, "files", "w1", "lo", "looped");
  await rm(file);
  await symlink("looped", file);
  await expect(storage.sizeBytes("w1/looped")).rejects.toThrow(StoredFileRefused);
  await expect(storage.read("w1/looped", 0, 1)).rejects.toMatchObject({ why: "ELOOP" });
  // Neither it nor what somebody has put beside our folders ends the listing.
  await writeFile(path.join(folder, "files", "notes"), "");
  expect(await keysOf(storage, "w1/loo")).toEqual(["w1/looped"]);
  await storage.remove("w1/looped");
  expect(await storage.sizeBytes("w1/looped")).toBeNull();
});
