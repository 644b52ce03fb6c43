import type { Transaction } from "../../platform/index.ts";
import { type Advanced, advance } from "./advance.ts";
import type { Dialog } from "./dialog.ts";
import type { OpenDialog } from "./dialog-rows.ts";
import type { Acting, Doing } from "./effects.ts";
import type { DialogEvent } from "./machine.ts";

/** Of one person in one chat, at a time; who begins more ends the oldest. */
export const MAX_OPEN = 5;

/** Those that make way for another; `open`: the one that changed last comes first. Pure. */
export const makeWay = (open: readonly OpenDialog[]): Dialog[] =>
  open
    // Nobody began a review by themselves.
    .filter(({ dialog }) => dialog.kind !== "compliance_review")
    .slice(MAX_OPEN - 1)
    .map(({ dialog }) => dialog);

/** Begins a dialog, and ends those that are too many with it. `open`: those of the same person there. */
export async function begin(
  tx: Transaction,
  doing: Doing,
  { dialog, event, open }: { dialog: Dialog; event: DialogEvent | null; open: OpenDialog[] },
  acting: Acting,
): Promise<Advanced[]> {
  const ended: Advanced[] = [];
  for (const old of makeWay(open)) {
    ended.push(await advance(tx, doing, old, { type: "crowded-out" }, acting));
  }
  return [...ended, await advance(tx, doing, dialog, event, acting)];
}
