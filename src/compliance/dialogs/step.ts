import type { Dialog, DialogKind } from "./dialog.ts";
import type { Card, Context, DialogEvent, Machine, Step } from "./machine.ts";
import { complianceReview } from "./machine-compliance-review.ts";
import { evidenceCollection } from "./machine-evidence-collection.ts";
import { riskAssessment } from "./machine-risk-assessment.ts";
import { type Texts, textsTo } from "./texts.ts";

export const MACHINES: Readonly<Record<DialogKind, Machine>> = {
  evidence_collection: evidenceCollection,
  compliance_review: complianceReview,
  risk_assessment: riskAssessment,
};

export const cardOf = (dialog: Dialog): Card => MACHINES[dialog.kind].card(dialog);

export const stateRule = ({ kind, state }: Dialog) => MACHINES[kind].states[state];

const isShown = (card: Card, action: string, n: number | null): boolean =>
  card.buttons.flat().some((button) => button.action === action && (button.n ?? null) === n);

/** Of people: it keeps the dialog open for as long again. */
const RENEWS: ReadonlySet<DialogEvent["type"]> = new Set([
  "pressed",
  "words",
  "file",
  // What their steps came to.
  "request-found",
  "request-gone",
  "control-set",
  "control-gone",
  "controls-found",
  "description-set",
  "not-assessed",
]);

/**
 * One event of one dialog. Pure. A press of another version than the one that is shown, of a button that
 * is not shown, or of a dialog that is over is told so and changes nothing. The version rises when, and
 * only when, the card becomes another.
 */
export function step(dialog: Dialog, event: DialogEvent, context: Context): Step {
  const machine = MACHINES[dialog.kind];
  const card = machine.card(dialog);
  if (event.type === "pressed") {
    const refused = whyNot(dialog, card, event, textsTo(dialog, context));
    if (refused !== null) return { dialog, effects: [{ type: "answer", text: refused }] };
  }
  const { dialog: becomes, effects } = machine.step(dialog, event, context);
  if (becomes === dialog) return { dialog, effects };
  const isNew = becomes.cardId !== dialog.cardId || !isSame(card, machine.card(becomes));
  const version = dialog.version + (isNew ? 1 : 0);
  const goesOn = !becomes.isOver && (dialog.isOver || RENEWS.has(event.type));
  return { dialog: { ...becomes, version, ...(goesOn ? timesOf(dialog, context) : {}) }, effects };
}

/** Whoever was reminded once is not again, unless it was over in between. */
function timesOf(dialog: Dialog, { nowMs }: Context): Pick<Dialog, "expiresAtMs" | "remindAtMs"> {
  const { lifeMs, remindMs } = MACHINES[dialog.kind];
  const expiresAtMs = nowMs + lifeMs;
  const isReminded = dialog.remindAtMs === null && !dialog.isOver;
  return { expiresAtMs, remindAtMs: isReminded ? null : expiresAtMs - remindMs };
}

/** Whom it asks is reminded, once; null: nobody is to be. */
export function remind(dialog: Dialog): { dialog: Dialog; text: string } | null {
  if (dialog.isOver || dialog.remindAtMs === null) return null;
  return { dialog: { ...dialog, remindAtMs: null }, text: MACHINES[dialog.kind].reminder(dialog) };
}

function whyNot(
  dialog: Dialog,
  card: Card,
  { version, action, n }: Extract<DialogEvent, { type: "pressed" }>,
  { answers }: Texts,
): string | null {
  if (dialog.isOver) return answers.over;
  if (version !== dialog.version)
    return version < dialog.version ? answers.changed : answers.unknown;
  return isShown(card, action, n) ? null : answers.unknown;
}

export const isSame = (one: Card, other: Card): boolean =>
  JSON.stringify(one) === JSON.stringify(other);
