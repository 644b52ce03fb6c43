import type { JobId, WaitingJobs } from "../jobs/index.ts";
import { fewRows, type Transaction } from "../platform/index.ts";

/** A broadcast, and the bot that sends it. */
export interface BroadcastKey {
  workspaceId: string;
  connectorId: string;
  broadcastId: string;
  /** Of its messages one that is not taken back: what was approved stays on record. */
  sampleId?: string | null;
}

export interface TakenBack {
  id: string;
  chatId: string;
}

/** What waits, but for what has attempts of a kind. */
const without = (attempts: string, others = "") => `
SELECT m.id, m.job_id AS "jobId" FROM outbound_messages m
WHERE m.broadcast_id = $2 AND (m.workspace_id = $1) IS TRUE AND m.state = 'queued'
  AND m.job_id IS NOT NULL AND m.id IS DISTINCT FROM $4::uuid
  AND NOT EXISTS (
    SELECT FROM send_attempts a
    WHERE a.workspace_id = m.workspace_id AND a.message_id = m.id AND ${attempts} OFFSET 0)${others}
ORDER BY m.id LIMIT $3`;
/** A part of it was sent, or nobody knows whether it was. */
const MAY_BE_SENT = "coalesce(a.outcome, 'unknown') IN ('sent', 'unknown')";
const NOT_SENT = `/* outbound.broadcast-not-sent */${without(MAY_BE_SENT)}`;
/** What somebody changes, once it is sent, is sent: taken back, it would take their change with it. */
const TARGETS = `
  AND NOT EXISTS (
    SELECT FROM outbound_messages c
    WHERE c.workspace_id = m.workspace_id AND c.target_id = m.id OFFSET 0)`;
const NEVER_TRIED = `/* outbound.broadcast-never-tried */${without("true", TARGETS)}`;

/** With their workspace, so that each is looked up by its whole key; nothing else leads anywhere. */
const IDS = `SELECT $1::uuid AS workspace_id, t.id FROM unnest($2::uuid[]) AS t(id) ${fewRows("$2")}`;

const CANCEL = `/* outbound.cancel-broadcast */
UPDATE outbound_messages m SET state = 'cancelled', error = $3, error_class = 'broadcast-cancelled'
FROM (${IDS}) t
WHERE m.workspace_id = t.workspace_id AND m.id = t.id AND (m.state = 'queued') IS TRUE`;

const FORGET = `/* outbound.forget-broadcast */
DELETE FROM outbound_messages m
USING (${IDS}) t
WHERE m.workspace_id = t.workspace_id AND m.id = t.id AND (m.state = 'queued') IS TRUE
RETURNING m.id, m.chat_id AS "chatId"`;

const CANCELLED = "The broadcast was cancelled before this was sent.";
const PAUSED = "The broadcast was paused before this was sent.";

/** Cancels the jobs of what `sql` finds, `limit` at most; answers the ids of those that waited. */
async function cancelJobs(
  tx: Transaction,
  jobs: WaitingJobs,
  { workspaceId, connectorId: lane, broadcastId }: BroadcastKey,
  {
    sql,
    limit,
    but = null,
    ...words
  }: { sql: string; limit: number; but?: string | null; errorClass: string; error: string },
): Promise<{ ids: string[]; isAll: boolean }> {
  // From here on nobody begins one of them.
  const held = await jobs.holdIn(tx, [{ queue: "outbound", lane, workspaceId }]);
  const params = [workspaceId, broadcastId, limit, but];
  const found = await tx.engine.query<{ id: string; jobId: JobId }>(sql, params);
  const known = found.map(({ jobId }) => ({ workspaceId, id: jobId }));
  const cancelled = await held.cancel(known, words);
  const ids = found.flatMap(({ id, jobId }) => (cancelled.has(jobId) ? [id] : []));
  return { ids, isAll: found.length < limit };
}

/**
 * Cancels a broadcast's messages that wait to be sent, `limit` at most, in the caller's transaction, a
 * workspace's or the engine's: call it late. What is under way, or may have been sent, is left to its
 * own end. Answers whether none is left.
 */
export async function cancelBroadcastSends(
  tx: Transaction,
  jobs: WaitingJobs,
  broadcast: BroadcastKey,
  limit: number,
): Promise<{ isAll: boolean }> {
  const words = { errorClass: "broadcast-cancelled", error: CANCELLED };
  const { ids, isAll } = await cancelJobs(tx, jobs, broadcast, { sql: NOT_SENT, limit, ...words });
  if (ids.length > 0) await tx.engine.query(CANCEL, [broadcast.workspaceId, ids, CANCELLED]);
  return { isAll };
}

/**
 * Takes a broadcast's messages back that wait and were never tried, `limit` at most: as if they had not
 * been submitted. Those that were tried stay, with the record of their attempts, and those that somebody
 * changes. Answers whether none is left, and those that are gone.
 */
export async function takeBackBroadcastSends(
  tx: Transaction,
  jobs: WaitingJobs,
  broadcast: BroadcastKey,
  limit: number,
): Promise<{ isAll: boolean; messages: TakenBack[] }> {
  const words = { errorClass: "broadcast-paused", error: PAUSED };
  const which = { sql: NEVER_TRIED, limit, but: broadcast.sampleId, ...words };
  const { ids, isAll } = await cancelJobs(tx, jobs, broadcast, which);
  if (ids.length === 0) return { isAll, messages: [] };
  const params = [broadcast.workspaceId, ids];
  return { isAll, messages: await tx.engine.query<TakenBack>(FORGET, params) };
}
