import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../test/support/property.ts";
import { ClassShare, SHARE_OF_OTHERS } from "./class-share.ts";

interface Ready {
  id: string;
  priority: number;
}

const always = () => 0;
const takeFirst = (share: ClassShare, ready: Ready[]): Ready => {
  const [first] = share.inOrder(ready);
  if (first === undefined) throw new Error("nothing is ready");
  share.chose(first, ready);
  return first;
};

describe("the order in which what is ready is tried", () => {
  const waiting = fc.array(fc.constantFrom(0, 2, 5, 8), {
    minLength: 1,
    maxLength: 80,
    size: "max",
  });

  test("by class and age, but for one in eight, which is the oldest of another class; in turns", () => {
    fc.assert(
      fc.property(waiting, fc.nat(1_000), (priorities, seed) => {
        const share = new ClassShare(() => seed / 1_001);
        let ready = priorities.map((priority, n): Ready => ({ id: String(n), priority }));
        let sinceOthers = Math.floor((seed / 1_001) * SHARE_OF_OTHERS);
        const chosen: { priority: number; others: number[] }[] = [];
        while (ready.length > 0) {
          const best = Math.min(...ready.map(({ priority }) => priority));
          const others = [...new Set(ready.map(({ priority }) => priority))].filter(
            (one) => one > best,
          );
          const order = share.inOrder(ready);
          expect([...order].sort((a, b) => Number(a.id) - Number(b.id))).toEqual(ready);
          const one = takeFirst(share, ready);
          // The oldest of its class.
          expect(ready.find(({ priority }) => priority === one.priority)).toBe(one);
          const isTurn = sinceOthers >= SHARE_OF_OTHERS - 1 && others.length > 0;
          expect(one.priority > best).toBe(isTurn);
          sinceOthers = isTurn ? 0 : sinceOthers + 1;
          if (isTurn) chosen.push({ priority: one.priority, others });
          ready = ready.filter((other) => other !== one);
        }
        for (const [n, turn] of chosen.slice(1).entries()) {
          const { priority } = chosen[n] ?? turn;
          // Not the same class twice while another waited both times.
          if (turn.priority === priority) expect(turn.others).toEqual([priority]);
        }
      }),
      { numRuns: runs(60) },
    );
  });

  test("over drains of one choice each, every class has its share", () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const ready = [0, 2, 5, 8].map((priority): Ready => ({ id: String(priority), priority }));
    const counts = new Map<number, number>();
    for (let drain = 0; drain < 4_800; drain++) {
      const { priority } = takeFirst(new ClassShare(random), ready);
      counts.set(priority, (counts.get(priority) ?? 0) + 1);
    }
    for (const priority of [2, 5, 8]) {
      expect(counts.get(priority)).toBeGreaterThan(130);
      expect(counts.get(priority)).toBeLessThan(270);
    }
  });

  test("a share that was not taken does not add up", () => {
    const share = new ClassShare(always);
    const only = [{ id: "1", priority: 0 }];
    for (let n = 0; n < 100; n++) takeFirst(share, only);
    const both = [...only, { id: "2", priority: 8 }, { id: "3", priority: 8 }];
    expect(
      [takeFirst(share, both), takeFirst(share, both)].map(({ priority }) => priority),
    ).toEqual([8, 0]);
  });
});
