import { expect, test } from "@jest/globals";
import type { Candidate } from "./key-claim.ts";
import { KeyHeads } from "./key-heads.ts";

const PAGE = 200;
const candidate = (id: number, key: string): Candidate => ({
  isTimed: false,
  priority: 5,
  key,
  id: String(id),
  at: "-infinity",
});
const nobody = () => false;
const everybody = () => true;

/** Reads pages of the candidates of one priority, as a lane would give them, until there are no more. */
function readAll(heads: KeyHeads, count: number, keyOf: (id: number) => string, nowMs: number) {
  heads.begin(nowMs);
  for (let pages = 0; ; pages++) {
    const streams = heads.toRead(everybody, nowMs);
    const stream = streams.find(({ isTimed, priority }) => !isTimed && priority === 5);
    if (stream === undefined) return pages;
    const passed = new Set(heads.passed(everybody).map(({ key }) => key));
    const candidates: Candidate[] = [];
    for (let id = Number(stream.afterId) + 1; id <= count && candidates.length < PAGE; id++) {
      if (!passed.has(keyOf(id))) candidates.push(candidate(id, keyOf(id)));
    }
    heads.read({ streams, candidates, walked: [], limit: PAGE }, everybody, nowMs);
  }
}

test("thousands behind a held key are one entry, and are passed after one page", () => {
  const heads = new KeyHeads(0);
  const pages = readAll(heads, 50_000, (id) => (id < 50_000 ? "held" : "free"), 0);
  expect({ pages, size: heads.size }).toEqual({ pages: 2, size: 2 });
  expect(heads.toLookUp((key) => key === "held", 0, 10)).toEqual(["free"]);
});

test("memory is bounded: what is forgotten is read again soon, and the lane is not handed back for longer", () => {
  const heads = new KeyHeads(0);
  readAll(heads, 25_000, (id) => `chat ${id}`, 0);
  expect(heads.size).toBeLessThanOrEqual(10_000);
  expect(heads.nextMs(everybody, 0)).toBe(1_000);
  heads.begin(1_000);
  expect(heads.size).toBe(0);
  expect(heads.toRead(nobody, 1_000).every(({ afterId }) => afterId === "0")).toBe(true);
});

test("what is more urgent than all that is known of a key is never passed", () => {
  const heads = new KeyHeads(0);
  readAll(heads, 1_000, () => "busy", 0);
  expect(heads.passed(nobody)).toEqual([{ key: "busy", priority: 5 }]);
  heads.found(["busy"], [{ key: "busy", id: "1", priority: 8, dueInMs: 0 }], 0);
  expect(heads.passed(nobody)).toEqual([]);
});

test("those that wait are looked at again in turns, each second, beside those that may start", () => {
  const heads = new KeyHeads(0);
  const keys = Array.from({ length: 40 }, (_, n) => `waits ${n}`);
  const waiting = keys.map((key, n) => ({ key, id: String(n), priority: 5, dueInMs: 60_000 }));
  for (const head of waiting) heads.touch(head);
  expect(heads.toLookUp(nobody, 0, 64)).toEqual(keys);
  heads.found(keys, waiting, 0);
  heads.touch({ key: "free", id: "99", priority: 8 });
  expect(heads.toLookUp(nobody, 1_000, 64)).toEqual(["free"]);
  expect(heads.toLookAgain(nobody, 999)).toEqual([]);
  const again = heads.toLookAgain(nobody, 1_000);
  expect(again).toEqual(keys.slice(0, 16));
  heads.found(again, waiting.slice(0, 16), 1_000);
  expect(heads.toLookAgain(nobody, 1_001).slice(0, 2)).toEqual(["waits 16", "waits 17"]);
  expect(heads.nextMs(nobody, 1_001)).toBe(60_000);
});
