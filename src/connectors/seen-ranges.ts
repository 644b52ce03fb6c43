import type { Transaction } from "../platform/index.ts";
import { gapsOf, type Hole, holesOf, missingIn, runsOf, type SeenRange } from "./update-gaps.ts";

/**
 * The search for gaps of one connector, in the transaction that holds its watch row: joins the runs
 * noted since the last time, asks the keys of stored updates about what still seems missing, and
 * tells what is.
 */
export interface Found {
  /** Holes that count as gaps, the oldest first. */
  gaps: Hole[];
  missing: number;
  /** When an update last arrived; null: none within the window. */
  lastSeenMs: number | null;
}

/** Of a connector with more holes than that something else is wrong; the oldest runs are let go. */
const MAX_RANGES = 1_000;
/** A run is kept this long after the last number was added to it: Telegram's week, and a day. */
const KEPT = "8 days";
/** Missing numbers whose keys are looked up each time. */
const MAX_LOOKED_UP = 10_000;

const LOOSE = `/* connectors.seen-is-loose */
SELECT 1 FROM seen_updates WHERE connector_id = $1 AND (NOT joined
  OR seen_at < now() - interval '${KEPT}') LIMIT 1`;

/**
 * Runs that touch or overlap become one; what is noted meanwhile is joined the next time. Numbered
 * first, because twins must stand in the same order in both passes over them.
 */
const JOIN = `/* connectors.join-seen */
WITH seen AS (
  DELETE FROM seen_updates WHERE connector_id = $1 RETURNING update_ids, from_at, seen_at
), runs AS (
  SELECT lower(run) AS first_id, upper(run) AS end_id, s.from_at, s.seen_at,
    row_number() OVER (ORDER BY lower(run)) AS n
  FROM seen s, unnest(s.update_ids) AS run
), reached AS (
  SELECT *, max(end_id) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reach
  FROM runs
), marked AS (
  SELECT *, count(*) FILTER (WHERE reach IS NULL OR first_id > reach)
    OVER (ORDER BY n ROWS UNBOUNDED PRECEDING) AS island
  FROM reached
), islands AS (
  SELECT min(first_id) AS first_id, max(end_id) AS end_id, min(from_at) AS from_at,
    max(seen_at) AS seen_at
  FROM marked GROUP BY island
)
INSERT INTO seen_updates (workspace_id, connector_id, update_ids, joined, from_at, seen_at)
SELECT c.workspace_id, c.id, int8multirange(int8range(i.first_id, i.end_id)), true, i.from_at,
  i.seen_at
FROM (
  SELECT * FROM islands WHERE seen_at >= now() - interval '${KEPT}'
  ORDER BY seen_at DESC, first_id DESC LIMIT ${MAX_RANGES}
) i
JOIN connectors c ON c.id = $1`;

const READ = `/* connectors.read-seen */
SELECT lower(update_ids) AS first_id, upper(update_ids) - 1 AS last_id,
  extract(epoch FROM from_at)::float8 * 1000 AS from_ms,
  extract(epoch FROM seen_at)::float8 * 1000 AS seen_ms
FROM seen_updates WHERE connector_id = $1 AND joined`;

/** The keys of stored updates (`uniqueKey` of the receiver's jobs). */
const STORED = `/* connectors.stored-updates */
SELECT i.id AS update_id, extract(epoch FROM k.created_at)::float8 * 1000 AS at_ms
FROM (
  SELECT id FROM unnest($2::bigint[]) AS u(id) LIMIT (SELECT cardinality($2))
) i
JOIN job_keys k ON k.queue = 'ingest' AND k.key = $1 || '/' || i.id`;

const ADD = `/* connectors.add-seen */
INSERT INTO seen_updates (workspace_id, connector_id, update_ids, from_at, seen_at)
SELECT c.workspace_id, c.id, int8multirange(int8range(i.first_id, i.last_id, '[]')),
  to_timestamp(i.at_ms / 1000), to_timestamp(i.at_ms / 1000)
FROM unnest($2::bigint[], $3::bigint[], $4::float8[]) AS i(first_id, last_id, at_ms)
JOIN connectors c ON c.id = $1`;

interface RangeRow {
  first_id: string;
  last_id: string;
  from_ms: number;
  seen_ms: number;
}

/** The caller holds the connector's watch row, so that nobody else joins its runs meanwhile. */
export async function findGaps(
  tx: Transaction,
  connectorId: string,
  nowMs: number,
): Promise<Found> {
  let ranges = await readRanges(tx, connectorId);
  const candidates = gapsOf(holesOf(ranges), nowMs);
  if (await addStored(tx, connectorId, candidates)) ranges = await readRanges(tx, connectorId);
  const gaps = gapsOf(holesOf(ranges), nowMs).sort((a, b) => a.sinceMs - b.sinceMs);
  const lastSeenMs = ranges.reduce<number | null>(
    (last, { seenMs }) => Math.max(last ?? seenMs, seenMs),
    null,
  );
  return { gaps, missing: missingIn(gaps), lastSeenMs };
}

async function readRanges(tx: Transaction, connectorId: string): Promise<SeenRange[]> {
  const loose = await tx.query(LOOSE, [connectorId]);
  if (loose.length > 0) await tx.query(JOIN, [connectorId]);
  const rows = await tx.query<RangeRow>(READ, [connectorId]);
  return rows.map((row) => ({
    firstId: Number(row.first_id),
    lastId: Number(row.last_id),
    fromMs: row.from_ms,
    seenMs: row.seen_ms,
  }));
}

/**
 * Notes what is stored but was never noted, because its process died. Holes of few numbers first:
 * of a wide one the beginning is looked up. Answers whether there was any.
 */
async function addStored(
  tx: Transaction,
  connectorId: string,
  candidates: readonly Hole[],
): Promise<boolean> {
  const ids: number[] = [];
  const narrowFirst = [...candidates].sort((a, b) => a.lastId - a.firstId - (b.lastId - b.firstId));
  for (const { firstId, lastId } of narrowFirst) {
    for (let id = firstId; id <= lastId && ids.length < MAX_LOOKED_UP; id++) ids.push(id);
  }
  if (ids.length === 0) return false;
  const stored = await tx.query<{ update_id: string; at_ms: number }>(STORED, [connectorId, ids]);
  if (stored.length === 0) return false;
  const atMs = new Map(stored.map((row) => [Number(row.update_id), row.at_ms]));
  const runs = runsOf([...atMs.keys()]);
  await tx.query(ADD, [
    connectorId,
    runs.map(({ firstId }) => firstId),
    runs.map(({ lastId }) => lastId),
    runs.map(({ firstId }) => atMs.get(firstId)),
  ]);
  return true;
}
