import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  FILE_HEADER_BYTES,
  type FileSeal,
  openFile,
  PIECE_BYTES,
  SealedFileError,
  sealedSizeBytes,
  sealFile,
} from "./sealed-file.ts";

const SEALED_PIECE = PIECE_BYTES + 16;
const seal: FileSeal = { dataKey: randomBytes(32), place: "workspace/file" };

/** The content in parts of these lengths, over and over. */
async function* inParts(content: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  for (let from = 0, n = 0; from < content.length; n++) {
    const length = lengths[n % lengths.length] ?? content.length;
    yield content.subarray(from, from + length);
    from += length;
  }
}

async function all(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const reader =
  (sealed: Buffer, lengths: readonly number[] = [10_000]) =>
  async (from: number, to: number) =>
    inParts(sealed.subarray(from, to), lengths);

const sealOf = (content: Buffer, by = seal) => all(sealFile(inParts(content, [99_999]), by));

/** Sizes around the ends of pieces. */
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: -2, max: 2 }))
    .map(([pieces, more]) => pieces * PIECE_BYTES + more),
);
const lengths = fc.array(fc.integer({ min: 1, max: 150_000 }), { minLength: 1, maxLength: 4 });

test("what is sealed opens again, whole or in part, however its streams are cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      sizes,
      lengths,
      lengths,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (sizeBytes, inLengths, outLengths, a, b) => {
        const content = randomBytes(sizeBytes);
        const sealed = await all(sealFile(inParts(content, inLengths), seal));
        expect(sealed).toHaveLength(sealedSizeBytes(sizeBytes));
        const read = reader(sealed, outLengths);
        expect((await all(openFile(read, seal, { sizeBytes }))).equals(content)).toBe(true);
        const [from, to] = [a, b]
          .map((share) => Math.round(share * sizeBytes))
          .sort((x, y) => x - y);
        const part = await all(openFile(read, seal, { sizeBytes, from, to }));
        expect(part.equals(content.subarray(from, to))).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

const piece = (sealed: Buffer, n: number) =>
  sealed.subarray(FILE_HEADER_BYTES + n * SEALED_PIECE, FILE_HEADER_BYTES + (n + 1) * SEALED_PIECE);
const header = (sealed: Buffer) => sealed.subarray(0, FILE_HEADER_BYTES);

const content = randomBytes(3 * PIECE_BYTES + 100);
const other = randomBytes(content.length);
const wrongs: [string, (sealed: Buffer, others: Buffer) => Buffer][] = [
  ["cut off behind a piece", (s) => Buffer.concat([header(s), piece(s, 0), piece(s, 1)])],
  ["cut off in a piece", (s) => s.subarray(0, s.length - 50)],
  ["cut off in its header", (s) => s.subarray(0, 7)],
  ["without anything", () => Buffer.alloc(0)],
  ["of another format", (s) => Buffer.concat([Buffer.from("PK01"), s.subarray(4)])],
  [
    "with two pieces in each other's place",
    (s) => Buffer.concat([header(s), piece(s, 1), piece(s, 0), piece(s, 2), piece(s, 3)]),
  ],
  [
    "with a piece left out",
    (s) => Buffer.concat([header(s), piece(s, 0), piece(s, 2), piece(s, 3)]),
  ],
  [
    "with a piece of another file of the same key",
    (s, o) => Buffer.concat([header(s), piece(o, 0), piece(s, 1), piece(s, 2), piece(s, 3)]),
  ],
  [
    "with another file's header",
    (s, o) => Buffer.concat([header(o), s.subarray(header(s).length)]),
  ],
];

test.each(wrongs)("a file %s does not open", async (_what, spoil) => {
  const spoiled = spoil(await sealOf(content), await sealOf(other));
  const opened = all(openFile(reader(spoiled), seal, { sizeBytes: content.length }));
  await expect(opened).rejects.toThrow(SealedFileError);
});

test("no byte of a file can be altered", async () => {
  const sealed = await sealOf(content);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: sealed.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      async (at, change) => {
        const altered = Buffer.from(sealed);
        altered.writeUInt8(altered.readUInt8(at) ^ change, at);
        const opened = all(openFile(reader(altered), seal, { sizeBytes: content.length }));
        await expect(opened).rejects.toThrow(SealedFileError);
      },
    ),
    { numRuns: 60 },
  );
});

test("a file opens in its own place only, with its own key, and as long as it was", async () => {
  const sealed = await sealOf(content);
  const sizeBytes = content.length;
  for (const wrong of [
    { seal: { ...seal, place: "workspace/other" }, sizeBytes },
    { seal: { ...seal, dataKey: randomBytes(32) }, sizeBytes },
    { seal, sizeBytes: 2 * PIECE_BYTES },
    { seal, sizeBytes: sizeBytes + PIECE_BYTES },
  ]) {
    const opened = all(openFile(reader(sealed), wrong.seal, { sizeBytes: wrong.sizeBytes }));
    await expect(opened).rejects.toThrow(SealedFileError);
  }
});

test("sealed twice, nothing of it is the same", async () => {
  const [one, two] = [await sealOf(content), await sealOf(content)];
  for (let n = 0; n < 4; n++) expect(piece(one, n).equals(piece(two, n))).toBe(false);
});
