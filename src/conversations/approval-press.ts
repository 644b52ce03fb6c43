import type { JobId } from "../jobs/types.ts";
import type { Transaction } from "../platform/index.ts";
import type { Effect } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import type { Reply } from "./reply.ts";
import type { Update } from "./telegram-types.ts";

/**
 * Buttons by which approvers decide on messages. What a press means is told by the room of approvals,
 * which this one does not know: here it is recognised, and handed on in the transaction of its update.
 */
export interface ApprovalPress {
  workspaceId: string;
  connectorId: string;
  /** Where it was pressed; "0": nobody knows. */
  chatId: string;
  /** Telegram's id of who pressed. */
  userId: string;
  /** What the button's data holds: forgeable. */
  token: string;
  callbackQueryId: string;
  /** The job of the update. */
  causeId: JobId;
}

/** Applies presses, in their order; gives what they are answered. */
export type PressSink = (tx: Transaction, presses: readonly ApprovalPress[]) => Promise<Reply[]>;

const DATA = /^approval:([A-Za-z0-9_-]{22})$/;

/** Whether a button with this data would decide: of those only a request for approval has any. */
export const isPressData = (data: string): boolean => DATA.test(data);

/** Hands a press of such a button on; null where it was another. Whoever pressed may: a token is asked for. */
export function ofApprovalButton(
  { scope, jobId }: Incoming,
  { data, chat, user, queryId }: Extract<Update, { kind: "callback" }>,
): Effect[] | null {
  const token = DATA.exec(data ?? "")?.[1];
  if (token === undefined) return null;
  const where = { ...scope, chatId: chat?.id ?? "0" };
  const press = { ...where, userId: user.id, token, callbackQueryId: queryId, causeId: jobId };
  return [{ type: "approval-pressed", press }];
}
