import { placeInLane } from "../jobs/index.ts";
import { type Queryable, systemClock } from "../platform/index.ts";
import { COST } from "./content/index.ts";
import type { MessageState } from "./new-message.ts";
import { readPace } from "./pace-store.ts";
import { COUNTED, type WaitingReason, waitingReasons } from "./waiting-reasons.ts";

/** Why a message has not been sent yet. */
export interface Waiting {
  id: string;
  state: MessageState;
  /** Whether it is still to be sent. */
  waiting: boolean;
  /** What keeps it, the first first; empty when it is not waiting. */
  reasons: WaitingReason[];
  /** ISO 8601: not sent any more from then on. */
  expiresAt?: string;
}

interface MessageRow {
  state: MessageState;
  connector_id: string;
  chat_id: string;
  cost: number;
  send_at: Date | null;
  expires_at: Date | null;
  status: string;
  bot_held_until: Date | null;
  chat_held_until: Date | null;
  held_chats: string[];
}

/** So many chats that Telegram holds are left out of what goes before a message. */
const HELD_CHATS = 1_000;

const MESSAGE = `/* outbound.waiting */
SELECT m.state, m.connector_id, m.chat_id, ${COST} AS cost, m.send_at, m.expires_at, c.status,
  bot.until AS bot_held_until, chat.until AS chat_held_until,
  ARRAY(SELECT h.chat_id FROM send_holds h
    WHERE h.workspace_id = m.workspace_id AND h.connector_id = m.connector_id
      AND h.chat_id <> '' AND h.until > now() LIMIT ${HELD_CHATS}) AS held_chats
FROM outbound_messages m
JOIN connectors c ON c.workspace_id = m.workspace_id AND c.id = m.connector_id
LEFT JOIN send_holds bot ON bot.workspace_id = m.workspace_id
  AND bot.connector_id = m.connector_id AND bot.chat_id = '' AND bot.until > now()
LEFT JOIN send_holds chat ON chat.workspace_id = m.workspace_id
  AND chat.connector_id = m.connector_id AND chat.chat_id = m.chat_id AND chat.until > now()
WHERE m.workspace_id = $1 AND m.id = $2 AND m.kind IN ('message', 'deletion')`;

const WAITING: readonly MessageState[] = ["awaiting_approval", "queued", "sending"];

/**
 * What a message waits for, and until when where that is known, from what Postgres knows: the same
 * in whichever process it is asked. Null: this workspace has no such message. `on` sees the ledger,
 * so it is the engine's; the workspace is in the statement.
 */
export async function whyWaiting(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<Waiting | null> {
  const [message] = await on.query<MessageRow>(MESSAGE, [workspaceId, id]);
  if (message === undefined) return null;
  const { state, connector_id: connectorId, chat_id: chatId } = message;
  const expiry = message.expires_at === null ? {} : { expiresAt: message.expires_at.toISOString() };
  const waiting = WAITING.includes(state);
  if (!waiting) return { id, state, waiting, reasons: [] };
  const place = await placeInLane(on, {
    queue: "outbound",
    lane: connectorId,
    orderingKey: chatId,
    payload: { messageId: id },
    passedKeys: message.held_chats,
    most: COUNTED,
  });
  const nowMs = systemClock();
  const pace = await readPace(on, connectorId, { nowMs });
  const reasons = waitingReasons({
    state,
    sendAt: message.send_at,
    isRefused: message.status === "disabled",
    botHeldUntil: message.bot_held_until,
    chatHeldUntil: message.chat_held_until,
    chatFreeAt: new Date(pace.chatNextAtMs(chatId, nowMs, message.cost)),
    perSecond: pace.rate.perSecond,
    place,
    now: new Date(nowMs),
  });
  return { id, state, waiting, reasons, ...expiry };
}
