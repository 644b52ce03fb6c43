import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { type Holder, InFlight } from "./in-flight.ts";

const MOST = 100;
const bot = (workspaceId: string, n = 1): Holder => ({
  workspaceId,
  connectorId: `${workspaceId} ${n}`,
});

/** Takes all that is given; answers how many. */
function fill(inFlight: InFlight, holder: Holder): number {
  let count = 0;
  while (inFlight.enter(holder)) count++;
  return count;
}

describe("requests under way", () => {
  test("a bot that takes all it gets leaves room for another workspace's, and for its own workspace's", () => {
    const inFlight = new InFlight(MOST);
    expect(fill(inFlight, bot("a"))).toBe(34);
    expect(fill(inFlight, bot("b"))).toBe(22);
    expect(fill(inFlight, bot("a"))).toBe(0);
    expect(fill(inFlight, bot("a", 2))).toBeGreaterThan(0);
    expect(fill(inFlight, bot("c"))).toBeGreaterThan(5);
  });

  test("a workspace with a thousand bots leaves half of the places", () => {
    const inFlight = new InFlight(MOST);
    let taken = 0;
    for (let n = 0; n < 1_000; n++) taken += fill(inFlight, bot("many", n));
    expect(taken).toBeLessThanOrEqual(MOST / 2);
    expect(fill(inFlight, bot("other"))).toBeGreaterThan(10);
  });

  test("as places are given back, who has less is let in first", () => {
    const inFlight = new InFlight(MOST);
    fill(inFlight, bot("a"));
    fill(inFlight, bot("b"));
    inFlight.leave(bot("a"));
    expect(inFlight.enter(bot("a"))).toBe(false);
    expect(inFlight.enter(bot("b"))).toBe(true);
  });

  test("whatever comes and goes: no more than there are places, and all of them are given back", () => {
    const holder = fc
      .tuple(fc.constantFrom("a", "b", "c"), fc.integer({ min: 1, max: 5 }))
      .map(([workspaceId, n]) => bot(workspaceId, n));
    const steps = fc.array(fc.record({ holder, leaves: fc.boolean() }), { maxLength: 400 });
    fc.assert(
      fc.property(steps, (all) => {
        const inFlight = new InFlight(MOST);
        const held: Holder[] = [];
        for (const { holder: who, leaves } of all) {
          const at = held.findIndex(({ connectorId }) => connectorId === who.connectorId);
          if (leaves && at !== -1) {
            inFlight.leave(who);
            held.splice(at, 1);
          } else if (!leaves && inFlight.enter(who)) {
            held.push(who);
          }
          expect(held.length).toBeLessThanOrEqual(MOST);
        }
        for (const who of held) inFlight.leave(who);
        expect(fill(inFlight, bot("a"))).toBe(34);
      }),
    );
  });
});
