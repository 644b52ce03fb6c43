import { fewRows, type Queryable, type Transaction } from "../platform/index.ts";
import { backoffDelayMs } from "./backoff.ts";
import type { Lease } from "./lease.ts";
import { QUEUE_POLICIES } from "./policies.ts";
import type { Job, JobId, JobState, Outcome } from "./types.ts";

/** A worker that dies with a job in hand this often has been killed by it. */
export const MAX_DEATHS = 3;

/** What an outcome makes of a job's row: decided without I/O. */
export interface Verdict {
  state: Extract<JobState, "completed" | "retryable" | "discarded">;
  /** Whether the attempt counts against `maxAttempts`. */
  spent: boolean;
  /** Ms until it runs again; 0 unless retryable. */
  afterMs: number;
  errorClass: string | null;
  error: string | null;
}

/**
 * `attemptsBegun` counts this attempt. A retry whose attempts are spent is a dead letter.
 * `nowMs` and `random` are passed in; a pause is turned into a duration here, because the row's
 * time is Postgres's.
 */
export function verdictOf(
  job: Pick<Job, "queue" | "maxAttempts">,
  attemptsBegun: number,
  outcome: Outcome,
  nowMs: number,
  random: () => number = Math.random,
): Verdict {
  const done = { spent: true, afterMs: 0, errorClass: null, error: null };
  switch (outcome.type) {
    case "complete":
      return { ...done, state: "completed" };
    case "discard":
      return {
        ...done,
        state: "discarded",
        errorClass: outcome.errorClass,
        error: outcome.error,
      };
    case "pause":
      return {
        state: "retryable",
        spent: false,
        afterMs: Math.max(0, outcome.untilMs - nowMs),
        errorClass: "Pause",
        error: outcome.reason,
      };
    case "retry": {
      const failure = { errorClass: outcome.errorClass, error: outcome.error, spent: true };
      if (attemptsBegun >= job.maxAttempts) return { ...failure, state: "discarded", afterMs: 0 };
      const { backoff } = QUEUE_POLICIES[job.queue];
      return {
        ...failure,
        state: "retryable",
        afterMs: outcome.afterMs ?? backoffDelayMs(attemptsBegun, backoff, random),
      };
    }
  }
}

/** One attempt's end, to be written. */
export interface AttemptEnd {
  job: Job;
  /** Attempts begun, this one included. */
  attempt: number;
  /** The number drawn when it was taken in hand, where it was marked running. */
  begun: string | null;
  outcome: Outcome;
  runMs: number;
}

/**
 * By attempt, lease or no lease: only a job that is still in the state in which the attempt left
 * it is changed, so an outcome that arrives after a successor's verdict changes nothing here. The
 * attempt's own number tells it apart; a retry by hand counts the attempts from 0 again.
 */
const RECORD = `/* jobs.record */
WITH ends AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::text[], $5::boolean[],
    $6::double precision[], $7::text[], $8::text[], $9::int[], $10::text[],
    $13::bigint[])
    AS e(workspace_id, id, attempt, state, spent, after_ms, error_class, error, run_ms, outcome,
      begun)
  ${fewRows("$1")}
), changed AS (
  UPDATE jobs j
  SET state = e.state, filed = false,
    attempts = CASE WHEN e.spent THEN e.attempt ELSE e.attempt - 1 END,
    run_at = CASE WHEN e.state = 'retryable' THEN now() + e.after_ms * interval '1 ms'
      ELSE j.run_at END,
    finished_at = CASE WHEN e.state = 'retryable' THEN NULL ELSE clock_timestamp() END,
    started_at = coalesce(j.started_at, clock_timestamp() - e.run_ms * interval '1 ms'),
    run_ms = e.run_ms, worker = $11, error_class = e.error_class, error = e.error
  FROM ends e
  WHERE j.workspace_id = e.workspace_id AND j.id = e.id
    AND CASE WHEN $12 THEN j.state = 'running' AND j.begun IS NOT DISTINCT FROM e.begun
      ELSE j.state IN ('available', 'running', 'retryable') END
  RETURNING j.workspace_id, j.id, e.attempt, j.started_at, e.run_ms, e.outcome, e.error_class, e.error
), kept AS (
  INSERT INTO job_attempts
    (workspace_id, job_id, attempt, worker, started_at, run_ms, outcome, error_class, error)
  SELECT workspace_id, id, attempt, $11, clock_timestamp() - run_ms * interval '1 ms', run_ms,
    outcome, error_class, error
  FROM changed WHERE outcome <> 'complete'
)
SELECT id FROM changed`;

export interface RecordOptions {
  worker: string;
  nowMs: number;
  /** True: the job was marked running by this very attempt (external work). */
  wasRunning: boolean;
}

/**
 * Writes how attempts ended; answers the ids that were changed. Failures leave a row in
 * `job_attempts`; a success leaves none.
 */
export async function recordOutcomes(
  on: Queryable,
  ends: AttemptEnd[],
  { worker, nowMs, wasRunning }: RecordOptions,
): Promise<Set<JobId>> {
  if (ends.length === 0) return new Set();
  const verdicts = ends.map((end) => verdictOf(end.job, end.attempt, end.outcome, nowMs));
  const rows = await on.query<{ id: string }>(RECORD, [
    ends.map((end) => end.job.workspaceId),
    ends.map((end) => end.job.id),
    ends.map((end) => end.attempt),
    verdicts.map((verdict) => verdict.state),
    verdicts.map((verdict) => verdict.spent),
    verdicts.map((verdict) => verdict.afterMs),
    verdicts.map((verdict) => verdict.errorClass),
    verdicts.map((verdict) => verdict.error),
    ends.map((end) => Math.round(end.runMs)),
    ends.map((end) => end.outcome.type),
    worker,
    wasRunning,
    ends.map((end) => end.begun),
  ]);
  return new Set(rows.map((row) => row.id));
}

/**
 * Under the fences of their lanes: nothing is begun where the lease is gone. `own` is what the
 * snapshot says of that, `held` what is still so once the row is locked.
 */
const begin = (ifLocked: "SKIP LOCKED" | "") => `/* jobs.begin */
WITH wanted AS MATERIALIZED (
  SELECT n, $2::text AS queue, lane, epoch, workspace_id, id
  FROM unnest($1::int[], $3::text[], $4::bigint[], $5::uuid[], $6::bigint[])
    AS w(n, lane, epoch, workspace_id, id) ${fewRows("$1")}
), own AS MATERIALIZED (
  SELECT l.queue, l.lane, l.epoch FROM (SELECT DISTINCT queue, lane, epoch FROM wanted) w
  JOIN lanes l ON l.queue = w.queue AND l.lane = w.lane AND l.epoch = w.epoch
  WHERE l.owner = $7
), held AS MATERIALIZED (
  SELECT l.queue, l.lane, l.epoch FROM own o
  JOIN lanes l ON l.queue = o.queue AND l.lane = o.lane AND l.epoch = o.epoch
  WHERE l.owner = $7
  ORDER BY l.lane
  FOR NO KEY UPDATE OF l ${ifLocked}
), ready AS MATERIALIZED (
  SELECT w.n, w.workspace_id, w.id FROM wanted w JOIN held USING (queue, lane, epoch)
  ${fewRows("$1")}
), begun AS (
  UPDATE jobs j SET state = 'running', filed = false, attempts = j.attempts + 1, worker = $8,
    begun = nextval('job_begins'), started_at = clock_timestamp()
  FROM ready r
  WHERE j.workspace_id = r.workspace_id AND j.id = r.id AND j.state IN ('available', 'retryable')
  RETURNING r.n, j.attempts, j.begun
)
SELECT w.n, r.n IS NOT NULL AS held, b.attempts, b.begun FROM wanted w
JOIN own USING (queue, lane, epoch)
LEFT JOIN ready r ON r.n = w.n
LEFT JOIN begun b ON b.n = w.n`;
const BEGIN_OR_WAIT = begin("");
const BEGIN_OR_SKIP = begin("SKIP LOCKED");

/** An attempt that was begun: which one of its job it is, and the number it is known by. */
export interface Begun {
  attempt: number;
  begun: string;
}

/** A job that is to begin, under the lease of its lane. */
export interface Beginning {
  lease: Lease;
  job: Job;
}

/**
 * What became of a begin. `changed`: somebody else changed the job meanwhile; `lost`: the lane has
 * another holder; `busy`: somebody has the lane's row locked.
 */
export type BeginAnswer = Begun | "changed" | "lost" | "busy";

/**
 * Marks jobs of one queue and one owner running, each as its next attempt. Answers in their order.
 * A lane whose row is locked is waited for, unless `skipLocked`.
 */
export async function beginAttempts(
  tx: Transaction,
  beginnings: Beginning[],
  { worker, skipLocked }: { worker: string; skipLocked: boolean },
): Promise<BeginAnswer[]> {
  const first = beginnings[0];
  if (first === undefined) return [];
  const rows = await tx.query<{
    n: number;
    held: boolean;
    attempts: number | null;
    begun: string | null;
  }>(skipLocked ? BEGIN_OR_SKIP : BEGIN_OR_WAIT, [
    beginnings.map((_, n) => n),
    first.lease.queue,
    beginnings.map(({ lease }) => lease.lane),
    beginnings.map(({ lease }) => lease.epoch),
    beginnings.map(({ job }) => job.workspaceId),
    beginnings.map(({ job }) => job.id),
    first.lease.owner,
    worker,
  ]);
  const answers = new Map(
    rows.map(({ n, held, attempts, begun }): [number, BeginAnswer] => {
      if (!held) return [n, skipLocked ? "busy" : "lost"];
      return [n, attempts === null || begun === null ? "changed" : { attempt: attempts, begun }];
    }),
  );
  return beginnings.map((_, n) => answers.get(n) ?? "lost");
}

const MARK = `/* jobs.mark */
UPDATE jobs j SET state = 'running', filed = false, worker = $3, started_at = clock_timestamp(),
  begun = nextval('job_begins'), deaths = greatest(j.deaths, $4)
FROM (
  SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS d(workspace_id, id) ${fewRows("$1")}
) d
WHERE j.workspace_id = d.workspace_id AND j.id = d.id AND j.state IN ('available', 'retryable')
RETURNING j.id, j.begun`;

/**
 * Notes that this worker has the jobs in hand; no attempt is counted yet. `deaths` is how many
 * workers may have died with them in hand before, at least. Answers the numbers drawn, by job.
 */
export async function markRunning(
  tx: Transaction,
  jobs: Job[],
  { worker, deaths }: { worker: string; deaths: number },
): Promise<Map<JobId, string>> {
  const rows = await tx.query<{ id: JobId; begun: string }>(MARK, [
    jobs.map((job) => job.workspaceId),
    jobs.map((job) => job.id),
    worker,
    deaths,
  ]);
  return new Map(rows.map((row) => [row.id, row.begun]));
}

const UNMARK = `/* jobs.unmark */
UPDATE jobs j SET filed = false,
  state = CASE WHEN j.attempts = 0 THEN 'available' ELSE 'retryable' END
FROM (
  SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS d(workspace_id, id) ${fewRows("$1")}
) d
WHERE j.workspace_id = d.workspace_id AND j.id = d.id AND j.state = 'running'`;

/** Takes the marks off again: the jobs wait, as before. */
export async function unmarkRunning(tx: Transaction, jobs: Job[]): Promise<void> {
  await tx.query(UNMARK, [jobs.map((job) => job.workspaceId), jobs.map((job) => job.id)]);
}

/** A death stays visible as an attempt that nobody ended, with the worker that died. */
const COUNT_DEATHS = `/* jobs.count-deaths */
WITH died AS (
  UPDATE jobs j SET deaths = j.deaths + 1, filed = false
  FROM (
    SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS d(workspace_id, id) ${fewRows("$1")}
  ) d
  WHERE j.workspace_id = d.workspace_id AND j.id = d.id
  RETURNING j.workspace_id, j.id, j.deaths, j.attempts, j.worker, j.started_at
), kept AS (
  INSERT INTO job_attempts
    (workspace_id, job_id, attempt, worker, started_at, outcome, error_class, error)
  SELECT workspace_id, id, attempts + 1, worker, started_at, 'died', 'WorkerDied',
    'the worker died with this job in hand'
  FROM died WHERE $3
)
SELECT id, deaths FROM died`;

/**
 * Notes that a worker died with these jobs in hand; answers how many have, by job. `asAttempts`:
 * leaves a row for each, which an attempt that was counted at its begin does not need.
 */
export async function countDeaths(
  tx: Transaction,
  jobs: Job[],
  { asAttempts }: { asAttempts: boolean },
): Promise<Map<JobId, number>> {
  const rows = await tx.query<{ id: JobId; deaths: number }>(COUNT_DEATHS, [
    jobs.map((job) => job.workspaceId),
    jobs.map((job) => job.id),
    asAttempts,
  ]);
  return new Map(rows.map((row) => [row.id, row.deaths]));
}

/** The outcome of a job in whose hands `MAX_DEATHS` workers died. */
export const killedWorkers = (lastWorker: string | null): Outcome => ({
  type: "discard",
  errorClass: "WorkerDied",
  error: `${MAX_DEATHS} workers died with this job in hand, the last of them ${lastWorker}`,
});
