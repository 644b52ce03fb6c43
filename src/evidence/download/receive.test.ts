import { expect, test } from "@jest/globals";
import { fc, runs } from "../../../test/support/property.ts";
import { DownloadFault } from "./fault.ts";
import { mayResume, receive } from "./receive.ts";

const CONTENT = Buffer.from(Array.from({ length: 997 }, (_, n) => n % 251));

function sink(before: Buffer) {
  const parts = [before];
  return {
    get sizeBytes() {
      return parts.reduce((sum, { length }) => sum + length, 0);
    },
    append: async (content: Uint8Array) => void parts.push(Buffer.from(content)),
    content: () => Buffer.concat(parts),
  };
}

/** Content in pieces of these lengths, over and over. */
async function* pieces(content: Buffer, lengths: number[]) {
  for (let at = 0, n = 0; at < content.length; n++) {
    const length = lengths[n % lengths.length] ?? 1;
    yield content.subarray(at, at + length);
    at += length;
  }
}

const source = (content: Buffer, from: number, sizeBytes: number | null, lengths = [100]) => ({
  sizeBytes,
  from,
  content: pieces(content.subarray(from), lengths),
  close: async () => {},
});

const limits = (expectedBytes: number | null, maxBytes = 10_000) => ({
  expectedBytes,
  maxBytes,
  note: () => {},
});

test("whatever is here already, wherever the source begins, however it comes: the file is whole", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(CONTENT.length),
      fc.nat(CONTENT.length),
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      fc.boolean(),
      async (here, begins, lengths, isSaid, isAnnounced) => {
        const part = sink(CONTENT.subarray(0, here));
        const from = Math.min(begins, here);
        const opened = source(CONTENT, from, isSaid ? CONTENT.length : null, lengths);
        await receive(opened, part, limits(isAnnounced ? CONTENT.length : null));
        expect(part.content().equals(CONTENT)).toBe(true);
      },
    ),
    { numRuns: runs(300) },
  );
});

const faultOf = async (receiving: Promise<void>) => {
  const error = await receiving.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof DownloadFault)) throw new Error(`no fault: ${String(error)}`);
  return error.kind;
};

test("a file that grew, shrank, or ends early is no file", async () => {
  const said = CONTENT.length;
  const longer = Buffer.concat([CONTENT, CONTENT]);
  const shorter = CONTENT.subarray(0, 500);
  const none = () => sink(Buffer.alloc(0));
  expect(await faultOf(receive(source(longer, 0, null), none(), limits(said)))).toBe("changed");
  expect(await faultOf(receive(source(longer, 0, said + said), none(), limits(said)))).toBe(
    "changed",
  );
  expect(await faultOf(receive(source(shorter, 0, null), none(), limits(said)))).toBe("changed");
  expect(await faultOf(receive(source(shorter, 0, said), none(), limits(null)))).toBe("changed");
  // It ends before the place that is here already, or begins behind it.
  const here = sink(CONTENT.subarray(0, 600));
  expect(await faultOf(receive(source(shorter, 0, null), here, limits(null)))).toBe("changed");
  const behind = sink(CONTENT.subarray(0, 400));
  expect(await faultOf(receive(source(CONTENT, 401, null), behind, limits(said)))).toBe("changed");
});

test("what is too large is refused before its first byte where its size is said, and at the limit where not", async () => {
  const part = sink(Buffer.alloc(0));
  expect(await faultOf(receive(source(CONTENT, 0, 997), part, limits(null, 500)))).toBe(
    "too-large",
  );
  expect(part.sizeBytes).toBe(0);
  expect(await faultOf(receive(source(CONTENT, 0, null), part, limits(null, 500)))).toBe(
    "too-large",
  );
  expect(part.sizeBytes).toBeLessThanOrEqual(500);
  expect(await faultOf(receive(source(CONTENT, 0, 0), part, limits(null)))).toBe("empty");
});

test("what is here is gone on with only where the file is as large as it was", () => {
  const known = { announcedBytes: 900, claimedBytes: 800 };
  expect(mayResume(0, null, { announcedBytes: null, claimedBytes: null })).toBe(true);
  expect(mayResume(100, 900, known)).toBe(true);
  expect(mayResume(100, 800, known)).toBe(false);
  expect(mayResume(100, 800, { ...known, announcedBytes: null })).toBe(true);
  expect(mayResume(100, null, known)).toBe(false);
  expect(mayResume(901, 900, known)).toBe(false);
  expect(mayResume(100, 900, { announcedBytes: null, claimedBytes: null })).toBe(false);
});
