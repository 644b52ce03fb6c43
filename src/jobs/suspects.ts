import type pg from "pg";
import {
  Batcher,
  type Database,
  isLockTimeout,
  isUnavailable,
  type Queryable,
  sqlState,
  type Transaction,
} from "../platform/index.ts";
import type { ClaimedJob } from "./claim.ts";
import { ClaimStale, describeError, LeaseLost, outcomeOfError } from "./errors.ts";
import type { Lease } from "./lease.ts";
import { mustHold } from "./lease.ts";
import {
  type AttemptEnd,
  countDeaths,
  killedWorkers,
  MAX_DEATHS,
  markRunning,
  recordOutcomes,
  unmarkRunning,
} from "./outcome.ts";
import { judgeMark, type MarkSeen, readWorkers } from "./worker-life.ts";

const RECORD_RETRY_MS = 200;
/**
 * Postgres is back from a crash of one of its processes within this, as a rule. Otherwise nothing is
 * counted; a worker that is to stop has no more time.
 */
const RECORD_WITHIN_MS = 5_000;
const MAX_SEEN = 10_000;
/** A lane whose mark cannot be judged yet is looked at again after this time, in ms. */
export const JUDGE_AGAIN_MS = 1_000;

interface Suspect {
  lease: Lease;
  job: ClaimedJob;
}

/**
 * Jobs in whose hands a worker may have died.
 *
 * Each runs alone, one at a time in the whole process, and marked, so that what happens has one
 * job's name on it:
 *
 * - The worker dies: its successor finds the mark and counts a death, once the worker is known to
 *   be gone (worker-life.ts). A mark of a worker that lives is taken off and counts for nothing:
 *   its connection was cut, and its lease ran out. After `MAX_DEATHS` it is a dead letter.
 * - Its transaction's connection is cut, and this worker lives: then a second connection, the
 *   witness, which did nothing at the time, says whose doing it was. If it was cut too, Postgres or
 *   the network went away, and nothing is counted. If it was not, it was the job's doing (it kept
 *   the event loop, say, longer than a transaction may be idle), and so it is where Postgres said
 *   that one of its processes had crashed: a failed attempt like any other, with its error and its
 *   backoff, recorded by the mark's number whether the lease is still held or not, for keeping the
 *   event loop loses that as well.
 */
export class Suspects {
  private readonly options: SuspectsOptions;
  private readonly queue: Batcher<Suspect, void>;
  /** Marks that could not be judged yet, by job and number. */
  private readonly seen = new Map<string, MarkSeen>();
  private witness: Witness | undefined;

  constructor(options: SuspectsOptions) {
    this.options = options;
    this.queue = new Batcher({ maxItems: 1, run: (items) => Promise.all(items.map(this.runOne)) });
  }

  /** Runs a job alone; its failure is recorded. Throws `LeaseLost`, or what is nobody's failure. */
  run(lease: Lease, job: ClaimedJob): Promise<void> {
    return this.queue.add({ lease, job });
  }

  /** Commits that this worker has these jobs in hand, so that its death would tell. */
  async mark(lease: Lease, jobs: ClaimedJob[], deaths: number): Promise<Map<string, string>> {
    const { db, worker } = this.options;
    return db.transaction(async (tx) => {
      await mustHold(tx, lease);
      return markRunning(tx, jobs, { worker, deaths });
    });
  }

  /**
   * Settles jobs that somebody who held the lane before left `running`; see above. A mark of this
   * very process is no death. False: it is not known yet whether one of those workers lives, and
   * nothing was changed.
   */
  async settleLeft(lease: Lease, left: ClaimedJob[]): Promise<boolean> {
    const { db, worker } = this.options;
    const others = left.filter((job) => job.worker !== worker);
    const lives = await this.livesOf(db, others);
    if (lives.has("unknown")) return false;
    const died = lives.get("gone") ?? [];
    await db.transaction(async (tx) => {
      await mustHold(tx, lease);
      const deaths = await countDeaths(tx, died, { asAttempts: true });
      await unmarkRunning(tx, left);
      const killers = left.filter((job) => (deaths.get(job.id) ?? 0) >= MAX_DEATHS);
      await this.record(
        tx,
        killers.map((job) => ({ job, outcome: killedWorkers(job.worker), runMs: 0 })),
      );
    });
    for (const job of left) this.seen.delete(markOf(job));
    return true;
  }

  /** What became of those who marked these jobs. */
  private async livesOf(on: Queryable, jobs: ClaimedJob[]) {
    const workers = await readWorkers(
      on,
      jobs.flatMap((job) => job.worker ?? []),
    );
    const lives = new Map<ReturnType<typeof judgeMark>, ClaimedJob[]>();
    for (const job of jobs) {
      const heard = workers.get(job.worker ?? "") ?? null;
      const first = this.seen.get(markOf(job));
      const life = judgeMark(heard, first, performance.now());
      if (life === "unknown" && first === undefined && heard !== null) {
        if (this.seen.size >= MAX_SEEN) this.seen.clear();
        this.seen.set(markOf(job), { heartbeat: heard.heartbeat, sinceMs: performance.now() });
      }
      lives.set(life, [...(lives.get(life) ?? []), job]);
    }
    return lives;
  }

  private readonly runOne = async ({ lease, job }: Suspect): Promise<void> => {
    this.witness ??= await openWitness(this.options.db);
    try {
      await this.runAlone(lease, job, this.witness);
    } finally {
      const isNeeded = this.queue.waiting > 0 && (await this.witness.isThere());
      if (!isNeeded) {
        const { witness } = this;
        this.witness = undefined;
        witness.close();
      }
    }
  };

  private async runAlone(lease: Lease, job: ClaimedJob, witness: Witness): Promise<void> {
    const { db, commit, pauseForLock } = this.options;
    const startedMs = performance.now();
    const runMs = () => performance.now() - startedMs;
    const begun = (await this.mark(lease, [job], job.deaths)).get(job.id);
    // Somebody changed the job meanwhile: the next claim tells.
    if (begun === undefined) return;
    try {
      await commit(lease, job);
    } catch (error) {
      if (error instanceof ClaimStale) return;
      if (error instanceof LeaseLost) throw error;
      if (isUnavailable(error)) {
        if (!isCut(error) || !(await witness.blamesTheJob())) throw error;
        await this.recordCut(job, begun, { error, runMs: runMs() });
        return;
      }
      if (isLockTimeout(error)) return pauseForLock(lease, job);
      const outcome = outcomeOfError(error);
      await db.transaction(async (tx) => {
        await mustHold(tx, lease);
        await this.record(tx, [{ job, outcome, runMs: runMs() }]);
      });
    }
  }

  /** Postgres may need a moment: the job may have crashed one of its processes. */
  private async recordCut(
    job: ClaimedJob,
    begun: string,
    { error, runMs }: { error: unknown; runMs: number },
  ): Promise<void> {
    const { errorClass, error: message } = describeError(error);
    const outcome = {
      type: "retry" as const,
      errorClass: "ConnectionCut",
      error: `the connection of its own transaction was cut (${errorClass}): ${message}`,
    };
    const endsAtMs = performance.now() + RECORD_WITHIN_MS;
    for (;;) {
      try {
        await this.record(this.options.db, [{ job, outcome, runMs }], begun);
        return;
      } catch (failure) {
        if (!isUnavailable(failure) || performance.now() >= endsAtMs) throw failure;
        await new Promise((resolve) => setTimeout(resolve, RECORD_RETRY_MS));
      }
    }
  }

  /** `begun`: by the mark's number, lease or no lease; without it the caller holds the lane. */
  private async record(
    on: Queryable | Transaction,
    ends: Omit<AttemptEnd, "attempt" | "begun">[],
    begun: string | null = null,
  ): Promise<void> {
    const { worker } = this.options;
    const all = ends.map((end) => ({ ...end, attempt: end.job.attempts + 1, begun }));
    await recordOutcomes(on, all, { worker, nowMs: Date.now(), wasRunning: begun !== null });
  }
}

export interface SuspectsOptions {
  db: Database;
  worker: string;
  /** One job in a transaction of its own. Throws what it failed of. */
  commit(lease: Lease, job: ClaimedJob): Promise<void>;
  /** The job needs a row that is locked: it waits, and spends no attempt. */
  pauseForLock(lease: Lease, job: ClaimedJob): Promise<void>;
}

const markOf = (job: ClaimedJob) => `${job.id}/${job.begun}`;

/** True for a connection that ended in the middle of its work; not for one that was never made. */
export function isCut(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return /^(25P03|57P01|57P02|57P05)$/.test(state);
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  return /^(ECONNRESET|EPIPE)$/.test(code ?? "") || /terminated|not queryable/.test(message ?? "");
}

interface Witness {
  /** Its connection still answers. */
  isThere(): Promise<boolean>;
  /** It still answers, or was told that another process of Postgres had crashed. */
  blamesTheJob(): Promise<boolean>;
  /** Nobody waits for it: the connection may be dead, and not know it. */
  close(): void;
}

const WITNESS_TIMEOUT_MS = 5_000;

async function openWitness(db: Database): Promise<Witness> {
  const client = await db.connect();
  let crashed = false;
  // Postgres says so as a warning, right before it ends the connection.
  const note = (news: unknown) => {
    crashed ||= sqlState(news) === "57P02";
  };
  client.on("notice", note);
  client.on("error", note);
  const question = { text: "SELECT 1", query_timeout: WITNESS_TIMEOUT_MS } as pg.QueryConfig;
  const isThere = () =>
    client.query(question).then(
      () => true,
      () => false,
    );
  return {
    isThere,
    blamesTheJob: async () => (await isThere()) || crashed,
    close: () => void client.end().catch(() => {}),
  };
}
