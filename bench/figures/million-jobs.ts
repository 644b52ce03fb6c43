import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { claimInOrder } from "../../src/jobs/claim.ts";
import { releaseLeases } from "../../src/jobs/lease.ts";
import { dueLanes } from "../../src/jobs/sweep.ts";
import { takeLeases } from "../../src/jobs/take-leases.ts";
import type { Database } from "../../src/platform/index.ts";
import { type BenchBot, type Environment, openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { load, NOWHERE, targetsOf } from "../load-run.ts";
import { median, round } from "../numbers.ts";
import { until } from "../until.ts";

const LANES = 100_000;
const JOBS_A_LANE = 10;
const FEW_LANES = 100;
const LEASE_MS = 60_000;
const BATCH_LANES = 100;
const TIMES = 50;
const MEASURED = 20_000;
const DRAINED_FOR_MS = 30_000;

/** A million waiting jobs: what the engine's statements, memory and throughput make of them. */
export async function millionJobs(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  const { db, owner } = environment;
  try {
    const own = await environment.addBots(1);
    const [crowd] = await environment.addBots(1, "new");
    if (crowd === undefined) throw new Error("no bot");
    await fill(environment, crowd, 0, FEW_LANES);
    const withFew = await statementTimes(db);
    await fill(environment, crowd, FEW_LANES, LANES);
    const withMillion = await statementTimes(db);

    await setDue(environment, crowd, "now() + interval '1 day'");
    const beside = await throughput(environment, own, 1);
    await setDue(environment, crowd, "now()");
    const drained = await drainFor(environment);
    await db.query("DELETE FROM jobs WHERE workspace_id = $1", [crowd.workspaceId]);
    await db.query("DELETE FROM lanes WHERE workspace_id = $1", [crowd.workspaceId]);
    await owner.query("VACUUM ANALYZE jobs, lanes");
    const alone = await throughput(environment, own, 50_000_000);
    const share = beside.perSecond / alone.perSecond;
    return {
      figure: "webhook POST to message row while 1,000,000 jobs wait in 100,000 lanes",
      value: round(beside.perSecond),
      unit: "updates/s",
      baseline: { name: "the same with nothing waiting", value: round(alone.perSecond) },
      ratio: round(share * 100) / 100,
      statementsMs: { with1000: withFew, with1000000: withMillion },
      workerMb: { beside: beside.workerMb, alone: alone.workerMb, draining: drained.workerMb },
      webMb: { beside: beside.webMb, alone: alone.webMb },
      redisMb: { beside: beside.redisMb, draining: drained.redisMb },
      drainedPerSecond: round(drained.perSecond),
      target: "down by < 10 %, Redis under 200 MB, memory flat, statements as with 1,000",
      reached: share > 0.9 && Math.max(beside.redisMb, drained.redisMb) < 200,
    };
  } finally {
    await environment.close();
  }
}

/** Waiting updates in lanes `from` to `to`, made in the database: a receiver would need minutes. */
async function fill(
  { db, owner }: Environment,
  bot: BenchBot,
  from: number,
  to: number,
): Promise<void> {
  const STEP = 10_000;
  for (let first = from; first < to; first += STEP) {
    const last = Math.min(to, first + STEP) - 1;
    const params = [bot.workspaceId, bot.connectorId, first, last];
    await db.query(
      `INSERT INTO lanes (queue, lane, workspace_id, seq, due_at)
       SELECT 'ingest', $2::text || '/c' || (40000000 + n), $1, 1, now()
       FROM generate_series($3::int, $4::int) n`,
      params,
    );
    await db.query(
      `WITH made AS (
         SELECT nextval('job_ids') AS id, n, k
         FROM generate_series($3::int, $4::int) n, generate_series(1, ${JOBS_A_LANE}) k
       ), bodies AS (
         INSERT INTO job_bodies (workspace_id, job_id, body, created_at)
         SELECT $1, id, convert_to(format(
           '{"update_id":%s,"message":{"message_id":%s,"date":1790000000,"chat":{"id":%s,"type":"private","first_name":"Ada"},"from":{"id":%s,"is_bot":false,"first_name":"Ada"},"text":"waiting"}}',
           n * 10 + k, k, 40000000 + n, 40000000 + n), 'UTF8'), now()
         FROM made
       )
       INSERT INTO jobs (workspace_id, id, queue, lane, kind, priority, payload, run_at, max_attempts,
         created_at)
       SELECT $1, id, 'ingest', $2::text || '/c' || (40000000 + n), 'update', 5,
         jsonb_build_object('connectorId', $2::text, 'updateId', n * 10 + k, 'updateKind', 'message'),
         now(), 8, now()
       FROM made`,
      params,
    );
  }
  await owner.query("ANALYZE jobs, lanes, job_bodies");
}

async function setDue({ db, owner }: Environment, bot: BenchBot, time: string): Promise<void> {
  const set = async (sql: string) => {
    // A million rows take longer than a statement may.
    const client = await db.connect();
    await client.query(sql, [bot.workspaceId]);
    await client.end();
  };
  await set(
    `UPDATE jobs SET run_at = ${time}, filed = false WHERE workspace_id = $1 AND state = 'available'`,
  );
  await set(`UPDATE lanes SET due_at = ${time} WHERE workspace_id = $1 AND due_at IS NOT NULL`);
  await owner.query("VACUUM ANALYZE jobs, lanes");
}

/** Median times of the engine's statements, in ms, for a batch of a hundred lanes. */
async function statementTimes(db: Database) {
  const times = { sweep: [] as number[], lease: [] as number[], claim: [] as number[] };
  const timed = async <Result>(into: number[], run: () => Promise<Result>): Promise<Result> => {
    const startedMs = performance.now();
    const result = await run();
    into.push(performance.now() - startedMs);
    return result;
  };
  const owner = randomUUID();
  for (let time = 1; time <= TIMES; time++) {
    const lanes = await timed(times.sweep, () => dueLanes(db, "ingest", BATCH_LANES, LEASE_MS));
    const names = lanes.sort();
    const taken = await timed(times.lease, () =>
      takeLeases(db, "ingest", names, { owner, leaseMs: LEASE_MS, claimLimit: 0 }),
    );
    const leases = [...taken.values()].map(({ lease }) => lease);
    const claims = await timed(times.claim, () =>
      claimInOrder(
        db,
        "ingest",
        leases.map((lease) => ({ lease, limit: 64 })),
      ),
    );
    const releases = leases.map((lease, n) => ({
      lease,
      seq: claims[n]?.seq ?? "0",
      dueInMs: "unchanged" as const,
    }));
    await releaseLeases(db, releases);
  }
  return {
    sweep: round(median(times.sweep)),
    lease: round(median(times.lease)),
    claim: round(median(times.claim)),
  };
}

interface Throughput {
  perSecond: number;
  workerMb: number;
  webMb: number;
  redisMb: number;
}

async function throughput(
  environment: Environment,
  bots: BenchBot[],
  firstUpdateId: number,
): Promise<Throughput> {
  const { db } = environment;
  const web = await environment.start("web");
  const worker = await environment.start("ingest");
  const done = async () => {
    const [row] = await db.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM jobs
       WHERE workspace_id = $1 AND state = 'completed' AND (payload->>'updateId')::bigint >= $2`,
      [bots[0]?.workspaceId, firstUpdateId],
    );
    return row?.count ?? 0;
  };
  const push = async (count: number, first: number) => {
    const before = await done();
    const startedMs = performance.now();
    await load(environment, { ...targetsOf(environment, bots), count, firstUpdateId: first });
    await until(async () => (await done()) >= before + count);
    return count / ((performance.now() - startedMs) / 1_000);
  };
  await push(5_000, firstUpdateId);
  const runs: number[] = [];
  for (let run = 1; run <= 3; run++)
    runs.push(await push(MEASURED, firstUpdateId + run * 1_000_000));
  const memory = {
    workerMb: residentMb(worker),
    webMb: residentMb(web),
    redisMb: await redisMb(environment),
  };
  await stop(web, worker);
  return { perSecond: median(runs), ...memory };
}

/** Lets one worker drain what waits for a while; answers its rate and the most memory it took. */
async function drainFor(environment: Environment) {
  const { db } = environment;
  const done = async () => {
    const [row] = await db.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM jobs WHERE state = 'completed'",
    );
    return row?.n ?? 0;
  };
  const before = await done();
  const worker = await environment.start("ingest");
  const endsAtMs = performance.now() + DRAINED_FOR_MS;
  let workerMb = 0;
  let mostRedisMb = 0;
  while (performance.now() < endsAtMs) {
    workerMb = Math.max(workerMb, residentMb(worker));
    mostRedisMb = Math.max(mostRedisMb, await redisMb(environment));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await stop(worker);
  const perSecond = ((await done()) - before) / (DRAINED_FOR_MS / 1_000);
  return { perSecond, workerMb, redisMb: mostRedisMb };
}

async function stop(...children: ChildProcess[]): Promise<void> {
  for (const child of children) {
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await exited;
  }
}

function residentMb(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024);
}

async function redisMb({ redisUrl }: Environment): Promise<number> {
  if (redisUrl === undefined) return 0;
  const redis = new Redis(redisUrl);
  const info = await redis.info("memory");
  redis.disconnect();
  return round(Number(/used_memory:(\d+)/.exec(info)?.[1] ?? 0) / 1_048_576);
}
