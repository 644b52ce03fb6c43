import { randomUUID } from "node:crypto";
import type { Transaction } from "../../platform/index.ts";
import type { Dialog } from "./dialog.ts";
import { type Acting, apply, type Doing } from "./effects.ts";
import type { DialogEvent } from "./machine.ts";
import { type Said, sayIn, showCard } from "./said.ts";
import { step } from "./step.ts";

export interface Advanced {
  dialog: Dialog;
  /** It is to be written: what is refused leaves the row as it is, and with it what was done last. */
  isChanged: boolean;
  /** For its chat, the card first. */
  said: Said[];
  /** For the pressed button; null: nothing in particular. */
  answer: string | null;
  /** The file of the event is its own now. */
  hasTakenFile: boolean;
}

/**
 * Takes a held dialog, or a new one, through an event: the machine's step, what that step decides done in
 * the transaction, and what that comes to as the next event, before the next effect. The caller writes
 * the dialog.
 */
export async function advance(
  tx: Transaction,
  doing: Doing,
  before: Dialog,
  event: DialogEvent | null,
  acting: Acting,
): Promise<Advanced> {
  let dialog = before;
  const words: string[] = [];
  let answer: string | null = null;
  let hasTakenFile = false;

  const take = async (next: DialogEvent): Promise<void> => {
    const { dialog: becomes, effects } = step(dialog, next, acting);
    dialog = becomes;
    for (const effect of effects) {
      if (effect.type === "answer") answer = effect.text;
      if (effect.type === "say") words.push(effect.text);
      if (effect.type === "take-file") hasTakenFile = true;
      const result = await apply(tx, doing, dialog, effect, acting);
      if (result !== null) await take(result);
    }
  };
  if (event !== null) await take(event);
  const shown = show(before, dialog);
  return {
    dialog: shown.dialog,
    isChanged: shown.dialog !== before,
    said: [...shown.said, ...words.map((one) => sayIn(dialog, one))],
    answer,
    hasTakenFile,
  };
}

/** The card, where it is another than before: in its message, or in a new one. */
export function show(before: Dialog, dialog: Dialog): { dialog: Dialog; said: Said[] } {
  const { cardId } = dialog;
  if (cardId !== null) {
    const said = dialog.version === before.version ? [] : [showCard(dialog, cardId, false)];
    return { dialog, said };
  }
  const shown = { ...dialog, cardId: randomUUID() };
  return { dialog: shown, said: [showCard(shown, shown.cardId, true)] };
}
