import { dropBySql, type RetentionRule, type Transaction } from "../platform/index.ts";

/** What is remembered of an account or a chat that was refused; nothing of what it said. */
export interface Refusal {
  /** Telegram's date of the newest message that was dropped, in seconds. */
  droppedAtS: number | null;
  /** When it was last told so. */
  toldAtMs: number | null;
  /** Wrong codes within the hour that began at `wrongSinceMs`. */
  wrongCodes: number;
  wrongSinceMs: number | null;
}

export interface PeerRefusal {
  workspaceId: string;
  connectorId: string;
  /** An account's id, or a chat's, which is below 0. */
  peerId: string;
  refusal: Refusal;
}

/**
 * Times only move forward: an account may be refused in a group and in its own chat at once, and both
 * wrote down what they had read.
 */
const WRITE = `/* people.write-refusals */
INSERT INTO access_refusals AS r (workspace_id, connector_id, peer_id, dropped_at, told_at,
  wrong_codes, wrong_since, refused_at)
SELECT i.*, now() FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[],
    $5::timestamptz[], $6::int[], $7::timestamptz[])
  AS i(workspace_id, connector_id, peer_id, dropped_at, told_at, wrong_codes, wrong_since)
ORDER BY 1, 2, 3
ON CONFLICT (workspace_id, connector_id, peer_id) DO UPDATE SET
  dropped_at = greatest(r.dropped_at, excluded.dropped_at),
  told_at = greatest(r.told_at, excluded.told_at),
  wrong_codes = excluded.wrong_codes, wrong_since = excluded.wrong_since,
  refused_at = excluded.refused_at`;

/** Each peer once. */
export async function writeRefusals(
  tx: Transaction,
  refusals: readonly PeerRefusal[],
): Promise<void> {
  if (refusals.length === 0) return;
  const isoOrNull = (timeMs: number | null) =>
    timeMs === null ? null : new Date(timeMs).toISOString();
  await tx.query(WRITE, [
    refusals.map(({ workspaceId }) => workspaceId),
    refusals.map(({ connectorId }) => connectorId),
    refusals.map(({ peerId }) => peerId),
    refusals.map(({ refusal: { droppedAtS } }) =>
      isoOrNull(droppedAtS === null ? null : droppedAtS * 1_000),
    ),
    refusals.map(({ refusal }) => isoOrNull(refusal.toldAtMs)),
    refusals.map(({ refusal }) => refusal.wrongCodes),
    refusals.map(({ refusal }) => isoOrNull(refusal.wrongSinceMs)),
  ]);
}

const DROP_OLD = `/* people.drop-refusals */
DELETE FROM access_refusals WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM access_refusals WHERE refused_at < now() - interval '7 days'
  ORDER BY refused_at LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING 1`;

/** A week after the last refusal: Telegram lets people edit for two days, and tells nobody after. */
export const dropRefusals: RetentionRule = {
  name: "refusals of access",
  dropBatch: (tx, limit) => dropBySql(tx, DROP_OLD, limit),
};
