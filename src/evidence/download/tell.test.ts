import { expect, test } from "@jest/globals";
import { LANGUAGES, MAX_FILE_NAME_BYTES } from "../../platform/index.ts";
import type { FileFault } from "./file-fault.ts";
import { albumText, type EndedFile, fileText } from "./news-text.ts";
import { ALBUM_SETTLES_MS, type NewsRow, tellings } from "./tell.ts";
import { textsIn } from "./texts.ts";

const EVIDENCE = { id: "0d9b2f6c-4a4e-4a60-b8a1-0f5b7f6f2a11", number: "12" };
const STORED: EndedFile = {
  state: "stored",
  name: "form.pdf",
  sizeBytes: 1_234_567,
  sha256: "ab".repeat(32),
  fault: null,
};
const failed = (fault: FileFault | null): EndedFile => ({ ...STORED, state: "failed", fault });

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
  languageCode: null,
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
  const english = textsIn("en");
  const evidence = `Evidence: EV-12 (${EVIDENCE.id})`;
  const proof = `Size: 1.1 MB (1234567 bytes)\nSHA-256: ${STORED.sha256}`;
  expect(fileText(english, STORED, EVIDENCE)).toBe(`Uploaded: form.pdf\n${proof}\n${evidence}`);
  const empty = failed({ kind: "empty" });
  const why = "The file is empty. Please look at it, and send it again.";
  expect(fileText(english, empty, EVIDENCE)).toBe(`Not accepted: form.pdf\n${why}\n${evidence}`);
  expect(albumText(english, [STORED, empty], EVIDENCE)).toBe(
    `Uploaded: 1 of 2 files\n${evidence}\n\n1. form.pdf\n${proof}\n\n2. form.pdf: not accepted\n${why}`,
  );
});

test("whoever speaks German is told in German, with what it is about; what nobody knows, too", () => {
  const [german, french] = ["de-AT", "fr"].map((languageCode) =>
    tellings([row("1", { languageCode })]).map(({ text }) => text),
  );
  expect(german?.[0]).toMatch(/^Hochgeladen: form\.pdf\nGröße: 1,1 MB \(1234567 Byte\)\nSHA-256: /);
  expect(german?.[0]).toMatch(/\nNachweis: EV-12 /);
  expect(french?.[0]).toMatch(/^Uploaded: form\.pdf\n/);
  const told = (fault: FileFault | null) => {
    const [, why] = fileText(textsIn("de"), failed(fault), EVIDENCE).split("\n");
    return why;
  };
  expect(told({ kind: "too-large", about: 3 * 2 ** 19 })).toContain("größer als die 1,5 MB,");
  expect(told({ kind: "type-not-taken", about: "text/plain" })).toContain("(text/plain)");
  expect(told({ kind: "harmful", about: "EICAR" })).toContain("schädlich (EICAR)");
  expect([told(null), told({ kind: "of a newer version" } as never)]).toEqual(
    Array(2).fill(
      "Die Datei konnte nicht geholt werden. Bitte schicken Sie die Datei noch einmal.",
    ),
  );
});

test("ten files of an album, whatever they are called and whatever became of them, fit a message", () => {
  const name = `${"🎉".repeat(60)}.pdf`.slice(-MAX_FILE_NAME_BYTES);
  for (const language of LANGUAGES) {
    const texts = textsIn(language);
    const stored = Array(10).fill({ ...STORED, name });
    expect(albumText(texts, stored, EVIDENCE).length).toBeLessThan(4_096);
    for (const kind of Object.keys(texts.faults) as FileFault["kind"][]) {
      const files = Array(10).fill({ ...failed({ kind }), name });
      expect(albumText(texts, files, EVIDENCE).length).toBeLessThan(4_096);
    }
  }
});
