import type { Metrics, Queryable } from "../platform/index.ts";

/** Beyond this nobody counts: something is wrong with the sealer, or with a chain. */
const COUNTED = 10_000;

const WAITING = `/* audit.all-waiting */
SELECT count(*)::int AS waiting FROM (SELECT FROM audit_unsealed LIMIT ${COUNTED}) u`;

/** A figure of the whole installation, read when Prometheus asks; every web process tells the same. */
export function defineAuditMetrics(db: Queryable, metrics: Metrics): void {
  metrics.gauge({
    name: "heliograph_audit_entries_waiting",
    help: `Audit entries that are not in their chain yet, ${COUNTED} at most. It takes about a second.`,
    collect: async (gauge) => {
      const rows = await db.query<{ waiting: number }>(WAITING).catch(() => []);
      for (const { waiting } of rows) gauge.set(waiting);
    },
  });
}
