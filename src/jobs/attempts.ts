import {
  Batcher,
  type Database,
  isLockTimeout,
  isUnavailable,
  type Transaction,
} from "../platform/index.ts";
import type { ClaimedJob } from "./claim.ts";
import { LeaseLost } from "./errors.ts";
import type { Lease } from "./lease.ts";
import {
  type AttemptEnd,
  type BeginAnswer,
  type Beginning,
  type Begun,
  beginAttempts,
  recordOutcomes,
  verdictOf,
} from "./outcome.ts";
import { rekeyJobs } from "./rekey-jobs.ts";
import { Slots } from "./slots.ts";
import type { EndedAttempt, ExternalHandler, JobId, Outcome } from "./types.ts";

const MAX_BATCH = 200;
/** What a common transaction waits for a row that somebody else has locked. */
const LOCK_TIMEOUT_MS = 100;
/** Who is tried apart holds nobody else. */
const APART_LOCK_TIMEOUT_MS = 1_000;
/** Jobs of one lane that are tried one after the other. */
const ONE_BY_ONE_LOCK_TIMEOUT_MS = 50;
/** Transactions apart at once: each has a connection. */
const BEGINS_APART = 4;
const ENDS_APART = 4;
/** Remembered about single jobs; more is forgotten, which costs time and nothing else. */
const MAX_REMEMBERED = 10_000;

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
  /**
   * With what the handler makes of it (`finish`); `essential`: with as much of that as is not
   * locked, where waiting has been in vain for long.
   */
  consequences: "all" | "essential" | "none";
}

/** Somebody has a row locked that the attempt needs. Nothing is wrong with the job: try again. */
export class Busy extends Error {
  override name = "Busy";
}

/**
 * Attempts of a pool at work outside Postgres: their begins and their ends, which are transactions,
 * travel together when they meet, whichever lanes they are of. One at a time, each bot's messages
 * would wait for one another at their lane's row, and every message for two commits of its own.
 *
 * What one needs must not hold the others:
 * - A begin locks its lane's row. In a common transaction rows that are locked are passed over; those
 *   lanes begin apart, each by itself, and wait there. A begin of which a handler's row is locked
 *   begins apart from then on.
 * - An end locks no lane, but for where jobs change their key, which comes last; those and what is
 *   discarded end by themselves (`mayShare`).
 * - What fails together is tried apart: a begin with those of its lane, then by itself; an end by itself.
 */
export class Attempts {
  private readonly db: Database;
  private readonly handler: ExternalHandler;
  private readonly worker: string;
  private readonly begins: Batcher<Beginning, BeginResult>;
  private readonly ends: Batcher<RecordedEnd, undefined>;
  private readonly beginSlots = new Slots(BEGINS_APART);
  private readonly endSlots = new Slots(ENDS_APART);
  /** Lanes that begin apart, while something of theirs waits to. */
  private readonly apart = new Map<string, Batcher<Beginning, BeginResult>>();
  /** Jobs whose begin found a row of its handler locked. */
  private readonly blocked = new Set<JobId>();
  /** Jobs whose begin was cut off, with or without its commit: their calls did not leave. */
  private readonly unsure = new Set<JobId>();

  constructor(options: { db: Database; handler: ExternalHandler; worker: string }) {
    this.db = options.db;
    this.handler = options.handler;
    this.worker = options.worker;
    this.begins = new Batcher({
      maxItems: MAX_BATCH,
      groupOf: ({ lease }) => lease.workspaceId,
      isShared: isUnavailable,
      run: (items) => this.beginBatch(items),
    });
    this.ends = new Batcher({
      maxItems: MAX_BATCH,
      groupOf: ({ job }) => job.workspaceId,
      isShared: isUnavailable,
      run: (items) => this.recordBatch(items),
    });
  }

  /**
   * Marks a job running as its next attempt, durably, with what the handler keeps of it; null when
   * somebody else changed the job meanwhile. Throws `LeaseLost`, `Busy`, the database's error or the
   * handler's.
   */
  async begin(lease: Lease, job: ClaimedJob): Promise<BegunAttempt | null> {
    try {
      const begun = await this.begins.add({ lease, job });
      this.blocked.delete(job.id);
      if (begun === "lost") throw new LeaseLost(`lane ${lease.lane} has another holder`);
      if (begun === "busy") throw new Busy(`lane ${lease.lane} is locked`);
      this.unsure.delete(job.id);
      return begun === "changed" ? null : begun;
    } catch (error) {
      if (isUnavailable(error)) remember(this.unsure, job.id);
      if (!isLockTimeout(error)) throw error;
      remember(this.blocked, job.id);
      throw new Busy(`job ${job.id} needs a row that is locked`);
    }
  }

  /**
   * True when the job is marked running by an attempt of this process whose begin was cut off: its
   * call did not leave.
   */
  neverLeft(job: ClaimedJob): boolean {
    return job.worker === this.worker && this.unsure.has(job.id);
  }

  /** Records an outcome by attempt, lease or no lease. Throws what kept it from being written. */
  async record(end: RecordedEnd, { together, consequences }: RecordWay): Promise<void> {
    const isCommon = together && consequences === "all" && mayShare(end.outcome);
    await (isCommon ? this.ends.add(end) : this.recordApart(end, consequences));
  }

  /** Records outcomes in the caller's transaction, each job once. */
  async recordIn(
    tx: Transaction,
    ends: RecordedEnd[],
    {
      wasRunning,
      consequences = "all",
    }: { wasRunning: boolean; consequences?: RecordWay["consequences"] },
  ): Promise<void> {
    const nowMs = Date.now();
    const changed = await recordOutcomes(tx, ends, { worker: this.worker, nowMs, wasRunning });
    if (consequences !== "none") {
      const ended = ends.map(({ job, attempt, outcome, own }): EndedAttempt => {
        const { state } = verdictOf(job, attempt, outcome, nowMs);
        return { job, own, outcome, state, applied: changed.has(job.id) };
      });
      await this.handler.finish?.(tx, ended, { onlyEssential: consequences === "essential" });
    }
    // Last, and in their order: lanes come behind all rows that outcomes write.
    const moved = ends.filter(({ job, outcome }) => job.orderingKey && newKeyOf(outcome) !== null);
    for (const { job, outcome } of moved.sort((a, b) => (a.job.lane < b.job.lane ? -1 : 1))) {
      const { queue, lane, orderingKey } = job;
      await rekeyJobs(tx, { queue, lane, from: orderingKey ?? "", to: newKeyOf(outcome) ?? "" });
    }
  }

  private async beginBatch(items: Beginning[]): Promise<Array<BeginResult | Promise<BeginResult>>> {
    const isOpen = ({ lease, job }: Beginning) =>
      !this.apart.has(laneOf(lease)) && !this.blocked.has(job.id);
    const open = items.filter(isOpen);
    const results = new Map<Beginning, BeginResult>();
    try {
      const answers = await this.beginAll(open, {
        skipLocked: true,
        lockTimeoutMs: LOCK_TIMEOUT_MS,
      });
      for (const [n, item] of open.entries()) {
        const answer = answers[n];
        if (answer !== undefined && answer !== "busy") results.set(item, answer);
      }
    } catch (error) {
      if (isUnavailable(error)) throw error;
    }
    // Nobody waits for the rest but who asked.
    return items.map((item) => results.get(item) ?? this.beginApart(item));
  }

  /** With what else of its lane begins apart: one transaction a lane under way, which waits. */
  private beginApart(item: Beginning): Promise<BeginResult> {
    const lane = laneOf(item.lease);
    let batcher = this.apart.get(lane);
    if (batcher === undefined) {
      const made: Batcher<Beginning, BeginResult> = new Batcher({
        maxItems: MAX_BATCH,
        isShared: isUnavailable,
        run: (items) =>
          inSlot(this.beginSlots, () => this.beginLane(items)).finally(() => {
            if (made.waiting === 0) this.apart.delete(lane);
          }),
      });
      batcher = made;
      this.apart.set(lane, made);
    }
    return quiet(batcher.add(item));
  }

  /** Jobs of one lane, whose row is waited for; one after the other where one of them fails. */
  private async beginLane(items: Beginning[]): Promise<Array<BeginResult | Promise<BeginResult>>> {
    const isOne = items.length === 1;
    const isBlocked = items.some(({ job }) => this.blocked.has(job.id));
    if (isOne || !isBlocked) {
      try {
        const lockTimeoutMs = APART_LOCK_TIMEOUT_MS;
        return await this.beginAll(items, { skipLocked: false, lockTimeoutMs });
      } catch (error) {
        if (isUnavailable(error)) throw error;
        if (isOne) return [quiet(Promise.reject(error))];
      }
    }
    const results: Array<Promise<BeginResult>> = [];
    for (const item of items) {
      const lockTimeoutMs = ONE_BY_ONE_LOCK_TIMEOUT_MS;
      const begun = quiet(this.beginAll([item], { skipLocked: true, lockTimeoutMs }).then(only));
      results.push(begun);
      await begun.catch(() => {});
    }
    return results;
  }

  private async beginAll(
    items: Beginning[],
    { skipLocked, lockTimeoutMs }: { skipLocked: boolean; lockTimeoutMs: number },
  ): Promise<BeginResult[]> {
    if (items.length === 0) return [];
    return this.db.transaction(
      async (tx) => {
        const answers = await beginAttempts(tx, items, { worker: this.worker, skipLocked });
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

  private async recordBatch(ends: RecordedEnd[]): Promise<Array<undefined | Promise<undefined>>> {
    try {
      await this.recordAll(ends, LOCK_TIMEOUT_MS);
      return ends.map(() => undefined);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      return ends.map((end) => quiet(this.recordApart(end, "all")));
    }
  }

  private recordApart(
    end: RecordedEnd,
    consequences: RecordWay["consequences"],
  ): Promise<undefined> {
    return inSlot(this.endSlots, () => this.recordAll([end], APART_LOCK_TIMEOUT_MS, consequences));
  }

  private async recordAll(
    ends: RecordedEnd[],
    lockTimeoutMs: number,
    consequences: RecordWay["consequences"] = "all",
  ): Promise<undefined> {
    await this.db.transaction(
      async (tx) => {
        for (const round of onceEach(ends)) {
          await this.recordIn(tx, round, { wasRunning: true, consequences });
        }
      },
      { lockTimeoutMs },
    );
  }
}

type BeginResult = BegunAttempt | Exclude<BeginAnswer, Begun>;

/**
 * What is discarded or moved says something of other rows than its own (a chat that cannot be
 * reached, one that moved), in an order that several in one transaction would not keep.
 */
const mayShare = (outcome: Outcome): boolean =>
  outcome.type !== "discard" && newKeyOf(outcome) === null;

const laneOf = ({ lane, epoch }: Lease) => `${lane} ${epoch}`;

const isBegun = (answer: BeginAnswer | undefined): answer is Begun => typeof answer === "object";

async function inSlot<Result>(slots: Slots, work: () => Promise<Result>): Promise<Result> {
  await slots.take(0);
  try {
    return await work();
  } finally {
    slots.give();
  }
}

/** Somebody waits for it later: until then it must not count as unhandled. */
function quiet<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {});
  return promise;
}

function remember(jobs: Set<JobId>, id: JobId): void {
  if (jobs.size >= MAX_REMEMBERED) jobs.clear();
  jobs.add(id);
}

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
