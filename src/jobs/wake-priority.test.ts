import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { LAST_PRIORITY, WakePriorities } from "./wake-priority.ts";

/** The priority of the last of `count` wakes that a workspace has at one moment. */
function ask(
  priorities: WakePriorities,
  workspaceId: string,
  count: number,
  nowMs: number,
  urgent = false,
) {
  let last = 0;
  for (let n = 0; n < count; n++) last = priorities.next(workspaceId, nowMs, urgent);
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

  test("an urgent wake goes before its workspace's flood; a flood of urgent ones does not", () => {
    const priorities = new WakePriorities();
    expect(ask(priorities, "w", 20_000, 0)).toBe(LAST_PRIORITY);
    expect(priorities.next("w", 0, true)).toBe(0);
    expect(priorities.next("w", 0)).toBe(LAST_PRIORITY);
    expect(ask(priorities, "w", 20_000, 0, true)).toBe(LAST_PRIORITY);
  });

  const asked = fc.array(
    fc.record({ afterMs: fc.nat(100), urgent: fc.boolean(), count: fc.nat(300) }),
    { minLength: 1, maxLength: 30 },
  );

  test("an urgent wake never goes behind a plain one that stood in its place", () => {
    fc.assert(
      fc.property(asked, (moments) => {
        const urgently = new WakePriorities();
        const plainly = new WakePriorities();
        const broken: number[] = [];
        let nowMs = 0;
        for (const { afterMs, urgent, count } of moments) {
          nowMs += afterMs;
          for (let n = 0; n < count; n++) {
            const priority = urgently.next("w", nowMs, urgent);
            const plain = plainly.next("w", nowMs);
            if (urgent ? priority > plain : priority !== plain) broken.push(priority);
          }
        }
        expect(broken).toEqual([]);
      }),
    );
  });

  test("whatever a workspace calls urgent: another's is first, behind few of its wakes", () => {
    fc.assert(
      fc.property(asked, (moments) => {
        const priorities = new WakePriorities();
        let nowMs = 0;
        let first = 0;
        for (const { afterMs, urgent, count } of moments) {
          if (nowMs + afterMs > 1_000) break;
          nowMs += afterMs;
          for (let n = 0; n < count; n++) {
            if (priorities.next("flood", nowMs, urgent) === 0) first++;
          }
          expect(priorities.next("quiet", nowMs)).toBe(0);
        }
        // Within a second: 64 at once and as many as are forgotten meanwhile, of either kind.
        expect(first).toBeLessThanOrEqual(2 * (64 + 45));
      }),
    );
  });

  test("however many workspaces come, few are remembered", () => {
    const priorities = new WakePriorities();
    for (let n = 0; n < 50_000; n++) priorities.next(`w${n}`, n / 100);
    expect(priorities.size).toBeLessThanOrEqual(10_000);
  });
});
