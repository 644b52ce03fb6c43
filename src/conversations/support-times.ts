import type { Queryable } from "../platform/index.ts";

/** How long something took, over a period. Null where there was nothing. */
export interface Durations {
  count: number;
  medianMs: number | null;
  p95Ms: number | null;
}

export interface SupportTimes {
  /** From the customer's first message of an opening to the team's first that was not automatic. */
  firstResponse: Durations;
  /** From the same to the close; an opening that was closed twice counts twice. */
  resolution: Durations;
}

/** Of what happened in the period; the index holds all that is read. */
const TIMES = `/* conversations.support-times */
SELECT what, count(*)::int AS count,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY elapsed_ms) AS median_ms,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY elapsed_ms) AS p95_ms
FROM conversation_events
WHERE workspace_id = $1 AND what IN ('first_response', 'status') AND elapsed_ms IS NOT NULL
  AND at >= $2 AND at < $3
GROUP BY what`;

/** Response and resolution times of a workspace, of what happened from `from` until before `to`. */
export async function supportTimes(
  db: Queryable,
  { workspaceId, from, to }: { workspaceId: string; from: Date; to: Date },
): Promise<SupportTimes> {
  const rows = await db.query<{
    what: string;
    count: number;
    median_ms: number;
    p95_ms: number;
  }>(TIMES, [workspaceId, from, to]);
  const of = (what: string): Durations => {
    const row = rows.find((one) => one.what === what);
    if (row === undefined) return { count: 0, medianMs: null, p95Ms: null };
    const { count, median_ms, p95_ms } = row;
    return { count, medianMs: Math.round(median_ms), p95Ms: Math.round(p95_ms) };
  };
  return { firstResponse: of("first_response"), resolution: of("status") };
}
