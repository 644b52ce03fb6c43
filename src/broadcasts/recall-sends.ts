import type { WaitingJobs } from "../jobs/index.ts";
import {
  type BroadcastKey,
  cancelBroadcastSends,
  takeBackBroadcastSends,
} from "../outbound/index.ts";
import { fewRows, type Transaction } from "../platform/index.ts";

/** Messages in one transaction, which holds the bot's lane meanwhile. */
const BATCH = 2_000;

/** By their chats, as the key has them. */
const UNFEED = `/* broadcasts.unfeed */
UPDATE broadcast_recipients r SET message_id = NULL
FROM (
  SELECT $1::uuid AS workspace_id, $2::uuid AS broadcast_id, t.*
  FROM unnest($3::bigint[], $4::uuid[]) AS t(chat_id, message_id) ${fewRows("$3")}
) t
WHERE r.workspace_id = t.workspace_id AND r.broadcast_id = t.broadcast_id
  AND r.chat_id = t.chat_id AND r.message_id = t.message_id
RETURNING t.message_id`;

/** Of groups that became supergroups meanwhile: their messages have another chat by now. */
const UNFEED_MOVED = `/* broadcasts.unfeed-moved */
UPDATE broadcast_recipients SET message_id = NULL
WHERE workspace_id = $1 AND broadcast_id = $2 AND message_id = ANY ($3::uuid[])`;

/** Of a bot that is disconnected by now the feeder ends it. */
const NOTE = `/* broadcasts.note-recalled */
UPDATE broadcasts b SET fed = fed - $3, outstanding = greatest(0, outstanding - $3),
  due_at = CASE WHEN $4 AND NOT EXISTS (
    SELECT FROM connectors k
    WHERE k.workspace_id = b.workspace_id AND k.id = b.connector_id AND k.status = 'removed'
  ) THEN NULL ELSE now() END
WHERE workspace_id = $1 AND id = $2`;

/**
 * Takes back what waits in the queue of a broadcast that was paused, so that it is as if it had not
 * been fed, or cancels it: a batch of it, in a transaction that holds the broadcast's row. Answers
 * whether that was all; the rest is the feeder's. Lanes are hot: call it last in a transaction, a
 * workspace's or the engine's.
 */
export async function recallSends(
  tx: Transaction,
  jobs: WaitingJobs,
  broadcast: BroadcastKey,
  how: "take-back" | "cancel",
): Promise<boolean> {
  const key = [broadcast.workspaceId, broadcast.broadcastId];
  const on = tx.engine;
  if (how === "cancel") {
    const { isAll } = await cancelBroadcastSends(tx, jobs, broadcast, BATCH);
    await on.query(NOTE, [...key, 0, isAll]);
    return isAll;
  }
  const { isAll, messages } = await takeBackBroadcastSends(tx, jobs, broadcast, BATCH);
  if (messages.length > 0) {
    const params = [...key, messages.map(({ chatId }) => chatId), messages.map(({ id }) => id)];
    const unfed = await on.query<{ message_id: string }>(UNFEED, params);
    const known = new Set(unfed.map(({ message_id }) => message_id));
    const moved = messages.flatMap(({ id }) => (known.has(id) ? [] : [id]));
    if (moved.length > 0) await on.query(UNFEED_MOVED, [...key, moved]);
  }
  await on.query(NOTE, [...key, messages.length, isAll]);
  return isAll;
}
