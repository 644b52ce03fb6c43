import { markReachable, markUnreachable, rekeyChat } from "../conversations/index.ts";
import type { EndedAttempt } from "../jobs/index.ts";
import type { Transaction } from "../platform/index.ts";
import { targetIdOf } from "./content/index.ts";
import type { SendAttempt } from "./send-attempts.ts";
import { messagesOf } from "./send-call.ts";

type Ended = EndedAttempt<SendAttempt>;

/** Holds only move forward. */
const HOLD = `/* outbound.hold */
INSERT INTO send_holds AS h (workspace_id, connector_id, chat_id, until)
SELECT workspace_id, connector_id, chat_id,
  clock_timestamp() + max(for_s) * interval '1 s'
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::double precision[])
  AS t(workspace_id, connector_id, chat_id, for_s)
GROUP BY workspace_id, connector_id, chat_id
ORDER BY workspace_id, connector_id, chat_id
ON CONFLICT (workspace_id, connector_id, chat_id) DO UPDATE
  SET until = greatest(h.until, excluded.until)`;

async function writeHolds(tx: Transaction, ends: Ended[]): Promise<void> {
  const holds = ends.flatMap(({ job, own }) =>
    (own?.holds ?? []).map((hold) => ({ job, ...hold })),
  );
  if (holds.length === 0) return;
  await tx.query(HOLD, [
    holds.map(({ job }) => job.workspaceId),
    holds.map(({ job }) => job.lane),
    holds.map(({ chatId }) => chatId),
    holds.map(({ forS }) => forS),
  ]);
}

/** Chats that can no longer be reached. */
async function writeUnreachable(tx: Transaction, ends: Ended[]): Promise<void> {
  const unreachable = ends.flatMap(({ job, own }) => {
    const chatId = own?.message.chat_id ?? "";
    if (!own?.result?.unreachable || !/^-?[0-9]+$/.test(chatId)) return [];
    return [{ workspaceId: job.workspaceId, connectorId: job.lane, chatId }];
  });
  await markUnreachable(tx, unreachable);
}

/**
 * Chats that could not be reached when a message for them began, and have it now. What changes another
 * message, or goes out in a business account's name, says nothing of whether the bot may write there. To be
 * written before what is shown of them: ingest holds chats before their conversations, too.
 */
export async function writeReachable(tx: Transaction, ends: Ended[]): Promise<void> {
  const reached = ends.flatMap(({ job, own }) => {
    if (!own?.wasUnreachable || own.result?.attempt !== "sent") return [];
    const { kind, content, chat_id: chatId, business_connection_id } = own.message;
    const isNew = targetIdOf(content) === null && content?.type !== "chat-action";
    if (kind !== "message" || !isNew || business_connection_id !== null) return [];
    const atS = sentAtS(own.result.message);
    return [{ workspaceId: job.workspaceId, connectorId: job.lane, chatId, atS }];
  });
  await markReachable(tx, reached);
}

/** Bot API: Message.date; null where the answer has none. */
function sentAtS(answer: unknown): number | null {
  const [message] = messagesOf(answer);
  const date = (message as { date?: unknown } | null | undefined)?.date;
  return typeof date === "number" ? date : null;
}

/**
 * Groups that moved. Parts that were sent before keep no numbers: under the new id they name others'
 * messages, which an edit or a deletion would hit.
 */
async function writeMoves(tx: Transaction, ends: Ended[]): Promise<void> {
  for (const { job, own } of ends) {
    const to = own?.result?.migratedTo ?? null;
    if (own === null || to === null) continue;
    const { workspaceId, lane: connectorId } = job;
    const from = own.message.chat_id;
    await rekeyChat(tx, { workspaceId, connectorId, from, to });
    await tx.query(
      `/* outbound.rekey */
       UPDATE outbound_messages SET chat_id = $4, telegram_message_ids = '{}'
       WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3
         AND kind IN ('message', 'deletion')
         AND state IN ('awaiting_approval', 'queued', 'sending', 'unknown')`,
      [workspaceId, connectorId, from, to],
    );
  }
}

/** What else ends say of their chats, each to be written after what they say of messages. */
export const CHAT_OUTCOMES = [writeHolds, writeUnreachable, writeMoves];
