import { expect, test } from "@jest/globals";
import { FewAtOnce } from "./few-at-once.ts";

const BUSY = "Later.";
let nowMs = 0;
const places = (most: number, mostOfOne: number) =>
  new FewAtOnce({ most, mostOfOne, busy: BUSY }, () => nowMs);

/** How to give back each place that a workspace gets before it is turned away. */
function takeAll(few: FewAtOnce, workspaceId: string): Array<() => void> {
  const leaves: Array<() => void> = [];
  try {
    for (;;) leaves.push(few.enter(workspaceId));
  } catch (error) {
    expect(error).toMatchObject({ status: 503, detail: BUSY, headers: { "retry-after": "5" } });
  }
  return leaves;
}
const isLetIn = (few: FewAtOnce, workspaceId: string) => {
  try {
    return few.enter(workspaceId);
  } catch {
    return undefined;
  }
};

test("one workspace has no more than its share, and each place once", () => {
  const few = places(64, 16);
  const leaves = takeAll(few, "a");
  expect(leaves).toHaveLength(16);
  leaves[0]?.();
  leaves[0]?.();
  expect(takeAll(few, "a")).toHaveLength(1);
});

test.each([
  [4, 2, [2, 1, 1]],
  [64, 16, [16, 16, 16, 8, 4, 2, 1, 1]],
])("of %i places the last are left to others: %j", (most, mostOfOne, shares) => {
  const few = places(most, mostOfOne);
  expect(shares.map((_, n) => takeAll(few, `workspace ${n}`).length)).toEqual(shares);
  expect(isLetIn(few, "one too many")).toBeUndefined();
});

test("what becomes free is for whoever was turned away, however quickly others ask", () => {
  const few = places(3, 2);
  const first = takeAll(few, "a");
  const second = takeAll(few, "b");
  expect([first.length, second.length]).toEqual([2, 1]);
  for (const late of ["c", "d"]) expect(isLetIn(few, late)).toBeUndefined();
  second[0]?.();
  for (const other of ["a", "b", "d"]) expect(isLetIn(few, other)).toBeUndefined();
  nowMs += 5_000;
  expect(isLetIn(few, "c")).toBeDefined();
  // Next is the one that asked after it.
  first[0]?.();
  expect(isLetIn(few, "b")).toBeUndefined();
  expect(isLetIn(few, "d")).toBeDefined();
});

test("a place is not kept for long for whoever does not come back", () => {
  const few = places(3, 2);
  const leaves = [...takeAll(few, "a"), ...takeAll(few, "b")];
  expect(isLetIn(few, "gone")).toBeUndefined();
  leaves[0]?.();
  expect(isLetIn(few, "c")).toBeUndefined();
  nowMs += 10_001;
  expect(isLetIn(few, "c")).toBeDefined();
});
