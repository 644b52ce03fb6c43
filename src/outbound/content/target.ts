import type { Queryable } from "../../platform/index.ts";
import type { MessageState } from "../new-message.ts";
import { CannotSend } from "./cannot-send.ts";
import type { Content } from "./content.ts";

/** The message that an edit, a deletion or a pin is about, as it stands when their turn has come. */
export interface Target {
  state: MessageState;
  /** Under which it was sent: a group that became a supergroup since numbers its messages anew. */
  chatId: string;
  /** In whose account, where a business account's bot sent it. */
  businessConnectionId: string | null;
  /** Telegram's, of each of its parts or items. */
  ids: string[];
  /** Null: a text. */
  type: Content["type"] | null;
}

/** SQL: the target of `outbound_messages m` as a `Target`; null for all that have none. */
export const TARGET = `CASE WHEN m.target_id IS NOT NULL THEN (
    SELECT jsonb_build_object('state', o.state, 'chatId', o.chat_id,
      'businessConnectionId', o.business_connection_id,
      'ids', to_jsonb(o.telegram_message_ids::text[]), 'type', o.content ->> 'type')
    FROM outbound_messages o WHERE o.workspace_id = m.workspace_id AND o.id = m.target_id
  ) END`;

const NOT_YET: readonly MessageState[] = ["awaiting_approval", "queued", "sending"];

/**
 * Telegram's ids of what is to be changed: at least one. Order in a chat sees to it that a target's own
 * send has been tried before.
 *
 * @param partly whether those that are there already are enough, while others are still to be sent
 * @throws CannotSend with what became of the target instead
 */
export function idsOfTarget(target: Target | null, { partly = false } = {}): string[] {
  if (target === null) throw new CannotSend("target-gone", "The message it is about is gone.");
  const { state, ids } = target;
  if (NOT_YET.includes(state) && !(partly && ids.length > 0)) {
    const words = "The message it is about has not been sent yet: replace or cancel that one.";
    throw new CannotSend("target-waits", words);
  }
  // Of a text in parts some may have been sent although it failed.
  if (ids.length > 0) return ids;
  if (state === "unknown" || state === "sent") {
    const words = "It is not known under which number Telegram has the message it is about.";
    throw new CannotSend("target-unknown", words);
  }
  throw new CannotSend("target-not-sent", "The message it is about was never sent.");
}

/** What acceptance looks at. */
export interface FoundTarget {
  connectorId: string;
  chatId: string;
  state: MessageState;
  /** As its job's: 0 goes first. */
  priority: number;
  type: Content["type"] | null;
  /** Nobody submitted it: it is the bot's own, as a request for approval is. */
  isOwn: boolean;
  /** It waits for a time of its own. */
  isScheduled: boolean;
}

const FIND = `/* outbound.find-target */
SELECT connector_id AS "connectorId", chat_id AS "chatId", state, priority, content ->> 'type' AS type,
  automatic AND submitted_by IS NULL AS "isOwn", coalesce(send_at > now(), false) AS "isScheduled"
FROM outbound_messages WHERE workspace_id = $1 AND id = $2 AND kind = 'message'`;

/** Null when the workspace has no such message. */
export async function findTarget(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<FoundTarget | null> {
  const [row] = await on.query<FoundTarget>(FIND, [workspaceId, id]);
  return row ?? null;
}
