import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type CraftedFile, type CraftedZip, writeCraftedZip } from "../test/support/crafted-zip.ts";
import { openZip } from "./read-zip.mjs";

let folder = "";
let file = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "zip-"));
  file = path.join(folder, "a.zip");
});
afterAll(() => rm(folder, { recursive: true }));

const a: CraftedFile = { name: "a.txt", content: Buffer.from("the first") };
const b: CraftedFile = { name: "evidence/EV-1/r1/001-b.pdf", content: randomBytes(700_000) };

const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");

/** Every file of it, and its content's hash. */
async function read(): Promise<Map<string, string>> {
  const zip = await openZip(file);
  try {
    const found = new Map<string, string>();
    for (const name of zip.sizes.keys()) {
      const parts: Buffer[] = [];
      for await (const part of zip.read(name)) parts.push(part);
      const content = Buffer.concat(parts);
      found.set(name, sha256(content));
      expect(content).toHaveLength(zip.sizes.get(name));
    }
    return found;
  } finally {
    await zip.close();
  }
}

async function refused(zip: CraftedZip): Promise<string> {
  await writeCraftedZip(file, zip);
  return read().then(
    () => "read",
    (error: Error) => error.message,
  );
}

const contents = (...files: CraftedFile[]) =>
  new Map(files.map(({ name, content }) => [name, sha256(content ?? Buffer.alloc(0))]));

describe("a zip file", () => {
  test("is read in its order, empty files and all", async () => {
    const empty = { name: "empty" };
    await writeCraftedZip(file, { files: [a, empty, b] });
    expect(await read()).toEqual(contents(a, empty, b));
    await writeCraftedZip(file, { files: [] });
    expect(await read()).toEqual(new Map());
  });

  test("of zip64's form is read, whether it takes that or not", async () => {
    const files = [{ ...a, isLarge: true }, b, { ...a, name: "c", isLarge: true }];
    await writeCraftedZip(file, { files, isLarge: true });
    expect(await read()).toEqual(contents(...files));
    await writeCraftedZip(file, { files });
    expect(await read()).toEqual(contents(...files));
  });

  test("of more than 4 GB is read behind them, too, and none of it is held in memory", async () => {
    const hole = { name: "hole", holeBytes: 5 * 2 ** 30, isLarge: true };
    const last = { ...b, isLarge: true };
    await writeCraftedZip(file, { files: [hole, last], isLarge: true });
    expect((await stat(file)).size).toBeGreaterThan(5 * 2 ** 30);
    const zip = await openZip(file);
    expect([...zip.sizes.values()]).toEqual([5 * 2 ** 30, 700_000]);
    const parts: Buffer[] = [];
    for await (const part of zip.read(last.name)) parts.push(part);
    expect(Buffer.concat(parts).equals(b.content ?? Buffer.alloc(0))).toBe(true);
    for await (const part of zip.read("hole")) {
      expect(part.length).toBeLessThan(2 ** 20);
      break;
    }
    await zip.close();
    await rm(file);
  });

  test("of more than 65,535 files is read", async () => {
    const files = Array.from({ length: 65_536 }, (_, n) => ({ name: `f${n}` }));
    await writeCraftedZip(file, { files, isLarge: true });
    const zip = await openZip(file);
    expect(zip.sizes.size).toBe(65_536);
    await zip.close();
  });

  test("that is cut off anywhere is none; nor is one with anything behind it", async () => {
    for (const isLarge of [false, true]) {
      await writeCraftedZip(file, {
        files: [
          { ...a, isLarge },
          { name: "c", isLarge },
        ],
        isLarge,
      });
      const whole = await readFile(file);
      for (let length = whole.length - 1; length >= 0; length--) {
        await truncate(file, length);
        await expect(read()).rejects.toThrow("the zip file is broken");
      }
      for (const behind of [Buffer.of(0), whole]) {
        await writeFile(file, Buffer.concat([whole, behind]));
        await expect(read()).rejects.toThrow("the zip file is broken");
        await writeFile(file, Buffer.concat([behind, whole]));
        await expect(read()).rejects.toThrow("the zip file is broken");
      }
    }
  });
});

const size = (value: number, at: number) => (buffer: Buffer) =>
  void buffer.writeUInt32LE(value, at);
const short = (value: number, at: number) => (buffer: Buffer) =>
  void buffer.writeUInt16LE(value, at);
const nameOf = (name: string) => (header: Buffer) => void header.write(name, 30, "latin1");
const large = { ...b, isLarge: true };
/** Info-ZIP's Unicode Path, by which a file is called otherwise by who knows it. */
const OTHER_NAME = Buffer.from("7570060001000000002e", "hex");

test.each<[string, CraftedZip, RegExp]>([
  ["two files of one name", { files: [a, b, a] }, /it has a\.txt twice/],
  ["two whose names differ by letters' size", { files: [a, { name: "A.TXT" }] }, /twice/],
  ["the same file twice in its directory", { files: [a, b], named: [0, 0] }, /twice/],
  ["a way up", { files: [{ name: "../a" }] }, /"\.\.\/a", which is none/],
  ["a way up inside", { files: [{ name: "evidence/../../a" }] }, /none of a pack's/],
  ["a place on the disk", { files: [{ name: "/etc/passwd" }] }, /none of a pack's/],
  ["a drive", { files: [{ name: "C:a" }] }, /none of a pack's/],
  ["another system's slashes", { files: [{ name: "..\\a" }] }, /none of a pack's/],
  ["a folder", { files: [{ name: "evidence/" }] }, /none of a pack's/],
  ["no name", { files: [{ name: "" }] }, /none of a pack's/],
  ["a dot behind a name", { files: [{ name: "a.txt." }] }, /none of a pack's/],
  ["only dots", { files: [{ name: "evidence/..." }] }, /none of a pack's/],
  ["NUL in a name", { files: [{ name: "a\0.pdf" }] }, /"a\\u0000\.pdf"/],
  ["a mark of direction in a name", { files: [{ name: "a\u202Efdp" }] }, /none of a pack's/],
  ["a link", { files: [{ ...a, mode: 0o120777 }] }, /a\.txt is no file/],
  ["another name beside the name", { files: [{ ...a, extra: OTHER_NAME }] }, /a field/],
  ["half a field", { files: [{ ...a, extra: Buffer.of(1, 0, 9) }] }, /half a field/],
  ["a comment", { files: [{ ...a, central: short(1, 32) }] }, /a comment|cut off/],
  ["another name at the file", { files: [{ ...a, local: nameOf("b.txt") }] }, /not what the dir/],
  ["a size that is too small", { files: [{ ...a, central: size(4, 24) }, b] }, /two sizes/],
  [
    "two sizes that are too small",
    {
      files: [
        {
          ...a,
          central: (header) => {
            size(4, 20)(header);
            size(4, 24)(header);
          },
        },
        b,
      ],
    },
    /not what the directory says/,
  ],
  ["another size behind the file", { files: [{ ...a, behind: size(4, 12) }] }, /not what the dir/],
  ["another sum behind the file", { files: [{ ...a, behind: size(4, 4) }] }, /not what the dir/],
  [
    "a size beyond the end",
    {
      files: [
        {
          ...large,
          central: (header) => {
            const field = 46 + large.name.length + 4;
            size(9, field + 4)(header);
            size(9, field + 12)(header);
          },
        },
      ],
    },
    /cut off/,
  ],
  ["a file that is compressed", { files: [{ ...a, central: short(8, 10) }] }, /compressed/],
  ["a file that is encrypted", { files: [{ ...a, central: short(0x809, 8) }] }, /encrypted/],
  ["compressed at the file alone", { files: [{ ...a, local: short(8, 8) }] }, /not what the dir/],
  ["more at the file than its name", { files: [{ ...a, local: short(4, 28) }] }, /not what the/],
  ["a file that nobody names", { files: [a, b], named: [1] }, /not behind the file before/],
  ["a last file that nobody names", { files: [a, b], named: [0] }, /not behind its last file/],
  ["files in another order", { files: [a, b], named: [1, 0] }, /not behind the file before/],
  ["something before its directory", { files: [a], gap: Buffer.from("MZ") }, /not behind its last/],
  [
    "more files than are there",
    { files: [a], end: (end) => end.fill(2, 8, 9).fill(2, 10, 11) },
    /cut off/,
  ],
  [
    "fewer files than are there",
    { files: [a, b], end: (end) => end.fill(1, 8, 9).fill(1, 10, 11) },
    /more than it says/,
  ],
  ["a directory elsewhere", { files: [a], end: size(1, 16) }, /not before its end/],
  ["another part", { files: [a], end: short(1, 4) }, /several parts/],
  ["words at its end", { files: [a], end: short(3, 20), behind: Buffer.from("abc") }, /end/],
  ["no zip64 where its end says so", { files: [a, b], end: size(0xffffffff, 16) }, /zip64/],
  ["two ends that differ", { files: [a], isLarge: true, end: short(7, 10) }, /./],
  ["a zip64 end elsewhere", { files: [a], isLarge: true, locator: size(0, 8) }, /zip64/],
  [
    "a directory of exabytes",
    { files: [a], isLarge: true, end64: size(0xffffff, 44) },
    /not before/,
  ],
  [
    "more files than there is room",
    { files: [a], isLarge: true, end64: (end) => end.fill(1, 24, 40) },
    /cut off/,
  ],
])("with %s is refused", async (_what, zip, why) => {
  const said = await refused(zip);
  expect(said).toMatch(/^the zip file is broken: /);
  expect(said).toMatch(why);
});
