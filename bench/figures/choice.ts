import { randomUUID } from "node:crypto";
import { ClassShare } from "../../src/jobs/class-share.ts";
import { KeyedLane } from "../../src/jobs/keyed-lane.ts";
import { LaneReaders } from "../../src/jobs/lane-reader.ts";
import type { Lease } from "../../src/jobs/lease.ts";
import type { Job } from "../../src/jobs/types.ts";
import type { Database } from "../../src/platform/index.ts";
import { type Environment, openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { NOWHERE } from "../load-run.ts";
import { percentile, round } from "../numbers.ts";

export interface ChoiceSizes {
  /** Waiting for one bot, in all. */
  jobs: number;
  /** Of those, for one chat that is held: they came first. */
  held: number;
  /** Beside them, for tomorrow. */
  later: number;
  choices: number;
}

const SIZES: ChoiceSizes = { jobs: 1_000_000, held: 50_000, later: 100_000, choices: 2_000 };
const CHATS = 200_000;
const HELD_KEY = "held";
/** Chats that their own pace holds at any moment, beside the one: those that were sent to last. */
const RECENT = 100;
const ALERT_EVERY = 100;
const COLD_STARTS = 10;
const BASELINE_CHOICES = 30;
const STEP = 50_000;
const TARGET_MS = 20;

/** How long it takes to choose the next message of a bot for which a million wait. */
export const choice = (): Promise<Figure> => measureChoice(SIZES);

export async function measureChoice(sizes: ChoiceSizes): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  const { db, owner } = environment;
  try {
    const lease = await fill(environment, sizes);
    await owner.query("ANALYZE jobs, lanes");
    const fresh = await coldStarts(db, lease);
    await owner.query("VACUUM ANALYZE jobs, lanes");
    const settled = await coldStarts(db, lease);
    const ours = await chooseAll(db, lease, sizes.choices);
    for (const index of FORMER_INDEXES) await owner.query(index);
    await owner.query("ANALYZE jobs");
    const former = await formerClaims(db, lease);
    const most = Math.max(...ours.ms);
    return {
      figure: `choosing the next message of a bot, ${sizes.jobs.toLocaleString("en")} waiting, ${sizes.held.toLocaleString("en")} of them for a chat that is held, ${sizes.later.toLocaleString("en")} more for tomorrow`,
      value: round(percentile(ours.ms, 0.99)),
      unit: "ms, p99",
      p50: round(percentile(ours.ms, 0.5)),
      max: round(most),
      baseline: {
        name: "the claim before, which read from the front each time, p99",
        value: round(percentile(former, 0.99)),
      },
      baselineP50: round(percentile(former, 0.5)),
      coldStartMs: {
        freshRows: round(percentile(fresh, 0.5)),
        vacuumed: round(percentile(settled, 0.5)),
        max: round(Math.max(...fresh, ...settled)),
      },
      alertMs: { p50: round(percentile(ours.alertMs, 0.5)), max: round(Math.max(...ours.alertMs)) },
      keysInMemory: ours.keys,
      heapMb: { first: round(ours.heapMb.first), last: round(ours.heapMb.last) },
      target: `< ${TARGET_MS} ms, memory flat`,
      reached: most < TARGET_MS && ours.keys < 2_000,
    };
  } finally {
    await environment.close();
  }
}

/** Made in the database, in the order in which they would have come. Answers a lease of the lane. */
async function fill({ db, addBots }: Environment, sizes: ChoiceSizes): Promise<Lease> {
  const [bot] = await addBots(1);
  if (bot === undefined) throw new Error("no bot");
  const { workspaceId, connectorId: lane } = bot;
  await db.query(
    `INSERT INTO lanes (queue, lane, workspace_id, seq, due_at)
     VALUES ('outbound', $1, $2, 1, now() + interval '1 day')`,
    [lane, workspaceId],
  );
  const insert = async (key: string, runAt: string, count: number) => {
    for (let first = 0; first < count; first += STEP) {
      await db.query(
        `INSERT INTO jobs (workspace_id, id, queue, lane, kind, ordering_key, priority, payload,
           run_at, max_attempts, created_at)
         SELECT $1::uuid, nextval('job_ids'), 'outbound', $2::text, 'message', ${key}, 5,
           jsonb_build_object('messageId', gen_random_uuid()), ${runAt}, 25, now()
         FROM generate_series($3::int, $4::int) n`,
        [workspaceId, lane, first, Math.min(count, first + STEP) - 1],
      );
    }
  };
  await insert(`'${HELD_KEY}'`, "now()", sizes.held);
  await insert(`(1000 + n % ${CHATS})::text`, "now()", sizes.jobs - sizes.held);
  await insert(`(1000 + n % ${CHATS})::text`, "now() + interval '1 day'", sizes.later);
  return {
    queue: "outbound",
    lane,
    workspaceId,
    owner: randomUUID(),
    epoch: "1",
    inherited: false,
  };
}

async function timed<Result>(
  into: number[],
  run: () => Promise<Result>,
): Promise<{ result: Result; ms: number }> {
  const startedMs = performance.now();
  const result = await run();
  const ms = performance.now() - startedMs;
  into.push(ms);
  return { result, ms };
}

/** A drain that begins and knows nothing: its first claim passes the held chat. */
async function coldStarts(db: Database, lease: Lease): Promise<number[]> {
  const ms: number[] = [];
  const reader = new LaneReaders(db, "outbound").readerOf(lease.lane);
  // The statement is prepared once a connection.
  await new KeyedLane(reader).claim({ blockedKeys: [HELD_KEY], ownIds: [], room: 30 });
  for (let n = 0; n < COLD_STARTS; n++) {
    const keyed = new KeyedLane(reader);
    await timed(ms, () => keyed.claim({ blockedKeys: [HELD_KEY], ownIds: [], room: 30 }));
  }
  return ms;
}

/** Choices of one drain, each job completed after its choice; now and then a critical alert comes. */
async function chooseAll(db: Database, lease: Lease, choices: number) {
  const keyed = new KeyedLane(new LaneReaders(db, "outbound").readerOf(lease.lane));
  const share = new ClassShare();
  const ms: number[] = [];
  const alertMs: number[] = [];
  const recent: string[] = [];
  const heapMb = { first: heapUsedMb(), last: 0 };
  let keys = 0;
  for (let n = 1; n <= choices; n++) {
    const isAlert = n % ALERT_EVERY === 0;
    if (isAlert) await insertAlert(db, lease, n);
    const blockedKeys = [HELD_KEY, ...recent];
    const { result: job, ms: tookMs } = await timed(ms, async () => {
      const { jobs } = await keyed.claim({ blockedKeys, ownIds: [], room: 30 });
      const inOrder = share.inOrder(jobs);
      const chosen = isAlert ? inOrder.find(({ priority }) => priority === 0) : inOrder[0];
      if (chosen === undefined) throw new Error("nothing was found");
      share.chose(chosen, jobs);
      return chosen;
    });
    if (isAlert) alertMs.push(tookMs);
    await complete(db, job);
    keyed.touch(job);
    recent.push(job.orderingKey ?? "");
    if (recent.length > RECENT) recent.shift();
    keys = Math.max(keys, keyed.size);
  }
  heapMb.last = heapUsedMb();
  return { ms, alertMs, keys, heapMb };
}

const heapUsedMb = () => process.memoryUsage().heapUsed / 1_048_576;

async function insertAlert(db: Database, lease: Lease, n: number): Promise<void> {
  await db.query(
    `INSERT INTO jobs (workspace_id, id, queue, lane, kind, ordering_key, priority, payload, run_at,
       max_attempts, created_at)
     SELECT $1::uuid, nextval('job_ids'), 'outbound', $2::text, 'message', $3::text, 0, '{}', now(), 25, now()`,
    [lease.workspaceId, lease.lane, `alert ${n}`],
  );
}

async function complete(db: Database, job: Job): Promise<void> {
  await db.query(
    `UPDATE jobs SET state = 'completed', filed = false, finished_at = now()
     WHERE workspace_id = $1 AND id = $2`,
    [job.workspaceId, job.id],
  );
}

/** What the claim was before, with the indexes that it had. */
const FORMER_INDEXES = [
  `CREATE INDEX former_priority ON jobs (queue, lane, priority, id)
     WHERE state IN ('available', 'running', 'retryable') AND ordering_key IS NOT NULL`,
  `CREATE INDEX former_key ON jobs (queue, lane, ordering_key, id)
     WHERE state IN ('available', 'running', 'retryable') AND ordering_key IS NOT NULL`,
];
const LIVE = "j.state IN ('available', 'running', 'retryable')";
const IS_DUE = "(j.run_at <= now() OR (j.state = 'available' AND j.run_at <= j.created_at))";
const FORMER_CLAIM = `/* bench.former-claim */
WITH candidates AS (
  SELECT j.ordering_key, j.priority, j.id FROM jobs j
  WHERE j.queue = $1 AND j.lane = $2 AND j.ordering_key IS NOT NULL AND ${LIVE}
    AND ${IS_DUE} AND j.ordering_key <> ALL ($3::text[])
  ORDER BY j.priority, j.id LIMIT 200
), keys AS (
  SELECT ordering_key, min(priority) AS priority FROM candidates GROUP BY ordering_key
)
SELECT j.* FROM keys k CROSS JOIN LATERAL (
  SELECT j.id, j.payload FROM jobs j
  WHERE j.queue = $1 AND j.lane = $2 AND j.ordering_key = k.ordering_key
    AND ${LIVE} AND (j.state <> 'available' OR ${IS_DUE})
  ORDER BY j.id LIMIT 1
) j`;

async function formerClaims(db: Database, lease: Lease): Promise<number[]> {
  const ms: number[] = [];
  const recent = Array.from({ length: RECENT }, (_, n) => String(1_000 + n));
  for (let n = 0; n < BASELINE_CHOICES; n++) {
    await timed(ms, () => db.query(FORMER_CLAIM, [lease.queue, lease.lane, [HELD_KEY, ...recent]]));
  }
  return ms;
}
