import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import {
  afterChange,
  afterRun,
  CONVERSATION_STATUSES,
  type HeardState,
  ImpossibleChange,
  isAfter,
  type QueueChange,
  runsOf,
  type Turn,
  UNHEARD,
} from "./queue-status.ts";

const customer = (atS: number, messageId = atS): Turn => ({
  side: "customer",
  place: { atS, messageId: String(messageId) },
  userId: "1",
});
const team = (atS: number, messageId = atS): Turn => ({
  ...customer(atS, messageId),
  side: "team",
  userId: null,
});

const said = (state: HeardState, ...turns: Turn[]): HeardState =>
  runsOf(turns).reduce(afterRun, state);
const changed = (state: HeardState, change: QueueChange, nowMs: number): HeardState => ({
  ...state,
  ...afterChange(state, change, nowMs),
});
const S = 1_000;

describe("what is said", () => {
  test("a customer's message opens; the team's answer waits and is the first response", () => {
    const asked = said(UNHEARD, customer(10), customer(12));
    expect(asked).toMatchObject({ status: "open", waitingSinceMs: 10 * S, openedAtMs: 10 * S });
    const answered = said(asked, team(20));
    expect(answered).toMatchObject({
      status: "waiting",
      waitingSinceMs: null,
      firstRespondedAtMs: 20 * S,
      openedAtMs: 10 * S,
    });
    const again = said(answered, customer(30), team(40));
    expect(again).toMatchObject({ status: "waiting", firstRespondedAtMs: 20 * S, reopens: 0 });
  });

  test("an answer whose outcome is told late, or twice, does not answer what came after it", () => {
    const state = said(UNHEARD, customer(10), customer(30));
    expect(said(state, team(20))).toMatchObject({ status: "open", firstRespondedAtMs: null });
    const reopened = changed(said(UNHEARD, customer(10), team(20)), { status: "open" }, 25 * S);
    expect(said(reopened, team(20))).toMatchObject({ status: "open", waitingSinceMs: 25 * S });
  });

  test("within one second the number decides", () => {
    const state = said(UNHEARD, customer(10, 5));
    expect(said(state, team(10, 4)).status).toBe("open");
    expect(said(state, team(10, 6)).status).toBe("waiting");
  });

  test("a customer's message that comes late opens all the same: nobody had read it", () => {
    const state = said(UNHEARD, customer(10), team(40));
    expect(said(state, customer(30))).toMatchObject({ status: "open", waitingSinceMs: 30 * S });
  });

  test("ends a snooze, and begins an opening with clocks of its own after a close", () => {
    const asked = said(UNHEARD, customer(10), team(20));
    const snoozed = changed(asked, { snoozedUntilMs: 90 * S }, 21 * S);
    expect(said(snoozed, customer(30))).toMatchObject({
      status: "open",
      snoozedUntilMs: null,
      reopens: 0,
    });
    const closed = changed(asked, { status: "closed" }, 60 * S);
    expect(closed).toMatchObject({ resolvedAtMs: 60 * S, openedAtMs: 10 * S });
    expect(said(closed, team(61))).toMatchObject({ status: "closed" });
    expect(said(closed, customer(70))).toMatchObject({
      status: "open",
      openedAtMs: 70 * S,
      firstRespondedAtMs: null,
      resolvedAtMs: null,
      reopens: 1,
    });
  });

  test("a conversation that the team began waits; the customer's first word opens the first time", () => {
    const begun = said(UNHEARD, team(5));
    expect(begun).toMatchObject({ status: "waiting", firstRespondedAtMs: null });
    expect(said(begun, customer(10))).toMatchObject({ openedAtMs: 10 * S, reopens: 0 });
  });
});

describe("a member's change", () => {
  const open = said(UNHEARD, customer(10));

  test("closes, takes the close back, hands over", () => {
    const closed = changed(open, { status: "closed", assignee: "ada" }, 50 * S);
    expect(closed).toMatchObject({
      status: "closed",
      resolvedAtMs: 50 * S,
      assignee: "ada",
      waitingSinceMs: null,
    });
    const back = changed(closed, { status: "open" }, 60 * S);
    expect(back).toMatchObject({
      resolvedAtMs: null,
      openedAtMs: 10 * S,
      reopens: 0,
      waitingSinceMs: 60 * S,
    });
    expect(changed(back, { assignee: null }, 61 * S)).toMatchObject({
      status: "open",
      assignee: null,
    });
  });

  test("that changes nothing leaves everything as it was", () => {
    for (const status of CONVERSATION_STATUSES) {
      const change = status === "snoozed" ? { snoozedUntilMs: 900 * S } : { status };
      const state = changed(open, change, 50 * S);
      expect(changed(state, { status }, 70 * S)).toEqual(state);
      expect(changed(state, {}, 70 * S)).toEqual(state);
    }
  });

  test.each<[QueueChange, string]>([
    [{ status: "snoozed" }, "status"],
    [{ status: "closed", snoozedUntilMs: 90 * S }, "snoozedUntil"],
    [{ snoozedUntilMs: 50 * S }, "snoozedUntil"],
    [{ status: "snoozed", snoozedUntilMs: 1 }, "snoozedUntil"],
  ])("%j contradicts itself", (change, field) => {
    expect(() => afterChange(open, change, 50 * S)).toThrow(ImpossibleChange);
    expect(() => afterChange(open, change, 50 * S)).toThrow(expect.objectContaining({ field }));
  });
});

/** Any history of few moments, so that they meet often. */
const turn = fc
  .tuple(fc.boolean(), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }))
  .map(([isCustomer, atS, id]) => (isCustomer ? customer(atS, id) : team(atS, id)));
const change = fc.oneof(
  fc.constantFrom("open", "waiting", "closed").map((status) => ({ status }) as QueueChange),
  fc.integer({ min: 100, max: 110 }).map((s) => ({ snoozedUntilMs: s * S })),
);
const step = fc.oneof(fc.array(turn, { minLength: 1, maxLength: 4 }), change);

describe("whatever happens", () => {
  const play = (steps: Array<Turn[] | QueueChange>) =>
    steps.reduce<HeardState>(
      (state, one) => (Array.isArray(one) ? said(state, ...one) : changed(state, one, 50 * S)),
      UNHEARD,
    );

  test("each status has its time, and no response or resolution is older than its opening", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const state = play(steps);
        expect(state.waitingSinceMs !== null).toBe(state.status === "open");
        expect(state.snoozedUntilMs !== null).toBe(state.status === "snoozed");
        expect(state.resolvedAtMs !== null).toBe(state.status === "closed");
        const { openedAtMs, firstRespondedAtMs } = state;
        if (firstRespondedAtMs !== null)
          expect(firstRespondedAtMs).toBeGreaterThanOrEqual(openedAtMs ?? Infinity);
      }),
    );
  });

  test("several messages at once come to what they come to one by one", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 6 }),
        fc.array(turn, { maxLength: 8 }),
        (steps, turns) => {
          const state = play(steps);
          const oneByOne = turns.reduce((now, one) => said(now, one), state);
          expect(said(state, ...turns)).toEqual(oneByOne);
        },
      ),
    );
  });

  test("a customer who has just written never stands in a closed or snoozed conversation", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), turn, (steps, last) => {
        const state = said(play(steps), { ...last, side: "customer" });
        expect(state.status).toBe("open");
        // What the team said before that, told again, changes nothing of it.
        const place = state.lastCustomer ?? last.place;
        if (!isAfter(last.place, place))
          expect(said(state, { ...last, side: "team" }).status).toBe("open");
      }),
    );
  });
});
