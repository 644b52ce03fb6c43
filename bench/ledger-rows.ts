import type { Database } from "../src/platform/index.ts";

/**
 * A ledger with a past: 5,000,000 jobs of six days, of 51 workspaces with a bot each. Half of them
 * are one workspace's; a tenth, one chat's. A fifth waits; 2 % are dead letters.
 */
export const JOBS = 5_000_000;
export const BIG = {
  workspaceId: "00000000-0000-4000-8000-000000000000",
  connectorId: "10000000-0000-4000-8000-000000000000",
};
export const SMALL = {
  workspaceId: "00000000-0000-4000-8000-000000000007",
  connectorId: "10000000-0000-4000-8000-000000000007",
};
export const UPDATE_IDS_FROM = 100_000_000;

const ROWS = `
INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, filed, shelf, ordering_key, priority,
  payload, run_at, attempts, max_attempts, created_at, started_at, finished_at, run_ms, worker, error_class,
  error)
SELECT workspace, n, queue,
  CASE WHEN queue = 'ingest' THEN bot || '/c' || chat ELSE bot END,
  CASE WHEN queue = 'ingest' THEN 'update' ELSE 'message' END, state, true,
  shelf_of(queue, state, CASE WHEN c % 1000 >= 990 THEN now() + interval '1 day' ELSE at END, at),
  CASE WHEN queue = 'outbound' THEN chat::text END, 5,
  CASE WHEN queue = 'ingest'
    THEN jsonb_build_object('connectorId', bot, 'updateId', ${UPDATE_IDS_FROM} + n)
    ELSE jsonb_build_object('messageId', bot) END,
  CASE WHEN c % 1000 >= 990 THEN now() + interval '1 day' ELSE at END, 1, 10, at, at,
  CASE WHEN state IN ('completed', 'discarded', 'cancelled') THEN at + interval '50 ms' END, 5,
  'host/1/worker', CASE WHEN failed THEN (ARRAY['TelegramError', 'Timeout', 'ChatNotFound', 'WorkerDied'])[1 + b % 4] END,
  CASE WHEN failed THEN (ARRAY['400 Bad Request: message text is empty',
    'the call took longer than 15000 ms', '400 chat not found',
    'a worker died with this job in hand'])[1 + b % 4] || CASE WHEN n % 1000 = 7 THEN ' zebra' ELSE '' END END
FROM (
  SELECT *, now() - (${JOBS} - n) * interval '100 ms' AS at, state IN ('discarded', 'retryable') AS failed
  FROM (
    SELECT n, b, c,
      ('00000000-0000-4000-8000-0000000000' || owner)::uuid AS workspace,
      '10000000-0000-4000-8000-0000000000' || owner AS bot,
      CASE WHEN a / 2 % 10 < 6 THEN 'ingest' ELSE 'outbound' END AS queue,
      CASE WHEN c % 10 = 0 THEN 1 ELSE 1000 + c % 100000 END AS chat,
      CASE WHEN c % 1000 < 770 THEN 'completed' WHEN c % 1000 < 790 THEN 'discarded'
        WHEN c % 1000 < 795 THEN 'cancelled' WHEN c % 1000 < 800 THEN 'retryable'
        ELSE 'available' END AS state
    FROM (
      SELECT *, CASE WHEN a % 2 = 0 THEN '00' ELSE to_char(1 + b % 50, 'FM00') END AS owner
      FROM (
        SELECT n, abs(hashint8(n)::bigint) AS a, abs(hashint8(n + 777777777)::bigint) AS b,
          abs(hashint8(n + 99999999999)::bigint) AS c
        FROM generate_series(1, ${JOBS}) n
      ) hashes
    ) owners
  ) jobs_to_be
) rows`;

/** Fills an empty ledger, as its tables' owner; the indexes are made after the rows, which is quicker. */
export async function fillLedger(db: Database): Promise<void> {
  const connection = await db.connect();
  try {
    const { rows: indexes } = await connection.query<{ name: string; definition: string }>(
      `SELECT indexname AS name, indexdef AS definition FROM pg_indexes
       WHERE tablename = 'jobs' AND indexname <> 'jobs_pkey'`,
    );
    await connection.query("SET maintenance_work_mem = '256MB'");
    await connection.query("ALTER TABLE jobs DISABLE TRIGGER USER");
    for (const { name } of indexes) await connection.query(`DROP INDEX ${name}`);
    await connection.query(ROWS);
    for (const { definition } of indexes) await connection.query(definition);
    for (const statement of [
      `SELECT setval('job_ids', ${JOBS})`,
      "INSERT INTO lanes (queue, lane, workspace_id) SELECT DISTINCT queue, lane, workspace_id FROM jobs",
      "INSERT INTO job_counts SELECT workspace_id, shelf, count(*) FROM jobs GROUP BY 1, 2",
      "INSERT INTO job_clock SELECT created_at, id FROM jobs WHERE id % 100 = 0",
      "ALTER TABLE jobs ENABLE TRIGGER USER",
      "VACUUM ANALYZE jobs",
      "ANALYZE",
    ]) {
      await connection.query(statement);
    }
  } finally {
    await connection.end();
  }
}
