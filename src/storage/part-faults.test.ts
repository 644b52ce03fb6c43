import { createHash, randomBytes, randomUUID } from "node:crypto";
import { access, type FileHandle, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { openFiles } from "../../test/support/open-files.ts";
import { openPartFile, type PartFile } from "./part-file.ts";
import { type FileSeal, PIECE_BYTES, SEALED_PIECE_BYTES } from "./sealed-piece.ts";

/** A disk that fails, where the file's handle meets it. */
const seal: FileSeal = { dataKey: randomBytes(32), place: "workspace/file" };
const content = randomBytes(40 * PIECE_BYTES);
let folder: string;
let handles: FileHandle;
let unhandled: unknown[];
const note = (reason: unknown) => void unhandled.push(reason);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heliograph-faults-"));
  const handle = await open(path.join(folder, "any"), "w");
  handles = Object.getPrototypeOf(handle);
  await handle.close();
  unhandled = [];
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  jest.restoreAllMocks();
  // Rejections are told at the end of a turn.
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).toEqual([]);
  expect(await openFiles(folder)).toEqual([]);
});
afterAll(async () => {
  process.off("unhandledRejection", note);
  await rm(folder, { recursive: true, force: true });
});

const failing = (code: string) => Object.assign(new Error(code), { code });
const begin = (name: string) => openPartFile({ folder, name, seal });
const isLeft = (name: string) =>
  access(path.join(folder, name)).then(
    () => true,
    () => false,
  );

async function all(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** Goes on with what is there, and is right. */
async function goesOn(name: string, atLeast: number): Promise<void> {
  const part = await begin(name);
  expect(part.sizeBytes).toBeGreaterThanOrEqual(atLeast);
  await part.append(content.subarray(part.sizeBytes));
  const { sha256 } = await part.finish();
  expect(sha256.equals(createHash("sha256").update(content).digest())).toBe(true);
  expect((await all(part.read())).equals(content)).toBe(true);
  await part.discard();
}

/** Appends in pieces until it fails. */
async function fill(part: PartFile, bytes = content): Promise<void> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    await part.append(bytes.subarray(at, at + PIECE_BYTES));
  }
  await part.finish();
}

test("a disk that takes less than it is given is given the rest", async () => {
  const name = randomUUID();
  const part = await begin(name);
  const { writev, write } = handles;
  jest.spyOn(handles, "writev").mockImplementation(function (this: FileHandle, buffers, at) {
    const [first] = buffers as Buffer[];
    return writev.call(this, [first?.subarray(0, 1_000) ?? Buffer.alloc(0)], at) as never;
  });
  jest.spyOn(handles, "write").mockImplementation(function (this: FileHandle, ...args: unknown[]) {
    const [buffer, from, length, at] = args as [Buffer, number, number, number];
    const some = [buffer, from, Math.min(length, 99_999), at];
    return (write as (...all: unknown[]) => never).apply(this, some);
  } as never);
  await part.append(content);
  await part.finish();
  expect((await all(part.read())).equals(content)).toBe(true);
  await part.close();
  jest.restoreAllMocks();
  await goesOn(name, content.length);
});

test("a disk that takes nothing, and says nothing, is not asked for ever", async () => {
  const part = await begin(randomUUID());
  const nothing = async () => ({ bytesWritten: 0, buffers: [], buffer: Buffer.alloc(0) });
  jest.spyOn(handles, "writev").mockImplementation(nothing as never);
  jest.spyOn(handles, "write").mockImplementation(nothing as never);
  await expect(fill(part)).rejects.toThrow("takes no more");
  await part.discard();
});

test("a disk that is full says so to whoever writes next; what it took is gone on with", async () => {
  const name = randomUUID();
  const part = await begin(name);
  const { writev } = handles;
  let room = 20.5 * SEALED_PIECE_BYTES;
  jest.spyOn(handles, "writev").mockImplementation(async function (this: FileHandle, buffers, at) {
    const sealed = Buffer.concat(buffers as Buffer[]);
    const taken = Math.min(sealed.length, Math.floor(room));
    if (taken === 0) throw failing("ENOSPC");
    room -= taken;
    return writev.call(this, [sealed.subarray(0, taken)], at) as never;
  });
  jest.spyOn(handles, "write").mockRejectedValue(failing("ENOSPC"));
  await expect(fill(part)).rejects.toMatchObject({ code: "ENOSPC" });
  await expect(part.append(content)).rejects.toMatchObject({ code: "ENOSPC" });
  await expect(part.finish()).rejects.toMatchObject({ code: "ENOSPC" });
  await part.close();
  expect((await readFile(part.file)).length).toBeLessThan(content.length);
  jest.restoreAllMocks();
  await goesOn(name, 20 * PIECE_BYTES);
});

describe("a sync that fails, after which nobody knows what the disk has", () => {
  const large = Buffer.alloc(200 * 2 ** 20);

  test("in the background fails what comes next, and nothing of it stays to be believed", async () => {
    const name = randomUUID();
    const part = await begin(name);
    const synced = jest.spyOn(handles, "datasync").mockRejectedValue(failing("EIO"));
    await expect(fill(part, large)).rejects.toMatchObject({ code: "EIO" });
    expect(synced).toHaveBeenCalledTimes(1);
    await expect(part.append(content)).rejects.toMatchObject({ code: "EIO" });
    await part.close();
    expect(await isLeft(name)).toBe(false);
  });

  test("is waited for by whoever leaves the part", async () => {
    const name = randomUUID();
    const part = await begin(name);
    let fail: (error: unknown) => void = () => {};
    jest.spyOn(handles, "datasync").mockReturnValue(
      new Promise((_, reject) => {
        fail = reject;
      }),
    );
    await part.append(large.subarray(0, 80 * 2 ** 20));
    const closing = part.close();
    fail(failing("EIO"));
    await closing;
    expect(await isLeft(name)).toBe(false);
  });

  test("at the end is no end", async () => {
    const name = randomUUID();
    const part = await begin(name);
    jest.spyOn(handles, "sync").mockRejectedValueOnce(failing("EIO"));
    await expect(fill(part)).rejects.toMatchObject({ code: "EIO" });
    // Asked again it says the same, though the kernel would not.
    await expect(part.finish()).rejects.toMatchObject({ code: "EIO" });
    await part.close();
    expect(await isLeft(name)).toBe(false);
  });
});

test("a part that the disk cannot read any more is gone on with where it can", async () => {
  const name = randomUUID();
  const part = await begin(name);
  await part.append(content);
  await part.close();
  const { read } = handles;
  jest.spyOn(handles, "read").mockImplementation(function (this: FileHandle, ...args: unknown[]) {
    const at = Number(args[3]);
    if (at > 10 * SEALED_PIECE_BYTES) return Promise.reject(failing("EIO"));
    return (read as (...all: unknown[]) => Promise<never>).apply(this, args);
  } as never);
  const again = await begin(name);
  expect(again.sizeBytes).toBe(10 * PIECE_BYTES);
  await again.close();
  jest.restoreAllMocks();
  // The last piece found is taken back, and was not sealed again.
  await goesOn(name, 9 * PIECE_BYTES);
});

test("a handle that does not close in order leaves the part to the next one all the same", async () => {
  const name = randomUUID();
  const { writev } = handles;
  for (const leave of ["close", "discard"] as const) {
    // What it writes its header with is its handle.
    jest.spyOn(handles, "writev").mockImplementationOnce(function (this: FileHandle, ...args) {
      const close = this.close.bind(this);
      this.close = async () => {
        await close();
        throw failing("EIO");
      };
      return writev.apply(this, args) as never;
    });
    const part = await begin(name);
    await expect(part[leave]()).rejects.toMatchObject({ code: "EIO" });
    await rm(part.file, { force: true });
  }
  await (await begin(name)).discard();
});
