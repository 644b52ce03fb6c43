import { gzipSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { contentTypeOf, headOf, isTaken } from "./content-type.ts";

const JPEG = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0x10, 0x4a, 0x46, 0x49, 0x46, 0, 1]);

/** The beginning of a zip: the header of an entry of so many bytes, and its name. */
function zipEntry(sizeBytes: number): Buffer {
  const header = Buffer.alloc(30);
  header.write("PK\x03\x04", "latin1");
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(8, 8);
  header.writeUInt32LE(sizeBytes, 18);
  header.writeUInt32LE(sizeBytes, 22);
  header.writeUInt16LE(5, 26);
  return Buffer.concat([header, Buffer.from("a.bin"), Buffer.alloc(1_000, 7)]);
}

test.each<[string, Buffer, string]>([
  ["a PDF", Buffer.from("%PDF-1.7\n%âãÏÓ\n"), "application/pdf"],
  ["a JPEG", JPEG, "image/jpeg"],
  ["a script behind a picture", Buffer.concat([JPEG, Buffer.from("<script>")]), "image/jpeg"],
  [
    "a picture with an archive behind it (GIFAR)",
    Buffer.concat([Buffer.from("GIF89a\x01\0\x01\0\0\0\0;", "latin1"), zipEntry(1_000)]),
    "image/gif",
  ],
  [
    "a PDF with an archive behind it",
    Buffer.concat([Buffer.from("%PDF-1.7\n"), zipEntry(1_000)]),
    "application/pdf",
  ],
  [
    "an archive with a PDF in it",
    Buffer.concat([zipEntry(1_000), Buffer.from("%PDF-1.7\n")]),
    "application/zip",
  ],
  ["a page", Buffer.from("<!doctype html><script>alert(1)</script>"), "text/plain"],
  ["text whose last letter is cut", Buffer.from("évidence é").subarray(0, -1), "text/plain"],
  ["text with NUL", Buffer.from("a\0b"), "application/octet-stream"],
  ["noise", Buffer.from([0x80, 0x81, 0x82, 0x83]), "application/octet-stream"],
  ["nothing", Buffer.alloc(0), "application/octet-stream"],
  [
    "a zip whose first entry is longer than what is looked at",
    zipEntry(8_000_000),
    "application/zip",
  ],
])("%s", async (_what, head, type) => {
  expect(await contentTypeOf(head)).toBe(type);
});

test("an archive that would be gigabytes is an archive, and is not unpacked", async () => {
  const bomb = gzipSync(Buffer.alloc(30_000_000));
  expect(await contentTypeOf(bomb.subarray(0, 65_536))).toBe("application/gzip");
});

test("of a long file its beginning is read, and no more", async () => {
  let read = 0;
  async function* content() {
    for (;;) {
      read++;
      yield Buffer.alloc(50_000);
    }
  }
  expect((await headOf(content())).length).toBe(65_536);
  expect(read).toBe(2);
});

test("types are taken by name, by kind, or all of them", () => {
  expect(isTaken("image/png", [])).toBe(true);
  expect(isTaken("image/png", ["application/pdf", "IMAGE/*"])).toBe(true);
  expect(isTaken("image/png", ["image/jpeg", "ima*", "image/"])).toBe(false);
});
