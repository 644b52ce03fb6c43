import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { LAST_PRIORITY, WakePriorities } from "./wake-priority.ts";

/** The priority of the last of `count` wakes that a workspace has at one moment. */
function ask(priorities: WakePriorities, workspaceId: string, count: number, nowMs: number) {
  let last = 0;
  for (let n = 0; n < count; n++) last = priorities.next(workspaceId, nowMs);
  return last;
}

describe("the priority of a wake", () => {
  test("a workspace that asks for little goes first, whatever another asks for", () => {
    const priorities = new WakePriorities();
    expect(ask(priorities, "flood", 20_000, 0)).toBe(LAST_PRIORITY);
    for (let nowMs = 0; nowMs < 60_000; nowMs += 100) {
      expect(priorities.next("quiet", nowMs)).toBe(0);
    }
  });

  test("a flood is forgotten after a while", () => {
    const priorities = new WakePriorities();
    ask(priorities, "flood", 20_000, 0);
    expect(priorities.next("flood", 1_000)).toBe(LAST_PRIORITY);
    expect(priorities.next("flood", 15_000)).toBe(0);
  });

  test("who asks for more never goes before who asks for less at the same times", () => {
    const moments = fc.array(
      fc.record({ afterMs: fc.nat(3_000), less: fc.nat(300), more: fc.nat(3_000) }),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(moments, (asked) => {
        const priorities = new WakePriorities();
        let nowMs = 0;
        for (const { afterMs, less, more } of asked) {
          nowMs += afterMs;
          const small = ask(priorities, "small", less + 1, nowMs);
          const large = ask(priorities, "large", less + more + 1, nowMs);
          expect(small).toBeLessThanOrEqual(large);
          expect(large).toBeLessThanOrEqual(LAST_PRIORITY);
        }
      }),
    );
  });

  test("however many workspaces come, few are remembered", () => {
    const priorities = new WakePriorities();
    for (let n = 0; n < 50_000; n++) priorities.next(`w${n}`, n / 100);
    expect(priorities.size).toBeLessThanOrEqual(10_000);
  });
});
