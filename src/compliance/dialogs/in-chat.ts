import type { Asked, Reply } from "../../conversations/index.ts";
import { languageOf, type Transaction } from "../../platform/index.ts";
import type { Asker } from "../request-sink.ts";
import { may } from "../rights.ts";
import type { Advanced } from "./advance.ts";
import type { Dialog, Place } from "./dialog.ts";
import { writeAskedUntil, writeDialogs } from "./dialog-rows.ts";
import type { Acting } from "./effects.ts";
import { replyOf } from "./said.ts";
import { type Texts, textsIn } from "./texts.ts";

/** What requests have in common for dialogs: where they are, who asks, and how they are answered. */

export const placeOf = ({ workspaceId, connectorId, chatId, threadId }: Asked): Place => ({
  workspaceId,
  connectorId,
  chatId,
  threadId: threadId ?? "0",
});

export const actingOf = (
  { user: { id: userId, languageCode }, causeId }: Asked,
  { viewer: { personId } }: Asker,
  nowMs: number,
): Acting => ({
  by: personId === null ? `telegram:${userId}` : `person:${personId}`,
  personId,
  userId,
  language: languageOf(languageCode),
  nowMs,
  causeId,
});

/** What who asks is told in. */
export const textsOf = ({ user }: Pick<Asked, "user">): Texts =>
  textsIn(languageOf(user.languageCode));

/** Evidence is handed in here: nothing is kept of what comes to a chat for support. */
export const servesEvidence = ({ chatType, purpose }: Asked): boolean =>
  chatType === "private" ? purpose !== "support" : purpose === "compliance";

/** Why somebody does not go on with a dialog; null: they may. Asked at each step: rights are taken away. */
export function whyMayNot(
  dialog: Dialog,
  request: Pick<Asked, "user">,
  { viewer, access }: Asker,
): string | null {
  const { answers, refused } = textsOf(request);
  const isTheirs = dialog.userId === request.user.id;
  switch (dialog.kind) {
    case "evidence_collection":
      if (!isTheirs) return answers.notYours;
      return may(viewer, "submit-evidence", access) ? null : refused.rights;
    case "risk_assessment":
      if (!isTheirs) return answers.notYours;
      return may(viewer, "assess-risk", access) ? null : answers.notAssessor;
    case "compliance_review": {
      const isReviewer = viewer.personId !== null && may(viewer, "review-evidence", access);
      return isReviewer ? null : answers.notReviewer;
    }
  }
}

/** A dialog of a group that became a supergroup goes on there, on another card. */
export const inPlace = (dialog: Dialog, { chatId }: Place): Dialog =>
  dialog.chatId === chatId ? dialog : { ...dialog, chatId, cardId: null };

/** Words beside any dialog. */
export function tell(request: Asked, text: string): Reply {
  const { workspaceId, connectorId, chatId, threadId, causeId } = request;
  const where = { workspaceId, connectorId, chatId, threadId };
  return { kind: "message", ...where, text, format: "plain", causeId };
}

/** Writes what became of the dialogs that a request was about, and gives what it is answered. */
export async function finish(
  tx: Transaction,
  request: Asked,
  advanced: readonly Advanced[],
): Promise<Reply[]> {
  const changed = advanced.filter(({ isChanged }) => isChanged).map(({ dialog }) => dialog);
  if (changed.length > 0) {
    await writeDialogs(tx, changed);
    await writeAskedUntil(tx, placeOf(request));
  }
  return advanced.flatMap(({ said }) => said.map((one) => replyOf(one, request)));
}
