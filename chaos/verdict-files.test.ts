import { describe, expect, test } from "@jest/globals";
import {
  type ArrivedTelling,
  type HandedIn,
  hashesIn,
  judgeFiles,
  judgeStore,
  judgeTellings,
  type StoredFile,
  type TakenFile,
  type Telling,
} from "./verdict-files.ts";

const place = { connectorId: "c", chatId: "1" };
const workspaceId = "w";
const hash = (n: number) => String(n).padStart(64, "0");
const handed = (n: number): HandedIn => ({
  ...place,
  messageId: n,
  sha256: hash(n),
  sizeBytes: n * 10,
});
const taken = (n: number, more: Partial<TakenFile> = {}): TakenFile => ({
  ...handed(n),
  workspaceId,
  state: "stored",
  error: null,
  storedFileId: `s${n}`,
  ...more,
});
const stored = (n: number, more: Partial<StoredFile> = {}): StoredFile => ({
  workspaceId,
  id: `s${n}`,
  state: "stored",
  sha256: hash(n),
  ...more,
});
const fine = { lost: [], doubled: [] };

describe("the verdict on files", () => {
  test("each stored once, as it was sent, is fine; the same content of two lies there once", () => {
    expect(
      judgeFiles([handed(1), handed(2)], [taken(1), taken(2)], [stored(1), stored(2)]),
    ).toEqual(fine);
    const again = { ...handed(1), messageId: 7 };
    const same = taken(1, { messageId: 7 });
    expect(judgeFiles([handed(1), again], [taken(1), same], [stored(1)])).toEqual(fine);
  });

  test.each<[string, TakenFile[], StoredFile[]]>([
    ["was not taken", [], []],
    ["is downloading: null", [taken(1, { state: "downloading", storedFileId: null })], []],
    ["is failed: Send it again.", [taken(1, { state: "failed", error: "Send it again." })], []],
    ["is another content", [taken(1, { sha256: hash(9) })], [stored(1)]],
    ["is another content", [taken(1, { sizeBytes: 9 })], [stored(1)]],
    ["refers to no content that is stored", [taken(1)], []],
    ["refers to no content that is stored", [taken(1)], [stored(1, { state: "deleting" })]],
    ["refers to another content", [taken(1)], [stored(1, { sha256: hash(9) })]],
  ])("one that %s is lost", (wrong, rows, contents) => {
    expect(judgeFiles([handed(1)], rows, contents).lost).toEqual([`file c/1/1 ${wrong}`]);
  });

  test("a file taken twice, one that nobody sent, and a content stored twice are doubled", () => {
    const rows = [taken(1), taken(1), taken(2)];
    const contents = [stored(1), stored(1, { id: "other" }), stored(2)];
    expect(judgeFiles([handed(1)], rows, contents).doubled).toEqual([
      "file c/1/1",
      "file c/1/2: nobody sent it",
      `content w/${hash(1)}`,
    ]);
  });
});

describe("the verdict on what senders were told", () => {
  const telling = (n: number, more: Partial<Telling> = {}): Telling => ({
    ...place,
    sha256s: [hash(n)],
    state: "sent",
    onUnknown: "resend",
    attempts: [{ startedAtMs: 0, unclear: false }],
    telegramIds: [100 + n],
    ...more,
  });
  const came = (n: number, atMs: number, messageId = 100 + n): ArrivedTelling => ({
    ...place,
    sha256s: [hash(n)],
    atMs,
    messageId,
  });

  test("one message for each, or one for an album, is fine", () => {
    const both = [handed(1), handed(2)];
    expect(judgeTellings(both, [telling(1), telling(2)], [came(1, 5), came(2, 6)])).toEqual(fine);
    const album = { sha256s: [hash(1), hash(2)] };
    const [told, arrived] = [telling(1, album), { ...came(1, 5), ...album }];
    expect(judgeTellings(both, [told], [arrived])).toEqual(fine);
    expect(judgeTellings([...both, handed(3)], [told], [arrived]).lost).toEqual([
      "news of file c/1/3",
    ]);
  });

  test("never told, never arrived, or told to somebody else, is lost", () => {
    const one = [handed(1)];
    const lost = ["news of file c/1/1"];
    expect(judgeTellings(one, [], []).lost).toEqual(lost);
    expect(judgeTellings(one, [telling(1)], []).lost).toEqual(lost);
    expect(judgeTellings(one, [telling(1)], [came(1, 5, 999)]).lost).toEqual(lost);
    expect(judgeTellings(one, [telling(1, { state: "failed" })], [came(1, 5)]).lost).toEqual(lost);
    const elsewhere = { ...came(1, 5), chatId: "2" };
    expect(judgeTellings(one, [telling(1)], [elsewhere])).toEqual({
      lost,
      doubled: [`news of c/2/${hash(1)}: nobody sent that`],
    });
  });

  test("twice is allowed only where nobody knew and it was to be resent", () => {
    const attempts = [
      { startedAtMs: 0, unclear: true },
      { startedAtMs: 10, unclear: false },
    ];
    const twice = [came(1, 5, 99), came(1, 15)];
    const doubled = ["news of file c/1/1"];
    expect(judgeTellings([handed(1)], [telling(1, { attempts })], twice)).toEqual(fine);
    const held = telling(1, { attempts, onUnknown: "hold" });
    expect(judgeTellings([handed(1)], [held], twice).doubled).toEqual(doubled);
    expect(judgeTellings([handed(1)], [telling(1)], twice).doubled).toEqual(doubled);
    const both = [telling(1), telling(1, { telegramIds: [102] })];
    expect(judgeTellings([handed(1)], both, [came(1, 5)]).doubled).toEqual(doubled);
  });

  test("unknown and held may be missing", () => {
    const held = telling(1, { state: "unknown", onUnknown: "hold", telegramIds: [] });
    expect(judgeTellings([handed(1)], [held], [])).toEqual(fine);
  });

  test("hashes stand in lines of their own", () => {
    const text = `Uploaded: SHA-256: ${hash(9)}.txt\nSize: 5 bytes\nSHA-256: ${hash(1)}\nEvidence: EV-1 (x)`;
    expect(hashesIn(`${text}\n\n2. a\nSHA-256: ${hash(2)}`)).toEqual([hash(1), hash(2)]);
  });
});

describe("the verdict on the store", () => {
  const store = { rows: [stored(1)], objects: ["w/s1"], leftovers: [] };

  test("an object for each row that a file refers to is fine", () => {
    expect(judgeStore(store, [taken(1)])).toEqual([]);
  });

  test("tells of whatever has no other half, and of what is left over", () => {
    expect(judgeStore({ ...store, objects: ["w/s1", "w/s2"] }, [taken(1)])).toEqual([
      "object without a row: w/s2",
    ]);
    expect(judgeStore({ ...store, objects: [] }, [taken(1)])).toEqual([
      "row without an object: w/s1",
    ]);
    const writing = { ...store, rows: [stored(1), stored(2, { state: "writing" })] };
    expect(judgeStore(writing, [taken(1)])).toEqual(["row that is still writing: w/s2"]);
    expect(judgeStore(store, [])).toEqual(["content that no file refers to: w/s1"]);
    expect(judgeStore({ ...store, leftovers: [".parts/a/b"] }, [taken(1)])).toEqual([
      "left over: .parts/a/b",
    ]);
  });
});
