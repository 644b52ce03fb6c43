import type { Database } from "../platform/index.ts";
import type { Attempts } from "./attempts.ts";
import type { ClaimedJob } from "./claim.ts";
import { type Lease, mustHold } from "./lease.ts";
import { countDeaths, killedWorkers, MAX_DEATHS } from "./outcome.ts";
import type { JobId, LaneRunner, Outcome } from "./types.ts";

/** What becomes of an orphan where its handler has nothing to say. */
const NEVER_LEFT: { outcome: Outcome; own?: unknown; isInnocent?: boolean } = {
  outcome: { type: "pause", untilMs: 0, reason: "cut off before it left" },
};
const DIED: typeof NEVER_LEFT = {
  outcome: {
    type: "retry",
    errorClass: "WorkerDied",
    error: "a worker died with this job in hand",
  },
};

/**
 * Jobs of a lane that are marked running though nobody runs them: a dead holder left them, or a begin
 * was cut off. Each holds its key until its handler knows what became of it.
 */
export class Orphans {
  private readonly db: Database;
  private readonly attempts: Attempts;
  private readonly lease: Lease;
  private readonly orphans = new Map<JobId, { job: ClaimedJob; askAtMs: number }>();

  constructor({ db, attempts }: { db: Database; attempts: Attempts }, lease: Lease) {
    this.db = db;
    this.attempts = attempts;
    this.lease = lease;
  }

  has(id: JobId): boolean {
    return this.orphans.has(id);
  }

  note(job: ClaimedJob): void {
    if (!this.has(job.id)) this.orphans.set(job.id, { job, askAtMs: 0 });
  }

  /** When each of them is to be asked about, in ms since the epoch. */
  askTimes(): number[] {
    return [...this.orphans.values()].map(({ askAtMs }) => askAtMs);
  }

  /** Records what became of those about which that is known; answers them. Throws `LeaseLost`. */
  async settle(runner: LaneRunner): Promise<ClaimedJob[]> {
    const settled: ClaimedJob[] = [];
    for (const orphan of [...this.orphans.values()]) {
      if (orphan.askAtMs > Date.now()) continue;
      const { job } = orphan;
      const neverLeft = this.attempts.neverLeft(job);
      const {
        outcome,
        own = null,
        isInnocent = false,
      } = (await runner.orphan?.(job, { neverLeft })) ?? (neverLeft ? NEVER_LEFT : DIED);
      if (outcome.type === "pause" && !neverLeft) {
        orphan.askAtMs = outcome.untilMs;
        continue;
      }
      await this.record(job, { outcome, own, isInnocent: neverLeft || isInnocent });
      this.orphans.delete(job.id);
      settled.push(job);
    }
    return settled;
  }

  private async record(
    job: ClaimedJob,
    { outcome, own, isInnocent }: { outcome: Outcome; own: unknown; isInnocent: boolean },
  ): Promise<void> {
    await this.db.transaction(async (tx) => {
      await mustHold(tx, this.lease);
      let verdict = outcome;
      if (!isInnocent) {
        const deaths = (await countDeaths(tx, [job], { asAttempts: false })).get(job.id) ?? 0;
        if (deaths >= MAX_DEATHS && outcome.type === "retry") verdict = killedWorkers(job.worker);
      }
      const { attempts: attempt, begun } = job;
      const end = { job, attempt, begun, own, outcome: verdict, runMs: 0 };
      await this.attempts.recordIn(tx, [end], { wasRunning: true });
    });
  }
}
