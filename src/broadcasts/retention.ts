import { dropBySql, type RetentionRule } from "../platform/index.ts";

/** Who got what is of no use any more; the messages themselves are kept as others are. */
const KEEP_DAYS = 90;

const DROP_RECIPIENTS = `/* broadcasts.drop-recipients */
DELETE FROM broadcast_recipients WHERE ctid = ANY (ARRAY(
  SELECT r.ctid FROM broadcasts b
  CROSS JOIN LATERAL (
    SELECT x.ctid FROM broadcast_recipients x
    WHERE x.workspace_id = b.workspace_id AND x.broadcast_id = b.id LIMIT $1
  ) r
  WHERE b.finished_at < now() - $2 * interval '1 day' LIMIT $1))
RETURNING 1`;

/** A broadcast goes once its recipients are gone. */
const DROP_BROADCASTS = `/* broadcasts.drop */
DELETE FROM broadcasts WHERE ctid = ANY (ARRAY(
  SELECT b.ctid FROM broadcasts b
  WHERE b.finished_at < now() - $2 * interval '1 day' AND NOT EXISTS (
    SELECT FROM broadcast_recipients x
    WHERE x.workspace_id = b.workspace_id AND x.broadcast_id = b.id OFFSET 0)
  ORDER BY b.finished_at LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING 1`;

/** Finished broadcasts and their recipients, for the retention service. */
export const broadcastRetentionRules: RetentionRule[] = [
  {
    name: "recipients of broadcasts",
    dropBatch: (tx, limit) => dropBySql(tx, DROP_RECIPIENTS, limit, KEEP_DAYS),
  },
  {
    name: "broadcasts",
    dropBatch: (tx, limit) => dropBySql(tx, DROP_BROADCASTS, limit, KEEP_DAYS),
  },
];
