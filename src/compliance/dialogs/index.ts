/**
 * dialogs: what people do with the register in steps, by buttons: handing in evidence, reviewing it,
 * assessing a risk. Each kind is an explicit machine, a pure function in `machine-<kind>.ts`; the shell
 * around them (`advance`) holds the dialog's row, does what a step decided, and edits its card, all in the
 * transaction of the update. `createDialogs` gives the handlers of requests; the keeper does what nobody
 * presses. The states are in docs/workflows.md.
 */

import type { Asked, Reply } from "../../conversations/index.ts";
import type { JobSink } from "../../evidence/index.ts";
import { type Clock, systemClock, type Transaction } from "../../platform/index.ts";
import type { Asker, RequestHandlers } from "../request-sink.ts";
import { onAssess, onEvidence, type WantedRisk } from "./on-command.ts";
import { onFile, onText } from "./on-message.ts";
import { onPress } from "./on-press.ts";

export { assessData, DIALOG_DATA } from "./button-data.ts";
export { createDialogKeeper, type DialogKeeper, type DialogKeeperOptions } from "./keeper.ts";
export { dropDialogs } from "./retention.ts";

/** Handlers of what concerns dialogs. */
export interface Dialogs extends Pick<RequestHandlers, "press" | "file" | "text"> {
  /** `/evidence`, its arguments as words. */
  evidence(
    tx: Transaction,
    request: Asked,
    asker: Asker,
    words: readonly string[],
  ): Promise<Reply[]>;
  /** Begins the assessment of a risk: `/risk assess R-12`. */
  assess(tx: Transaction, request: Asked, asker: Asker, wanted: WantedRisk): Promise<Reply[]>;
}

/** `jobs`: takes the downloads of files that are handed in. */
export function createDialogs({
  jobs,
  clock = systemClock,
}: {
  jobs: JobSink;
  clock?: Clock;
}): Dialogs {
  const doing = { jobs, clock };
  return {
    evidence: (tx, request, asker, words) => onEvidence(tx, doing, request, asker, words),
    assess: (tx, request, asker, wanted) => onAssess(tx, doing, request, asker, wanted),
    press: (tx, request, asker) => onPress(tx, doing, request, asker),
    file: (tx, request, asker) => onFile(tx, doing, request, asker),
    text: (tx, request, asker) => onText(tx, doing, request, asker),
  };
}
