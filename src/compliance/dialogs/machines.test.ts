import { readFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../../test/support/property.ts";
import { LANGUAGES, type Language } from "../../platform/index.ts";
import { dataOf, parseData } from "./button-data.ts";
import { type Dialog, newDialog } from "./dialog.ts";
import type { Context, DialogEffect, DialogEvent, StateRule } from "./machine.ts";
import { complianceReview } from "./machine-compliance-review.ts";
import { emptyCollection, evidenceCollection } from "./machine-evidence-collection.ts";
import { emptyAssessment, riskAssessment } from "./machine-risk-assessment.ts";
import { cardOf, isSame, MACHINES, stateRule, step } from "./step.ts";
import { atMost, line } from "./words.ts";

const PLACE = { workspaceId: "w", connectorId: "c", chatId: "5", threadId: "0" };
const NOW = 1_000;
const context: Context = { nowMs: NOW, userId: "5" };
/** As people write: of any script, without halves of characters, which no text that is stored has. */
const words = fc.string({ unit: "binary", maxLength: 30 });
/** Cut in the middle of a character, by one of them. */
const long = fc.constantFrom("😀".repeat(2_500), `x${"😀".repeat(2_500)}`);

const begun = {
  collection: (language: Language = "en") =>
    newDialog(PLACE, {
      machine: evidenceCollection,
      state: "choosing-type" as const,
      data: emptyCollection([{ id: "r", number: "3", description: "Asked", control: null }]),
      userId: "5",
      language,
      nowMs: NOW,
    }),
  review: (chatId: string, language: Language = "en") =>
    newDialog(
      { ...PLACE, chatId },
      {
        machine: complianceReview,
        state: "deciding" as const,
        data: {
          number: "7",
          evidenceType: "document",
          description: "Report",
          control: { code: "C-1", title: "Access" },
          revision: 2,
          files: ["a.pdf"],
          fileCount: 3,
          submittedBy: "Ada",
          waiting: 234,
          outcome: null,
        },
        userId: chatId === "5" ? "5" : "0",
        language,
        nowMs: NOW,
      },
    ),
  assessment: (language: Language = "en") =>
    newDialog(PLACE, {
      machine: riskAssessment,
      state: "inherent-likelihood" as const,
      data: emptyAssessment({ code: "R-1", title: "Loss", version: 4 }),
      userId: "5",
      language,
      nowMs: NOW,
    }),
};

/** What the world answers to effects; `luck` decides where it may answer either way. */
function resultOf(effect: DialogEffect, luck: number): DialogEvent | null {
  const standing = { status: "approved", revision: 2, decidedBy: "Ben", reason: null };
  switch (effect.type) {
    case "create-evidence":
      return { type: "evidence-created", id: "e", number: "7" };
    case "find-request":
      if (luck === 0) return { type: "request-gone", id: effect.id };
      return {
        type: "request-found",
        request: { id: effect.id, number: "3", description: "Asked", control: null },
      };
    case "find-controls": {
      const options = [{ id: "x", code: "C-1", title: "Access" }];
      const { query, page } = effect;
      return { type: "controls-found", query, page, options, more: luck > 1 };
    }
    case "set-control":
      if (luck === 2) return { type: "standing-changed", standing };
      return luck === 0 ? { type: "control-gone" } : { type: "control-set", id: effect.controlId };
    case "describe":
      if (luck === 2) return { type: "standing-changed", standing };
      return { type: "description-set", description: effect.description };
    case "submit":
      return luck === 0 ? { type: "not-submitted", why: "no-content" } : { type: "submitted" };
    case "decide":
      if (luck === 0) return { type: "not-decided", why: "own" };
      return { type: "decided", standing: { ...standing, status: effect.decision } };
    case "assess":
      return luck === 0 ? { type: "not-assessed", version: 5 } : { type: "assessed" };
    default:
      return null;
  }
}

/** As the shell does it, without anything but the machine. */
function drive(before: Dialog, event: DialogEvent, luck: number) {
  let dialog = before;
  const effects: DialogEffect[] = [];
  const take = (next: DialogEvent): void => {
    const stepped = step(dialog, next, context);
    dialog = stepped.dialog;
    for (const effect of stepped.effects) {
      effects.push(effect);
      const result = resultOf(effect, luck);
      if (result !== null) take(result);
    }
  };
  take(event);
  return { dialog, effects };
}

/** What somebody may do to a dialog: mostly what its card shows, sometimes anything else. */
type Move =
  | { do: "shown"; which: number }
  | { do: "forged"; version: number; action: string; n: number | null }
  | { do: "event"; event: DialogEvent };

const standing = fc.record({
  status: fc.constantFrom("draft", "in_review", "approved", "rejected", "expired"),
  revision: fc.constantFrom(2, 3),
  decidedBy: fc.option(words),
  reason: fc.option(fc.oneof(words, long)),
});
const event: fc.Arbitrary<DialogEvent> = fc.oneof(
  fc.record({ type: fc.constant("words" as const), text: fc.oneof(words, long) }),
  fc.record({
    type: fc.constant("file" as const),
    kind: fc.constantFrom("document", "photo"),
    caption: fc.option(fc.oneof(words, long)),
    mediaGroupId: fc.option(fc.constantFrom("a", "b")),
  }),
  fc.record({
    type: fc.constant("described" as const),
    evidenceType: words,
    description: words,
  }),
  fc.constantFrom<DialogEvent>({ type: "time-over" }, { type: "crowded-out" }),
  fc.record({ type: fc.constant("standing-changed" as const), standing }),
);
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("shown" as const), which: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("forged" as const),
      version: fc.integer({ min: 1, max: 12 }),
      action: fc.constantFrom("submit", "approve", "save", "rate", "cancel", "control", "treat"),
      n: fc.option(fc.integer({ min: 0, max: 9 })),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("event" as const), event }) },
);

function eventOf(dialog: Dialog, move: Move): DialogEvent {
  if (move.do === "event") return move.event;
  if (move.do === "forged") {
    const { version, action, n } = move;
    return { type: "pressed", version, action, n };
  }
  const buttons = cardOf(dialog).buttons.flat();
  const button = buttons[move.which % Math.max(buttons.length, 1)];
  const { action, n = null } = button ?? { action: "cancel" };
  return { type: "pressed", version: dialog.version, action, n };
}

const decidedElsewhere = (by: string): string[] =>
  by === "control" || by === "words" ? ["approved"] : [];

/** Where an event may lead, by the table of its machine; results of effects are part of the event. */
function mayLeadTo(dialog: Dialog, event: DialogEvent): readonly string[] {
  const rule: StateRule | undefined = stateRule(dialog);
  const own = [dialog.state];
  switch (event.type) {
    case "pressed":
      // A control that is gone leads back to the choice; what was decided meanwhile, to the end.
      return [...own, ...(rule?.presses[event.action] ?? []), ...decidedElsewhere(event.action)];
    case "words":
      return [...own, ...(rule?.words ?? []), ...decidedElsewhere("words")];
    case "file":
      // Its caption describes the evidence, which may have been decided meanwhile.
      return [...own, ...(rule?.file ?? []), ...(event.caption === null ? [] : ["approved"])];
    case "described":
      return [...own, "ready"];
    case "time-over":
      return [...own, "expired"];
    case "crowded-out":
      return [...own, "cancelled"];
    case "standing-changed":
      return [...own, "submitted", "approved", "rejected", "superseded", "awaiting-file"];
    default:
      return own;
  }
}

const start = fc.constantFrom(
  begun.collection,
  begun.assessment,
  (language: Language) => begun.review("5", language),
  (language: Language) => begun.review("-5", language),
);
const language = fc.constantFrom(...LANGUAGES);
const count = (effects: readonly DialogEffect[], type: DialogEffect["type"]) =>
  effects.filter((effect) => effect.type === type).length;

describe("any order of presses, messages, files, ends and news", () => {
  test("leads along the table, shows what may be pressed, and does everything once", () => {
    const steps = fc.array(fc.tuple(move, fc.nat(2)), { maxLength: 25 });
    fc.assert(
      fc.property(start, language, steps, (make, spoken, moves) => {
        let dialog: Dialog = make(spoken);
        const done: DialogEffect[] = [];
        for (const [one, luck] of moves) {
          const event = eventOf(dialog, one);
          const before = dialog;
          const card = cardOf(before);
          const after = drive(before, event, luck);
          dialog = after.dialog;
          done.push(...after.effects);

          expect(mayLeadTo(before, event)).toContain(dialog.state);
          expect(dialog.isOver).toBe(stateRule(dialog)?.isEnd === true);
          const shown = cardOf(dialog);
          expect(dialog.version).toBeGreaterThanOrEqual(before.version);
          if (!isSame(card, shown)) expect(dialog.version).toBeGreaterThan(before.version);
          const isForged = one.do === "forged" && one.version !== before.version;
          if (isForged || (before.isOver && event.type === "pressed")) expect(dialog).toBe(before);

          const buttons = shown.buttons.flat();
          const canCancel = buttons.some(({ action }) => action === "cancel");
          const isGroupReview = dialog.kind === "compliance_review" && !dialog.isPrivate;
          expect(canCancel).toBe(!dialog.isOver && !(isGroupReview && dialog.state === "deciding"));
          expect(shown.text.length).toBeLessThanOrEqual(4_096);
          expect(JSON.stringify(dialog.data)).not.toMatch(/\\ud[89a-f]/i);
          for (const { text, action, n = null } of buttons) {
            expect(text).not.toBe("");
            const data = dataOf({ token: dialog.token, version: dialog.version, action, n });
            expect(Buffer.byteLength(data)).toBeLessThanOrEqual(64);
            const pressed = { token: dialog.token, version: dialog.version, action, n };
            expect(parseData(data.replace("hg:", ""))).toEqual(pressed);
          }
          const rule = stateRule(before);
          const takes = event.type === "file" && rule?.file !== undefined;
          const mayTake = takes && (!before.isOver || event.mediaGroupId === before.mediaGroupId);
          if (event.type !== "file" || !mayTake) expect(count(after.effects, "take-file")).toBe(0);
          else if (!before.isOver) expect(count(after.effects, "take-file")).toBe(1);
        }
        expect(count(done, "create-evidence")).toBeLessThanOrEqual(1);
      }),
      { numRuns: runs(200) },
    );
  });

  test("time runs anew with each step of a person, and whom it asks is reminded once", () => {
    const dialog = begun.collection();
    const later = { nowMs: NOW + 60_000, userId: "5" };
    const press = { type: "pressed", version: 1, action: "document", n: null } as const;
    const { dialog: next } = step({ ...dialog, remindAtMs: null }, press, later);
    expect(next.expiresAtMs).toBe(dialog.expiresAtMs + 60_000);
    expect(next.remindAtMs).toBeNull();
    const { dialog: ended } = step(next, { type: "time-over" }, later);
    expect(ended).toMatchObject({ state: "expired", isOver: true, expiresAtMs: next.expiresAtMs });
  });
});

test("in a group a card names controls, and what is asked for, by their codes", () => {
  const control = { id: "x", code: "C-1", title: "Access" };
  const request = { id: "r", number: "3", description: "Asked", control };
  const asking = begun.collection();
  const group = { ...asking, chatId: "-5", isPrivate: false };
  const shown = (dialog: Dialog) => JSON.stringify(cardOf(dialog));
  const data = { ...asking.data, requests: [request], options: [control], control };
  for (const state of ["choosing-type", "choosing-control", "confirming", "submitted"] as const) {
    const title = state === "choosing-type" ? "Asked" : "C-1 Access";
    expect(shown({ ...asking, state, data })).toContain(title);
    expect(shown({ ...group, state, data })).toContain("C-1");
    expect(shown({ ...group, state, data })).not.toMatch(/Access|Asked/);
  }
  const words = { ...data, number: "3", description: "Asked" };
  const awaiting = (isAsked: boolean) => ({
    ...group,
    state: "awaiting-file",
    data: { ...words, isAsked },
  });
  expect(shown(awaiting(true))).not.toContain("Asked");
  expect(shown(awaiting(false))).toContain("Asked");
  expect(shown(begun.review("5"))).toContain("Control: C-1 Access");
  expect(shown(begun.review("-5"))).toMatch(/Control: C-1\\n/);
});

test("the last of many cards says how many more wait, as long as it asks", () => {
  const review = begun.review("5");
  expect(cardOf(review).text).toMatch(/\n\n234 more wait for their review\.$/);
  const many = { ...review, data: { ...review.data, waiting: 1_001 } };
  expect(cardOf(many).text).toContain("More than 1,000 others wait");
  expect(cardOf({ ...review, state: "left" }).text).not.toContain("more wait");
  expect(cardOf({ ...review, data: { ...review.data, waiting: 0 } }).text).not.toContain(
    "more wait",
  );
});

describe("data of buttons", () => {
  test("what was not made here is nobody's", () => {
    const token = "A".repeat(16);
    for (const data of [
      "",
      "d:",
      `d:${token}`,
      `d:${token}:0:submit`,
      `d:${token}:1:submit:1:2`,
      `d:${token}:1:SUBMIT`,
      `d:${token}\n:1:submit`,
      `d:${token}:1e3:submit`,
      "d:risk:1",
      "l:c:1",
    ]) {
      expect([data, parseData(data)]).toEqual([data, null]);
    }
    fc.assert(fc.property(words, (data) => parseData(`d:${data}`) === null));
  });
});

test("texts of others stand on one line, turn nothing around, and are cut between characters", () => {
  expect(line("a\u202eb\nc\u0000d", 10)).toBe("a b c d");
  expect(atMost("a😀", 2)).toBe("a");
  expect(line("😀".repeat(50), 10)).toMatch(/^😀{4}…$/u);
});

test("the tables in the documentation are those of the machines", async () => {
  const page = await readFile(new URL("../../../docs/workflows.md", import.meta.url), "utf8");
  const to = (states: readonly string[]) => states.map((state) => `\`${state}\``).join(" or ");
  for (const { kind, states } of Object.values(MACHINES)) {
    for (const [state, { presses, words: told, file }] of Object.entries<StateRule>(states)) {
      const moves = [
        ...Object.entries(presses).map(([action, next]) => `${action} → ${to(next)}`),
        ...(told === undefined ? [] : [`words → ${to(told)}`]),
        ...(file === undefined ? [] : [`a file → ${to(file)}`]),
      ];
      expect([kind, page]).toEqual([
        kind,
        expect.stringContaining(
          `| \`${state}\` | ${moves.length === 0 ? "–" : moves.join("; ")} |`,
        ),
      ]);
    }
  }
});
