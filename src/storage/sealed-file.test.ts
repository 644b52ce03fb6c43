import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { fc, runs } from "../../test/support/property.ts";
import { PieceSealer } from "./piece-sealer.ts";
import { openFile } from "./sealed-file.ts";
import {
  FILE_HEADER_BYTES,
  type FileSeal,
  newPieceKey,
  PIECE_BYTES,
  SEALED_PIECE_BYTES,
  SealedFileError,
  sealedSizeBytes,
} from "./sealed-piece.ts";

const seal: FileSeal = { dataKey: randomBytes(32), place: "workspace/file" };

/** The content in parts of these lengths, over and over. */
function* inParts(content: Buffer, lengths: readonly number[]): Generator<Buffer> {
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

async function* slowly(parts: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* parts;
}

const reader =
  (sealed: Buffer, lengths: readonly number[] = [10_000]) =>
  async (from: number, to: number) =>
    slowly(inParts(sealed.subarray(from, to), lengths));

function sealed(content: Buffer, lengths: readonly number[] = [99_999], by = seal): Buffer {
  const key = newPieceKey(by);
  const sealer = new PieceSealer(key);
  const pieces = [key.header];
  for (const part of inParts(content, lengths)) pieces.push(...[...sealer.push(part)].flat());
  return Buffer.concat([...pieces, ...sealer.end()]);
}

/** Sizes around the ends of pieces. */
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: -2, max: 2 }))
    .map(([pieces, more]) => pieces * PIECE_BYTES + more),
);
/** Also whole pieces, which are sealed where they lie. */
const length = fc.oneof(
  fc.integer({ min: 1_000, max: 150_000 }),
  fc.constantFrom(PIECE_BYTES, 2 * PIECE_BYTES, 2 * PIECE_BYTES + 1),
);
const lengths = fc.array(length, { minLength: 1, maxLength: 4 });
const share = fc.double({ min: 0, max: 1, noNaN: true });

test("what is sealed opens again, whole or in part, however its streams are cut", async () => {
  await fc.assert(
    fc.asyncProperty(sizes, lengths, lengths, share, share, async (size, ins, outs, a, b) => {
      const content = randomBytes(size);
      const file = sealed(content, ins);
      expect(file).toHaveLength(sealedSizeBytes(size));
      const read = reader(file, outs);
      const [from = 0, to = 0] = [a, b].map((x) => Math.round(x * size)).sort((x, y) => x - y);
      const whole = await all(openFile(read, seal, { sizeBytes: size }));
      const part = await all(openFile(read, seal, { sizeBytes: size, from, to }));
      expect(whole.equals(content)).toBe(true);
      expect(part.equals(content.subarray(from, to))).toBe(true);
    }),
    { numRuns: runs(40) },
  );
});

/** Sealed once, by the description of the format alone and not by this code. */
const GOLDEN = {
  dataKey: "8f9fe084a13b0a739d795a334584e0ea66253b667658d2377d25f574acbc826a",
  place: "6e0ee64e-3a4f-4f2a-9f0e-0d6f3a1f7c11/a2f6f3c7-8f0b-4d7e-8a52-5f0c3f2f9b10",
  content: "Quarterly compliance report",
  sealed:
    "48474631bf64801bd7082532c9c064fe313042ec58bc48b4325192d1f8cb607ff1694735a0e50ffb1c4bcd04" +
    "3551d5c7b28b59374faff081bcb31fd6a622c4a9d183c8ca67a94e9141508f",
};

test("a file that was sealed long ago opens", async () => {
  const golden = { dataKey: Buffer.from(GOLDEN.dataKey, "hex"), place: GOLDEN.place };
  const read = reader(Buffer.from(GOLDEN.sealed, "hex"));
  const { length: sizeBytes } = GOLDEN.content;
  expect(String(await all(openFile(read, golden, { sizeBytes })))).toBe(GOLDEN.content);
});

const piece = (file: Buffer, n: number) =>
  file.subarray(
    FILE_HEADER_BYTES + n * SEALED_PIECE_BYTES,
    FILE_HEADER_BYTES + (n + 1) * SEALED_PIECE_BYTES,
  );
const header = (file: Buffer) => file.subarray(0, FILE_HEADER_BYTES);
const of = (head: Buffer, ...pieces: Buffer[]) => Buffer.concat([header(head), ...pieces]);

const content = randomBytes(3 * PIECE_BYTES + 100);
const file = sealed(content);
const other = sealed(randomBytes(content.length));
const wrongs: [string, Buffer, number?][] = [
  ["cut off behind a piece", of(file, piece(file, 0), piece(file, 1))],
  ["cut off behind a piece, and said to be that long", of(file, piece(file, 0)), PIECE_BYTES],
  ["cut off in a piece", file.subarray(0, file.length - 50)],
  ["cut off in its header", file.subarray(0, 7)],
  ["without anything", Buffer.alloc(0)],
  ["of another format", Buffer.concat([Buffer.from("PK01"), file.subarray(4)])],
  [
    "with two pieces in each other's place",
    of(file, piece(file, 1), piece(file, 0), piece(file, 2), piece(file, 3)),
  ],
  ["with a piece left out", of(file, piece(file, 0), piece(file, 2), piece(file, 3))],
  [
    "with a piece twice, and said to be that long",
    of(file, piece(file, 0), piece(file, 1), piece(file, 2), piece(file, 2), piece(file, 3)),
    content.length + PIECE_BYTES,
  ],
  [
    "with a piece of another file of the same key",
    of(file, piece(other, 0), piece(file, 1), piece(file, 2), piece(file, 3)),
  ],
  ["with another file's header", of(other, file.subarray(FILE_HEADER_BYTES))],
  ["said to be longer", file, content.length + PIECE_BYTES],
];

test.each(wrongs)("a file %s does not open", async (_what, wrong, size = content.length) => {
  const opened = all(openFile(reader(wrong), seal, { sizeBytes: size }));
  await expect(opened).rejects.toThrow(SealedFileError);
});

test("no byte of a file can be altered", async () => {
  const at = fc.integer({ min: 0, max: file.length - 1 });
  const change = fc.integer({ min: 1, max: 255 });
  await fc.assert(
    fc.asyncProperty(at, change, async (place, by) => {
      const altered = Buffer.from(file);
      altered.writeUInt8(altered.readUInt8(place) ^ by, place);
      const opened = all(openFile(reader(altered), seal, { sizeBytes: content.length }));
      await expect(opened).rejects.toThrow(SealedFileError);
    }),
    {
      numRuns: runs(60),
      examples: [
        [0, 1],
        [4, 1],
        [FILE_HEADER_BYTES, 1],
        [file.length - 1, 1],
      ],
    },
  );
});

test("a file opens in its own place only, and with its own key", async () => {
  for (const wrong of [
    { ...seal, place: "workspace/other" },
    { ...seal, dataKey: randomBytes(32) },
  ]) {
    const opened = all(openFile(reader(file), wrong, { sizeBytes: content.length }));
    await expect(opened).rejects.toThrow(SealedFileError);
  }
});

test("a piece that is sealed again has another nonce", () => {
  const key = newPieceKey(seal);
  const [first, second] = [1, 2].map(() => new PieceSealer(key, 0, content.subarray(0, 99)).end());
  expect(first?.[0]?.equals(second?.[0] ?? Buffer.alloc(0))).toBe(false);
});
