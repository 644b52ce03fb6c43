import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { PendingUpdates } from "./pending-updates.ts";
import { redeliveryDelayMs, retryAfterSeconds } from "./redelivery.ts";
import { isAllowed, lifetimeMs, queueOf } from "./update-kinds.ts";

describe("redelivery", () => {
  test("is at once, then after 2, 4, 8 … s, capped between 60 and 120 s", () => {
    const delays = [1, 2, 3, 4, 5, 6].map((failures) =>
      redeliveryDelayMs(failures, undefined, 0.5),
    );
    expect(delays).toEqual([0, 2_000, 4_000, 8_000, 16_000, 32_000]);
    fc.assert(
      fc.property(
        fc.integer({ min: 8, max: 10_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (failures, random) => {
          const delayMs = redeliveryDelayMs(failures, undefined, random);
          expect(delayMs).toBeGreaterThanOrEqual(60_000);
          expect(delayMs).toBeLessThan(120_000);
        },
      ),
    );
  });

  test("follows Retry-After from 0 to 3600 s and nothing else", () => {
    expect(redeliveryDelayMs(1, 30, 0)).toBe(30_000);
    expect(redeliveryDelayMs(9, 0, 0)).toBe(0);
    expect(retryAfterSeconds("3600")).toBe(3_600);
    for (const bad of [undefined, "3601", "-1", "1.5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"])
      expect(retryAfterSeconds(bad)).toBeUndefined();
  });
});

describe("kinds of updates", () => {
  test("messages and edits of a chat share a queue; queries go by user; membership is apart", () => {
    const chat = { id: -5 };
    const of = (kind: string, body: object) => queueOf({ update_id: 1, [kind]: body });
    expect(of("message", { chat })).toBe(of("edited_message", { chat }));
    expect(of("message", { chat })).not.toBe(of("message", { chat: { id: -6 } }));
    expect(of("callback_query", { from: { id: 9 }, message: { chat } })).not.toBe(
      of("message", { chat }),
    );
    expect(of("my_chat_member", { chat })).not.toBe(of("message", { chat }));
    expect(of("chat_member", { chat })).not.toBe(of("my_chat_member", { chat }));
    expect(of("message_reaction", { chat })).not.toBe(of("message", { chat }));
  });

  test("live as long as Telegram keeps them", () => {
    expect(lifetimeMs("message")).toBe(24 * 3_600_000);
    expect(lifetimeMs("callback_query")).toBe(150_000);
    expect(lifetimeMs("inline_query")).toBe(30_000);
    expect(lifetimeMs("chosen_inline_result")).toBe(600_000);
  });

  test("three kinds come only to those who ask for them", () => {
    for (const choice of [null, []]) {
      expect(isAllowed("message", choice)).toBe(true);
      expect(isAllowed("my_chat_member", choice)).toBe(true);
      for (const kind of ["chat_member", "message_reaction", "message_reaction_count"])
        expect(isAllowed(kind, choice)).toBe(false);
    }
    expect(isAllowed("chat_member", ["chat_member"])).toBe(true);
    expect(isAllowed("message", ["chat_member"])).toBe(false);
  });
});

describe("pending updates", () => {
  test("each expires at its own time, and is told of once", () => {
    const expired: number[] = [];
    const pending = new PendingUpdates((entry) => expired.push(entry.id));
    pending.add({ update_id: 1, message: { chat: { id: 1 } } }, 0);
    pending.add({ update_id: 2, callback_query: { from: { id: 1 } } }, 0);
    pending.add({ update_id: 3, inline_query: { from: { id: 1 } } }, 0);
    pending.expire(29_999);
    expect(expired).toEqual([]);
    pending.expire(30_000);
    expect(expired).toEqual([3]);
    pending.expire(150_000);
    pending.expire(150_001);
    expect(expired).toEqual([3, 2]);
    expect([...pending.values()].map(({ id }) => id)).toEqual([1]);
  });

  test("confirming in any order leaves exactly the rest", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(2_999), { maxLength: 2_900 }), (confirmed) => {
        const pending = new PendingUpdates(() => {});
        const entries = Array.from({ length: 3_000 }, (_, id) =>
          pending.add({ update_id: id, message: { chat: { id: 1 } } }, 0),
        );
        for (const id of confirmed) {
          const entry = entries[id];
          if (entry !== undefined) pending.confirm(entry);
        }
        const gone = new Set(confirmed);
        expect([...pending.values()].map(({ id }) => id)).toEqual(
          entries.map(({ id }) => id).filter((id) => !gone.has(id)),
        );
        pending.expire(25 * 3_600_000);
        expect(pending.size).toBe(0);
      }),
      { numRuns: 20 },
    );
  });
});
