import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../test/support/property.ts";
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

  test("follows Retry-After up to an hour and nothing else", () => {
    expect(redeliveryDelayMs(1, 30, 0)).toBe(30_000);
    expect(redeliveryDelayMs(3, 0, 0)).toBe(4_000);
    expect(retryAfterSeconds("3600")).toBe(3_600);
    expect(retryAfterSeconds("86400")).toBe(3_600);
    for (const bad of [undefined, "-1", "1.5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"])
      expect(retryAfterSeconds(bad)).toBeUndefined();
  });
});

describe("kinds of updates", () => {
  test("share a queue exactly where Telegram has it so", () => {
    const chat = { id: -5 };
    const from = { id: 9 };
    let updateId = 0;
    const of = (kind: string, body: object) => queueOf({ update_id: ++updateId, [kind]: body });
    const member = (id: number) => ({ chat, from, new_chat_member: { user: { id } } });
    const queues = [
      ["message", "edited_message", "channel_post", "edited_channel_post"].map((kind) =>
        of(kind, { chat, from }),
      ),
      [of("message", { chat: { id: -6 }, from })],
      [of("callback_query", { from, message: { chat } }), of("callback_query", { from })],
      [of("callback_query", { from: { id: 8 }, message: { chat } })],
      [of("inline_query", { from })],
      [of("chosen_inline_result", { from })],
      [of("shipping_query", { from }), of("pre_checkout_query", { from })],
      [of("poll", { id: "77" }), of("poll_answer", { poll_id: "77", user: from })],
      [of("my_chat_member", member(1)), of("my_chat_member", { chat, from: { id: 2 } })],
      [of("chat_member", member(9)), of("chat_join_request", { chat: { id: -6 }, from })],
      [of("chat_member", member(10))],
      [of("chat_boost", { chat }), of("removed_chat_boost", { chat })],
      [of("message_reaction", { chat, user: from })],
      [of("message_reaction_count", { chat })],
      [of("business_connection", { id: "b", user: from })],
      ["business_message", "edited_business_message", "deleted_business_messages"].map((kind) =>
        of(kind, { chat, business_connection_id: "b" }),
      ),
      [of("some_kind_of_tomorrow", { chat })],
      [of("some_kind_of_tomorrow", { chat })],
    ];
    for (const shared of queues) expect(new Set(shared).size).toBe(1);
    expect(new Set(queues.flat()).size).toBe(queues.length);
  });

  test("live as long as Telegram keeps them", () => {
    expect(lifetimeMs("message")).toBe(24 * 3_600_000);
    expect(lifetimeMs("edited_message")).toBe(24 * 3_600_000);
    for (const query of ["callback_query", "shipping_query", "pre_checkout_query"])
      expect(lifetimeMs(query)).toBe(150_000);
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
      { numRuns: runs(20) },
    );
  });
});
