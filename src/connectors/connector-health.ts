import type { Metrics, Queryable } from "../platform/index.ts";
import { ERROR_IS_NEWS_MS, driftOf as pendingTrouble } from "./webhook-state.ts";

/** How a connector's updates come in, as last looked at. What is not known yet is null. */
export interface ConnectorHealth {
  connectorId: string;
  /** Updates that wait at Telegram. */
  pendingUpdates: number | null;
  /** When Telegram was last asked. */
  checkedAt: string | null;
  /** Telegram's words on the last delivery that failed. */
  lastError: string | null;
  lastErrorAt: string | null;
  /**
   * How the webhook was last found to be another than registered, and how often, each within a day
   * of the one before; it was registered again.
   */
  lastDrift: { what: string; at: string; times: number } | null;
  gaps: {
    /** Updates that did not arrive within the last week, and whose turn it was minutes ago. */
    missing: number;
    since: string | null;
    /** The newest, not more than are worth reading, the oldest of them first. */
    ranges: Array<{ firstId: number; lastId: number; since: string }>;
  };
  /** In words for who operates: why this connector is not well. Empty: it is. */
  reasons: string[];
}

interface HealthRow {
  connector_id: string;
  checked_at: Date | null;
  pending: string | null;
  pending_since: Date | null;
  high_since: Date | null;
  last_error: string | null;
  last_error_at: Date | null;
  check_error: string | null;
  drift: string | null;
  drift_at: Date | null;
  drifts: number;
  missing: string;
  missing_since: Date | null;
  missing_ranges: ConnectorHealth["gaps"]["ranges"];
  last_seen_at: Date | null;
  /** What polling found (polling, `next-poll.ts`), while somebody asks for its updates. */
  poll_trouble: string | null;
  now: Date;
}

const READ = `/* connectors.health */
SELECT w.connector_id, w.checked_at, w.pending, w.pending_since, w.high_since, w.last_error,
  w.last_error_at, w.check_error, w.drift, w.drift_at, w.drifts, w.missing, w.missing_since, w.missing_ranges, now() AS now,
  (SELECT max(s.seen_at) FROM seen_updates s WHERE s.connector_id = w.connector_id) AS last_seen_at,
  (SELECT p.trouble FROM polled_bots p WHERE p.workspace_id = w.workspace_id
    AND p.connector_id = w.connector_id AND p.lease_until > now()) AS poll_trouble
FROM connector_watch w
WHERE w.workspace_id = $1 AND w.connector_id = ANY ($2::uuid[])`;

/**
 * An update that did not come for a day has expired at Telegram (Bot API: getUpdates): nothing can
 * be done any more, so the gap is still shown, but no longer calls for somebody.
 */
const GAP_IS_NEWS_MS = 24 * 3_600_000;

/** Of the workspace's connectors those that were looked at, by connector id. */
export async function healthOfConnectors(
  db: Queryable,
  workspaceId: string,
  connectorIds: readonly string[],
): Promise<Map<string, ConnectorHealth>> {
  const rows = await db.query<HealthRow>(READ, [workspaceId, connectorIds]);
  return new Map(rows.map((row) => [row.connector_id, healthOf(row)]));
}

function healthOf(row: HealthRow): ConnectorHealth {
  return {
    connectorId: row.connector_id,
    pendingUpdates: row.pending === null ? null : Number(row.pending),
    checkedAt: row.checked_at?.toISOString() ?? null,
    lastError: row.last_error,
    lastErrorAt: row.last_error_at?.toISOString() ?? null,
    lastDrift: driftOf(row),
    gaps: {
      missing: Number(row.missing),
      since: row.missing_since?.toISOString() ?? null,
      ranges: row.missing_ranges,
    },
    reasons: reasonsOf(row),
  };
}

function reasonsOf(row: HealthRow): string[] {
  const nowMs = row.now.getTime();
  const reasons: string[] = [];
  if (row.check_error !== null) reasons.push(row.check_error);
  if (row.poll_trouble !== null) reasons.push(row.poll_trouble);
  const pending = {
    count: Number(row.pending),
    sinceMs: row.pending_since?.getTime() ?? null,
    highSinceMs: row.high_since?.getTime() ?? null,
  };
  const drift = pendingTrouble(pending, row.last_seen_at?.getTime() ?? null, nowMs);
  if (drift !== null) reasons.push(drift);
  const errorAgeMs = nowMs - (row.last_error_at?.getTime() ?? 0);
  if (row.last_error !== null && pending.count > 0 && errorAgeMs < ERROR_IS_NEWS_MS) {
    reasons.push(`Telegram could not deliver: ${row.last_error}`);
  }
  const sinceMs = row.missing_since?.getTime();
  if (sinceMs !== undefined && newestGapMs(row) > nowMs - GAP_IS_NEWS_MS) {
    reasons.push(`${row.missing} updates did not arrive.`);
  }
  return reasons;
}

function driftOf({ drift, drift_at: at, drifts: times }: HealthRow) {
  return drift === null || at === null ? null : { what: drift, at: at.toISOString(), times };
}

function newestGapMs(row: HealthRow): number {
  return Math.max(0, ...row.missing_ranges.map(({ since }) => Date.parse(since)));
}

const TOTALS = `/* connectors.watch-totals */
SELECT count(*) FILTER (WHERE missing > 0)::int AS with_gaps, coalesce(sum(missing), 0)::float8 AS missing,
  coalesce(sum(pending), 0)::float8 AS pending
FROM connector_watch`;

/** Counts of the whole installation, read when Prometheus asks; every web process tells the same. */
export function defineConnectorMetrics(db: Queryable, metrics: Metrics): void {
  let asked: Promise<{ with_gaps: number; missing: number; pending: number } | undefined> | null;
  asked = null;
  const totals = async () => {
    asked ??= db
      .query<{ with_gaps: number; missing: number; pending: number }>(TOTALS)
      .then(([row]) => row)
      .catch(() => undefined)
      .finally(() => {
        asked = null;
      });
    return asked;
  };
  const gauge = (name: string, help: string, of: "with_gaps" | "missing" | "pending") =>
    metrics.gauge({
      name,
      help,
      collect: async (each) => {
        const row = await totals();
        if (row !== undefined) each.set(row[of]);
      },
    });
  gauge("heliograph_connectors_with_gaps", "Connectors with missing updates.", "with_gaps");
  gauge("heliograph_updates_missing", "Updates that did not arrive, all connectors.", "missing");
  gauge("heliograph_updates_pending", "Updates that wait at Telegram, all connectors.", "pending");
}
