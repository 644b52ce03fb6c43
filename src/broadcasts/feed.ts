import { recordAudit } from "../audit/index.ts";
import type { WaitingJobs } from "../jobs/index.ts";
import { enqueueSends, insertMessages, type JobSink } from "../outbound/index.ts";
import { fewRows, type Transaction } from "../platform/index.ts";
import type { BroadcastText } from "./create-broadcast.ts";
import { feedTarget, LEAST_TARGET } from "./feed-target.ts";
import { messageFor } from "./message-for.ts";
import { recallSends } from "./recall-sends.ts";
import { cancelSample, followSample } from "./sample.ts";

/** Recipients that become messages in one transaction: it holds the bot's lane while it enqueues. */
const BATCH = 500;
/** A look sooner than this tells nothing of how fast messages go. */
const LEAST_LOOK_MS = 500;
/** Between two looks at a broadcast: a little less than between two turns of the feeder. */
const LOOK_AGAIN = "interval '800 ms'";

/**
 * Holds a broadcast that is due; whoever comes second finds nothing. `LEAST_TARGET` stands where nobody
 * has looked yet.
 */
const HOLD = `/* broadcasts.hold-due */
SELECT b.connector_id, b.state, b.sample_id, b.message, b.created_by, b.recipients, b.fed, b.opted_out,
  b.unreachable, b.target, b.outstanding, k.status = 'removed' AS is_removed,
  (extract(epoch FROM clock_timestamp() - b.looked_at) * 1000)::float8 AS looked_ms_ago
FROM broadcasts b
JOIN connectors k ON k.workspace_id = b.workspace_id AND k.id = b.connector_id
WHERE b.workspace_id = $1 AND b.id = $2 AND b.due_at <= now()
FOR NO KEY UPDATE OF b SKIP LOCKED`;

interface HeldRow {
  connector_id: string;
  state: string;
  sample_id: string | null;
  message: BroadcastText;
  created_by: string;
  recipients: number;
  fed: number;
  opted_out: number;
  unreachable: number;
  target: number;
  outstanding: number;
  is_removed: boolean;
  looked_ms_ago: number | null;
}

/**
 * "IS TRUE" leaves the one index that leads there. State by state: of a list of them Postgres before 17 would
 * read all that the broadcast has sent.
 */
const inState = (state: string) => `(SELECT count(*) FROM outbound_messages
  WHERE broadcast_id = $2 AND (workspace_id = $1) IS TRUE AND state = '${state}')`;
const OUTSTANDING = `/* broadcasts.outstanding */
SELECT (${inState("queued")} + ${inState("sending")})::int AS n`;

/**
 * A group that became a supergroup is written to, and has refused, under the id that it has now; one that
 * was named by both ids is one chat.
 */
const TAKE = `/* broadcasts.take-unfed */
SELECT r.chat_id, n.chat_id AS now_at, o.chat_id IS NOT NULL AS opted_out,
  c.reachable IS FALSE OR n.chat_id <> r.chat_id AND EXISTS (
    SELECT FROM broadcast_recipients x
    WHERE x.workspace_id = $1 AND x.broadcast_id = $2 AND x.chat_id = n.chat_id OFFSET 0
  ) AS unreachable
FROM (
  SELECT chat_id FROM broadcast_recipients
  WHERE broadcast_id = $2 AND (workspace_id = $1) IS TRUE AND message_id IS NULL AND skipped IS NULL
  ORDER BY chat_id LIMIT $4
) r
LEFT JOIN LATERAL (
  SELECT x.migrated_to FROM chats x
  WHERE x.workspace_id = $1 AND x.connector_id = $3 AND x.chat_id = r.chat_id OFFSET 0
) was ON true
CROSS JOIN LATERAL (SELECT coalesce(was.migrated_to, r.chat_id) AS chat_id) n
LEFT JOIN LATERAL (
  SELECT x.chat_id FROM broadcast_opt_outs x
  WHERE x.workspace_id = $1 AND x.connector_id = $3 AND x.chat_id = n.chat_id OFFSET 0
) o ON true
LEFT JOIN LATERAL (
  SELECT x.reachable FROM chats x
  WHERE x.workspace_id = $1 AND x.connector_id = $3 AND x.chat_id = n.chat_id OFFSET 0
) c ON true`;

interface Unfed {
  chat_id: string;
  now_at: string;
  opted_out: boolean;
  unreachable: boolean;
}

/** The whole key comes from the few rows: by a part of it alone the whole broadcast would be read. */
const MARK = `/* broadcasts.mark-fed */
UPDATE broadcast_recipients r SET message_id = t.message_id, skipped = t.skipped
FROM (
  SELECT $1::uuid AS workspace_id, $2::uuid AS broadcast_id, t.*
  FROM unnest($3::bigint[], $4::uuid[], $5::text[]) AS t(chat_id, message_id, skipped)
  ${fewRows("$3")}
) t
WHERE r.workspace_id = t.workspace_id AND r.broadcast_id = t.broadcast_id
  AND r.chat_id = t.chat_id`;

const NOTE = `/* broadcasts.note-fed */
UPDATE broadcasts SET fed = fed + $3, opted_out = opted_out + $4, unreachable = unreachable + $5,
  outstanding = $6, target = $7,
  looked_at = CASE WHEN $8 THEN clock_timestamp() ELSE looked_at END,
  state = CASE WHEN $9 THEN 'done' ELSE state END,
  finished_at = CASE WHEN $9 THEN now() END,
  due_at = CASE WHEN $9 THEN NULL WHEN $10 THEN now() ELSE now() + ${LOOK_AGAIN} END
WHERE workspace_id = $1 AND id = $2`;

const END_OF_REMOVED = `/* broadcasts.cancel-removed */
UPDATE broadcasts SET state = 'cancelled', finished_at = now(), due_at = NULL,
  error = 'The bot was disconnected before this was over.'
WHERE workspace_id = $1 AND id = $2`;

const LEFT_ALONE = `/* broadcasts.left-alone */
UPDATE broadcasts SET due_at = NULL WHERE workspace_id = $1 AND id = $2`;

export interface FedBroadcast {
  workspaceId: string;
  id: string;
}

/**
 * One step for a broadcast that is due: makes messages of its next recipients, as many as are to be
 * outstanding, or takes back what a pause or a cancellation left in the queue. Messages, marks, counts
 * and jobs are one transaction: a crash leaves all of it or nothing. Answers whether there is more to
 * do at once. `tx`: the engine's.
 */
export async function feedBroadcast(
  tx: Transaction,
  jobs: JobSink & WaitingJobs,
  { workspaceId, id }: FedBroadcast,
): Promise<boolean> {
  const key = [workspaceId, id];
  const [row] = await tx.query<HeldRow>(HOLD, key);
  if (row === undefined) return false;
  if (row.is_removed) {
    if (OPEN.includes(row.state)) await endOfRemoved(tx, { workspaceId, id }, row);
    else await tx.query(LEFT_ALONE, key);
    return false;
  }
  if (row.state === "awaiting_approval") {
    await followSample(tx, { workspaceId, id, sampleId: row.sample_id });
    return false;
  }
  const connectorId = row.connector_id;
  if (row.state !== "running") {
    const which = { workspaceId, connectorId, broadcastId: id, sampleId: row.sample_id };
    return !(await recallSends(tx, jobs, which, row.state === "paused" ? "take-back" : "cancel"));
  }

  const [count] = await tx.query<{ n: number }>(OUTSTANDING, key);
  const before = count?.n ?? 0;
  const look = lookedAt(row, before);
  const room = Math.min(BATCH, look.target - before);
  const taken = room > 0 ? await tx.query<Unfed>(TAKE, [...key, connectorId, room]) : [];
  const chats = taken.map((recipient) => ({ ...recipient, skipped: skippedFor(recipient) }));
  const fed = chats.filter(({ skipped }) => skipped === null);
  const messages = fed.map(({ now_at: chatId }) => messageFor(row, { workspaceId, id, chatId }));
  const ids = messages.length > 0 ? await insertMessages(tx, messages, "queued") : [];
  if (chats.length > 0) {
    const idOf = new Map(fed.map(({ chat_id }, n) => [chat_id, ids[n] ?? null]));
    await tx.query(MARK, [
      ...key,
      chats.map(({ chat_id }) => chat_id),
      chats.map(({ chat_id }) => idOf.get(chat_id) ?? null),
      chats.map(({ skipped }) => skipped),
    ]);
  }

  const optedOut = chats.filter(({ skipped }) => skipped === "opted_out").length;
  const unreachable = chats.length - fed.length - optedOut;
  const unfed = row.recipients - row.fed - row.opted_out - row.unreachable - chats.length;
  const outstanding = before + fed.length;
  // Nothing taken though something is left: a faulty count must not make it spin.
  const hasMore = unfed > 0 && chats.length > 0 && outstanding < look.target;
  const isDone = unfed <= 0 && outstanding === 0;
  const noted = [fed.length, optedOut, unreachable, outstanding, look.target, look.isLook];
  await tx.query(NOTE, [...key, ...noted, isDone, hasMore]);
  const sends = messages.map((message, n) => ({ ...message, id: ids[n] ?? "" }));
  // The bot's lane is hot: last.
  if (sends.length > 0) await enqueueSends(tx, jobs, sends);
  return hasMore;
}

const OPEN: readonly string[] = ["awaiting_approval", "running", "paused"];

/** Ends a broadcast whose bot is disconnected; what of it waits in the queue is the bot's to cancel. */
async function endOfRemoved(
  tx: Transaction,
  { workspaceId, id }: FedBroadcast,
  { connector_id: connectorId, sample_id: sampleId }: HeldRow,
): Promise<void> {
  await tx.query(END_OF_REMOVED, [workspaceId, id]);
  await cancelSample(tx, { workspaceId, sampleId });
  const details = { connectorId, why: "connector-removed" };
  await recordAudit(tx, { workspaceId, action: "broadcast.cancelled", subjectId: id, details });
}

/** How many are to be outstanding; a batch soon after the last one goes by what that one found. */
function lookedAt(
  { looked_ms_ago: elapsedMs, outstanding, target }: HeldRow,
  nowOutstanding: number,
): { target: number; isLook: boolean } {
  if (elapsedMs === null) return { target: LEAST_TARGET, isLook: true };
  if (elapsedMs >= 0 && elapsedMs < LEAST_LOOK_MS) return { target, isLook: false };
  return { target: feedTarget({ gone: outstanding - nowOutstanding, elapsedMs }), isLook: true };
}

const skippedFor = (recipient: Unfed): "opted_out" | "unreachable" | null => {
  if (recipient.opted_out) return "opted_out";
  return recipient.unreachable ? "unreachable" : null;
};
