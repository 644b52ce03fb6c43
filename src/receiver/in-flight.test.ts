import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { InFlight } from "./in-flight.ts";

const MOST = 100;
const fill = (inFlight: InFlight, bot: string) => {
  let count = 0;
  while (inFlight.enter(bot)) count++;
  return count;
};

describe("requests under way", () => {
  test("a bot alone has half of the places; those who come later still get theirs", () => {
    const inFlight = new InFlight(MOST);
    expect(fill(inFlight, "a")).toBe(50);
    expect(fill(inFlight, "b")).toBe(25);
    expect(fill(inFlight, "a")).toBe(0);
    expect(inFlight.enter("c")).toBe(true);
  });

  test("a place that is given back is there again, for whoever has fewer first", () => {
    const inFlight = new InFlight(MOST);
    fill(inFlight, "a");
    fill(inFlight, "b");
    inFlight.leave("a");
    expect(inFlight.enter("a")).toBe(false);
    expect(inFlight.enter("b")).toBe(true);
  });

  test("whatever comes and goes: no more than there are places, and one for each bot that has none", () => {
    const bot = fc.constantFrom("a", "b", "c", "d");
    fc.assert(
      fc.property(
        fc.array(fc.record({ bot, leaves: fc.boolean() }), { maxLength: 400 }),
        (steps) => {
          const inFlight = new InFlight(MOST);
          const held = new Map<string, number>();
          for (const { bot: name, leaves } of steps) {
            const count = held.get(name) ?? 0;
            if (leaves && count > 0) {
              inFlight.leave(name);
              held.set(name, count - 1);
            } else if (!leaves) {
              const entered = inFlight.enter(name);
              if (count === 0) expect(entered).toBe(true);
              if (entered) held.set(name, count + 1);
            }
            const total = [...held.values()].reduce((sum, value) => sum + value, 0);
            expect(total).toBeLessThanOrEqual(MOST);
          }
        },
      ),
    );
  });
});
