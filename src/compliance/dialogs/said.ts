import type { Asked, Reply } from "../../conversations/index.ts";
import type { NewMessage } from "../../outbound/index.ts";
import { dataOf } from "./button-data.ts";
import type { Dialog } from "./dialog.ts";
import { cardOf } from "./step.ts";

/** What a dialog says in its chat. */
export interface Said {
  workspaceId: string;
  connectorId: string;
  chatId: string;
  threadId: string;
  /** Of the message it becomes; absent: any. */
  id?: string;
  /** Takes the place of what this message says. */
  edits?: string;
  text: string;
  buttons: Array<Array<{ text: string; data: string }>>;
}

export const sayIn = (
  { workspaceId, connectorId, chatId, threadId }: Dialog,
  text: string,
): Said => ({ workspaceId, connectorId, chatId, threadId, text, buttons: [] });

/** The card as it is now: the message `cardId` anew where it stands, or for the first time. */
export function showCard(dialog: Dialog, cardId: string, isNew: boolean): Said {
  const { text, buttons } = cardOf(dialog);
  const { token, version } = dialog;
  return {
    ...sayIn(dialog, text),
    ...(isNew ? { id: cardId } : { edits: cardId }),
    buttons: buttons.map((row) =>
      row.map(({ text: label, action, n = null }) => ({
        text: label,
        data: dataOf({ token, version, action, n }),
      })),
    ),
  };
}

const threadOf = (threadId: string): string | null => (threadId === "0" ? null : threadId);

/** As the answer to a request. */
export const replyOf = (
  { threadId, buttons, ...said }: Said,
  { causeId }: Pick<Asked, "causeId">,
): Reply => ({
  kind: "message",
  ...said,
  threadId: threadOf(threadId),
  format: "plain",
  ...(buttons.length > 0 ? { buttons } : {}),
  causeId,
});

/** As a message that nobody asked for at this moment. */
export const messageOf = ({ threadId, buttons, edits, ...said }: Said): NewMessage => ({
  ...said,
  threadId: threadOf(threadId),
  format: "plain",
  ...(buttons.length > 0 ? { buttons } : {}),
  ...(edits === undefined ? {} : { content: { type: "edit", messageId: edits } }),
  priority: "high",
  isAutomatic: true,
});
