import type { Transaction } from "../../platform/index.ts";
import { type Advanced, advance } from "./advance.ts";
import type { Dialog } from "./dialog.ts";
import type { OpenDialog } from "./dialog-rows.ts";
import type { Acting, Doing } from "./effects.ts";
import type { DialogEvent } from "./machine.ts";

/** Of one person in one chat, at a time; who begins more ends the oldest. */
export const MAX_OPEN = 5;

/**
 * Those that make way for another: of the same evidence all, since one of them is gone on with; of the
 * others the oldest. `open`: the one that changed last comes first. Pure.
 */
export function makeWay(open: readonly OpenDialog[], evidenceId: string | null): Dialog[] {
  // Nobody began a review by themselves.
  const own = open.map(({ dialog }) => dialog).filter(({ kind }) => kind !== "compliance_review");
  const isSame = (dialog: Dialog) => evidenceId !== null && dialog.evidenceId === evidenceId;
  const others = own.filter((dialog) => !isSame(dialog));
  return [...own.filter(isSame), ...others.slice(MAX_OPEN - 1)];
}

/** Begins a dialog, and ends those that are too many with it. `open`: those of the same person there. */
export async function begin(
  tx: Transaction,
  doing: Doing,
  { dialog, event, open }: { dialog: Dialog; event: DialogEvent | null; open: OpenDialog[] },
  acting: Acting,
): Promise<Advanced[]> {
  const ended: Advanced[] = [];
  for (const old of makeWay(open, dialog.evidenceId)) {
    ended.push(await advance(tx, doing, old, { type: "crowded-out" }, acting));
  }
  return [...ended, await advance(tx, doing, dialog, event, acting)];
}
