import { expect, test } from "@jest/globals";
import { MAX_FILE_NAME_BYTES } from "../../platform/index.ts";
import { ALBUM_SETTLES_MS, type NewsRow, tellings } from "./tell.ts";
import { albumText, fileText, shownSize } from "./texts.ts";

const EVIDENCE = { id: "0d9b2f6c-4a4e-4a60-b8a1-0f5b7f6f2a11", number: "12" };
const STORED = {
  state: "stored" as const,
  name: "form.pdf",
  sizeBytes: 1_234_567,
  sha256: "ab".repeat(32),
  error: null,
};

const row = (id: string, more: Partial<NewsRow> = {}): NewsRow => ({
  ...STORED,
  workspaceId: "w",
  id,
  evidenceId: EVIDENCE.id,
  evidenceNumber: EVIDENCE.number,
  connectorId: "c",
  chatId: "-5",
  messageId: id,
  threadId: null,
  mediaGroupId: null,
  isEnded: true,
  told: false,
  ageMs: 60_000,
  nowMs: 1_790_000_000_000,
  ...more,
});
const album = (id: string, more: Partial<NewsRow> = {}) => row(id, { mediaGroupId: "g", ...more });
const told = (rows: NewsRow[]) =>
  tellings(rows).map(({ files, inMs }) => [files.map(({ id }) => id), inMs]);

test("a file is told of at once and alone; an album when all of it has ended and settled", () => {
  expect(told([row("1"), row("2")])).toEqual([
    [["1"], 0],
    [["2"], 0],
  ]);
  expect(told([album("10"), album("9")])).toEqual([[["9", "10"], 0]]);
  expect(told([album("9"), album("10", { isEnded: false })])).toEqual([]);
  expect(told([album("9"), album("10", { ageMs: 500 })])).toEqual([
    [["9", "10"], ALBUM_SETTLES_MS - 500],
  ]);
});

test("nobody is told twice, nor for another's album, nor through a bot that is gone", () => {
  expect(told([row("1", { told: true })])).toEqual([]);
  // One of the album was fetched again.
  expect(told([album("9", { told: true }), album("10")])).toEqual([[["10"], 0]]);
  expect(told([album("9"), album("10", { chatId: "-6" })])).toHaveLength(2);
  expect(told([album("9"), album("10", { evidenceId: "other" })])).toHaveLength(2);
  expect(told([row("1", { connectorId: null })])).toEqual([]);
});

test("what is said: name, size, hash and evidence, or why not; an album in one message", () => {
  const evidence = `Evidence: EV-12 (${EVIDENCE.id})`;
  const proof = `Size: 1.2 MB (1234567 bytes)\nSHA-256: ${STORED.sha256}`;
  expect(fileText(STORED, EVIDENCE)).toBe(`Uploaded: form.pdf\n${proof}\n${evidence}`);
  const failed = { ...STORED, state: "failed" as const, error: "The file is empty." };
  expect(fileText(failed, EVIDENCE)).toBe(
    `Not accepted: form.pdf\nThe file is empty.\n${evidence}`,
  );
  expect(albumText([STORED, failed], EVIDENCE)).toBe(
    `Uploaded: 1 of 2 files\n${evidence}\n\n1. form.pdf\n${proof}\n\n2. form.pdf: not accepted\nThe file is empty.`,
  );
  const long = { ...STORED, name: `${"🎉".repeat(60)}.pdf`.slice(-MAX_FILE_NAME_BYTES) };
  expect(albumText(Array(10).fill(long), EVIDENCE).length).toBeLessThan(4_096);
});

test("sizes as people read them, and exactly", () => {
  expect([0, 1, 999, 1_000, 5_300_000_000].map(shownSize)).toEqual([
    "0 bytes",
    "1 byte",
    "999 bytes",
    "1.0 kB (1000 bytes)",
    "5.3 GB (5300000000 bytes)",
  ]);
});
