import { createHash, randomBytes, randomUUID } from "node:crypto";
import { access, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { fc, runs } from "../../test/support/property.ts";
import { openPartFile, type PartFile, PartInUse } from "./part-file.ts";
import { openFile } from "./sealed-file.ts";
import { type FileSeal, PIECE_BYTES, pieceBegins, sealedSizeBytes } from "./sealed-piece.ts";

const seal: FileSeal = { dataKey: randomBytes(32), place: "workspace/file" };
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heliograph-parts-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function all(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const sha256 = (content: Buffer) => createHash("sha256").update(content).digest();

/** What stays on disk when the process dies: the part as it was left, with nothing flushed. */
async function leftBehind(part: PartFile, name: string): Promise<string> {
  const sealed = await readFile(part.file);
  await part.discard();
  const again = await openPartFile({ folder, name, seal });
  await writeFile(again.file, sealed);
  await again.close();
  return again.file;
}

async function finished(part: PartFile, content: Buffer): Promise<void> {
  const { sizeBytes, sha256: hash } = await part.finish();
  expect({ sizeBytes, hash }).toEqual({ sizeBytes: content.length, hash: sha256(content) });
  expect((await all(part.read())).equals(content)).toBe(true);
  const sealed = await readFile(part.file);
  expect(sealed).toHaveLength(sealedSizeBytes(sizeBytes));
  const read = async (from: number, to: number) =>
    (async function* () {
      yield sealed.subarray(from, to);
    })();
  expect((await all(openFile(read, seal, { sizeBytes }))).equals(content)).toBe(true);
}

test("goes on after any number of crashes, wherever they come, and is right", async () => {
  const size = fc.integer({ min: 0, max: 20 * PIECE_BYTES });
  const lengths = fc.array(fc.integer({ min: 1, max: 6 * PIECE_BYTES }), { maxLength: 12 });
  // After so many appends a crash, which takes so many bytes off what is on disk.
  const crashes = fc.array(fc.tuple(fc.nat(4), fc.nat(2 * PIECE_BYTES)), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(size, lengths, crashes, async (sizeBytes, cuts, kills) => {
      const content = randomBytes(sizeBytes);
      const name = randomUUID();
      let part = await openPartFile({ folder, name, seal });
      const append = async (most: number) => {
        for (let n = 0; n < most && part.sizeBytes < sizeBytes; n++) {
          const length = cuts[n] ?? PIECE_BYTES;
          await part.append(content.subarray(part.sizeBytes, part.sizeBytes + length));
        }
      };
      for (const [appends, lost] of kills) {
        await append(appends);
        const had = part.sizeBytes;
        const file = await leftBehind(part, name);
        await truncate(file, Math.max(0, (await readFile(file)).length - lost));
        part = await openPartFile({ folder, name, seal });
        expect(part.sizeBytes).toBeLessThanOrEqual(had);
        expect((await all(part.read())).equals(content.subarray(0, part.sizeBytes))).toBe(true);
      }
      await append(Number.POSITIVE_INFINITY);
      await finished(part, content);
      await part.discard();
      await expect(access(path.join(folder, name))).rejects.toThrow("ENOENT");
    }),
    { numRuns: runs(12) },
  );
});

test("what was finished is found finished, and may turn out longer", async () => {
  const content = randomBytes(2 * PIECE_BYTES);
  const name = randomUUID();
  const part = await openPartFile({ folder, name, seal });
  await part.append(content);
  await finished(part, content);
  await expect(part.append(content)).rejects.toThrow("finished");
  await part.close();
  const again = await openPartFile({ folder, name, seal });
  expect(again.sizeBytes).toBe(content.length);
  await again.append(Buffer.from("more"));
  await finished(again, Buffer.concat([content, Buffer.from("more")]));
  await again.discard();
});

test.each([
  ["altered in its second piece", 1, async (file: string) => flip(file, pieceBegins(1) + 50)],
  ["altered in its header", 0, async (file: string) => flip(file, 10)],
  ["of something else", 0, async (file: string) => writeFile(file, "PK\u0003\u0004 and so on")],
  ["empty", 0, async (file: string) => truncate(file, 0)],
])("what is left %s is not believed", async (_what, pieces, spoil) => {
  const content = randomBytes(10 * PIECE_BYTES);
  const name = randomUUID();
  const part = await openPartFile({ folder, name, seal });
  await part.append(content);
  await part.close();
  await spoil(part.file);
  const again = await openPartFile({ folder, name, seal });
  expect(again.sizeBytes).toBe(pieces * PIECE_BYTES);
  // This time it is shorter.
  const shorter = content.subarray(0, 5 * PIECE_BYTES);
  await again.append(shorter.subarray(again.sizeBytes));
  await finished(again, shorter);
  await again.discard();
});

async function flip(file: string, at: number): Promise<void> {
  const content = await readFile(file);
  content.writeUInt8(content.readUInt8(at) ^ 1, at);
  await writeFile(file, content);
}

test("one of another key is begun anew; one that somebody writes is not to be had", async () => {
  const name = randomUUID();
  const part = await openPartFile({ folder, name, seal });
  await part.append(randomBytes(3 * PIECE_BYTES));
  await expect(openPartFile({ folder, name, seal })).rejects.toThrow(PartInUse);
  await part.close();
  const foreign = { ...seal, dataKey: randomBytes(32) };
  const anew = await openPartFile({ folder, name, seal: foreign });
  expect(anew.sizeBytes).toBe(0);
  await anew.discard();
});
