import {
  Batcher,
  type Database,
  isLockTimeout,
  isUnavailable,
  type Transaction,
} from "../platform/index.ts";
import type { ClaimedJob } from "./claim.ts";
import { commitOrApart } from "./commit-apart.ts";
import { LeaseLost } from "./errors.ts";
import type { Lease } from "./lease.ts";
import {
  type AttemptEnd,
  type Beginning,
  type Begun,
  beginAttempts,
  recordOutcomes,
  verdictOf,
} from "./outcome.ts";
import { rekeyJobs } from "./rekey-jobs.ts";
import type { EndedAttempt, ExternalHandler, JobId, Outcome } from "./types.ts";

const MAX_BATCH = 200;
/** What a common transaction waits for a row that somebody else has locked. */
const LOCK_TIMEOUT_MS = 250;
/** Tried alone beside others that wait for their turn. */
const ALONE_LOCK_TIMEOUT_MS = 50;
/** One after the other, once a row is known to be locked; nobody else waits for these. */
const APART_LOCK_TIMEOUT_MS = 1_000;
const MAX_BLOCKED = 1_000;

/** An attempt that was begun, and what its handler keeps of it. */
export interface BegunAttempt extends Begun {
  own: unknown;
}

/** An attempt's end with what its handler kept. */
export interface RecordedEnd extends AttemptEnd {
  job: ClaimedJob;
  own: unknown;
}

/** How an outcome is recorded. */
export interface RecordWay {
  /** With what else meets it; false: by itself. */
  together: boolean;
  /** With what the handler makes of it (`finish`). */
  withConsequences: boolean;
}

/**
 * Attempts of a pool at work outside Postgres: their begins and their ends, which are transactions,
 * travel together when they meet, whichever lanes they are of. One at a time, each bot's messages
 * would wait for one another at their lane's row, and every message for two commits of its own.
 *
 * - A begin locks the lanes' rows (`jobs.begin`) and so comes before anything of the same
 *   transaction; a drain's fence, in its attempts' own commit.
 * - An end locks no lane but where jobs change their key, which comes last.
 * - What fails together is tried alone, and what finds a row locked goes by itself from then on, so
 *   that neither holds the others (commit-apart.ts).
 */
export class Attempts {
  private readonly db: Database;
  private readonly handler: ExternalHandler;
  private readonly worker: string;
  private readonly begins: Batcher<Beginning, BegunAttempt | null | "lost">;
  private readonly beginsApart: Batcher<Beginning, BegunAttempt | null | "lost">;
  private readonly ends: Batcher<RecordedEnd, undefined>;
  private readonly endsApart: Batcher<RecordedEnd, undefined>;
  /** Lanes whose row was found locked. */
  private readonly blocked = new Set<string>();

  constructor(options: { db: Database; handler: ExternalHandler; worker: string }) {
    this.db = options.db;
    this.handler = options.handler;
    this.worker = options.worker;
    this.begins = new Batcher({
      maxItems: MAX_BATCH,
      groupOf: ({ lease }) => lease.workspaceId,
      isShared: isUnavailable,
      run: (items) =>
        commitOrApart(items, {
          together: (all) => this.beginAll(all, LOCK_TIMEOUT_MS),
          alone: async (item) => only(await this.beginAll([item], ALONE_LOCK_TIMEOUT_MS)),
          workspaceOf: ({ lease }) => lease.workspaceId,
        }),
    });
    this.beginsApart = new Batcher({
      maxItems: 1,
      groupOf: ({ lease }) => lease.workspaceId,
      run: (items) => this.beginAll(items, APART_LOCK_TIMEOUT_MS),
    });
    this.ends = new Batcher({
      maxItems: MAX_BATCH,
      groupOf: ({ job }) => job.workspaceId,
      isShared: isUnavailable,
      run: (items) =>
        commitOrApart(items, {
          together: (all) => this.recordAll(all, LOCK_TIMEOUT_MS),
          alone: async (item) => only(await this.recordAll([item], ALONE_LOCK_TIMEOUT_MS)),
          workspaceOf: ({ job }) => job.workspaceId,
        }),
    });
    this.endsApart = new Batcher({
      maxItems: 1,
      groupOf: ({ job }) => job.workspaceId,
      run: (items) => this.recordAll(items, APART_LOCK_TIMEOUT_MS),
    });
  }

  /**
   * Marks a job running as its next attempt, durably, with what the handler keeps of it; null when
   * somebody else changed the job meanwhile. Throws `LeaseLost`, an error of a lock that was waited
   * for too long (nothing is wrong with the job: try again), the database's or the handler's.
   */
  async begin(lease: Lease, job: ClaimedJob): Promise<BegunAttempt | null> {
    const isBlocked = this.blocked.has(lease.lane);
    try {
      const begun = await (isBlocked ? this.beginsApart : this.begins).add({ lease, job });
      if (isBlocked) this.blocked.delete(lease.lane);
      if (begun === "lost") throw new LeaseLost(`lane ${lease.lane} has another holder`);
      return begun;
    } catch (error) {
      if (isLockTimeout(error) && this.blocked.size < MAX_BLOCKED) this.blocked.add(lease.lane);
      throw error;
    }
  }

  /** Records an outcome by attempt, lease or no lease. Throws what kept it from being written. */
  async record(end: RecordedEnd, { together, withConsequences }: RecordWay): Promise<void> {
    if (!withConsequences) {
      await this.db.transaction((tx) =>
        this.recordIn(tx, [end], { wasRunning: true, withConsequences }),
      );
    } else await (together ? this.ends : this.endsApart).add(end);
  }

  /** Records outcomes in the caller's transaction, each job once; consequences as `record` does. */
  async recordIn(
    tx: Transaction,
    ends: RecordedEnd[],
    { wasRunning, withConsequences = true }: { wasRunning: boolean; withConsequences?: boolean },
  ): Promise<void> {
    const nowMs = Date.now();
    const changed = await recordOutcomes(tx, ends, { worker: this.worker, nowMs, wasRunning });
    if (withConsequences) {
      const ended = ends.map(({ job, attempt, outcome, own }): EndedAttempt => {
        const { state } = verdictOf(job, attempt, outcome, nowMs);
        return { job, own, outcome, state, applied: changed.has(job.id) };
      });
      await this.handler.finish?.(tx, ended);
    }
    // Last, and in their order: lanes come behind all rows that outcomes write.
    const moved = ends.filter(({ job, outcome }) => job.orderingKey && newKeyOf(outcome) !== null);
    for (const { job, outcome } of moved.sort((a, b) => (a.job.lane < b.job.lane ? -1 : 1))) {
      const { queue, lane, orderingKey } = job;
      await rekeyJobs(tx, { queue, lane, from: orderingKey ?? "", to: newKeyOf(outcome) ?? "" });
    }
  }

  private async beginAll(
    items: Beginning[],
    lockTimeoutMs: number,
  ): Promise<Array<BegunAttempt | null | "lost">> {
    return this.db.transaction(
      async (tx) => {
        const answers = await beginAttempts(tx, items, this.worker);
        const jobs = items.map(({ job }) => job).filter((_, n) => isBegun(answers[n]));
        const owns = jobs.length === 0 ? undefined : await this.handler.begin?.(tx, jobs);
        return answers.map((answer, n) => {
          if (!isBegun(answer)) return answer;
          return { ...answer, own: owns?.get(items[n]?.job.id ?? "") ?? null };
        });
      },
      { lockTimeoutMs },
    );
  }

  private async recordAll(ends: RecordedEnd[], lockTimeoutMs: number): Promise<undefined[]> {
    await this.db.transaction(
      async (tx) => {
        for (const round of onceEach(ends)) await this.recordIn(tx, round, { wasRunning: true });
      },
      { lockTimeoutMs },
    );
    return ends.map(() => undefined);
  }
}

const isBegun = (answer: Begun | null | "lost" | undefined): answer is Begun =>
  typeof answer === "object" && answer !== null;

/** The result of a batch of one. */
function only<Result>(results: Result[]): Result {
  if (results.length !== 1) throw new Error(`${results.length} results of one item`);
  return results[0] as Result;
}

/**
 * Ends in rounds that have each job once: a statement may not write a row twice, and what a holder
 * learned late can meet its successor's verdict.
 */
function onceEach(ends: RecordedEnd[]): RecordedEnd[][] {
  const rounds: RecordedEnd[][] = [];
  const seen = new Map<JobId, number>();
  for (const end of ends) {
    const round = seen.get(end.job.id) ?? 0;
    seen.set(end.job.id, round + 1);
    rounds[round] = [...(rounds[round] ?? []), end];
  }
  return rounds;
}

/** The ordering key that a job has from now on, where its outcome says so. */
export function newKeyOf(outcome: Outcome): string | null {
  return outcome.type === "pause" ? (outcome.newKey ?? null) : null;
}
