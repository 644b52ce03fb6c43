import { isLatestHolder } from "../jobs/index.ts";
import { type Database, type Logger, type Queryable, systemClock } from "../platform/index.ts";
import { LearnedRate, type LearnedState } from "./learned-rate.ts";
import { ceilingOf, DOCUMENTED_LIMITS, Pace, type PaceLimits } from "./pace.ts";
import {
  BOT_MEMORY_MS,
  NOTHING,
  type PaceNews,
  type PaceNewsWish,
  type PaceRecord,
  readPaceRecords,
} from "./pace-reads.ts";

/**
 * The pace as what is on record leaves it, at `nowMs`. `limits`: instead of the documented ones and of
 * the connector's own ceiling.
 */
export function paceOf(
  { calls, holds, rate }: PaceRecord,
  { nowMs, limits }: { nowMs: number; limits?: PaceLimits },
): Pace {
  const paced = limits ?? DOCUMENTED_LIMITS;
  const state = rate?.busyMs == null ? null : { plateau: rate.plateau, busyMs: rate.busyMs };
  const ceiling = limits === undefined ? rate?.ceiling : undefined;
  const pace = new Pace(paced, new LearnedRate(ceiling ?? ceilingOf(paced), state));
  for (const { chatId, count, taken, ageMs } of calls) {
    // A clock of Postgres's that was set back has calls that are still to come.
    const atMs = nowMs - Math.max(0, ageMs);
    if (chatId === null) {
      pace.record(null, atMs, count);
      pace.rate.record(atMs, taken);
    } else pace.chatWindows(chatId, nowMs).record(atMs, count);
  }
  for (const { chatId, leftMs } of holds) pace.hold(chatId, nowMs + leftMs);
  return pace;
}

/** A bot's pace as what is on record leaves it (`paceOf`). */
export async function readPace(
  on: Queryable,
  connectorId: string,
  at: { nowMs: number; limits?: PaceLimits },
): Promise<Pace> {
  const records = await readPaceRecords(on, [connectorId], at.limits);
  return paceOf(records.get(connectorId) ?? NOTHING, at);
}

const KEEP = `/* outbound.keep-rate */
INSERT INTO send_rates (workspace_id, connector_id, plateau, busy_ms, per_second)
SELECT workspace_id, id, $2::float8, $3::float8, $4::float8 FROM connectors WHERE id = $1
ON CONFLICT (workspace_id, connector_id) DO UPDATE SET plateau = excluded.plateau,
  busy_ms = excluded.busy_ms, per_second = excluded.per_second, learned_at = now()`;

const EVERY_MS = 1_000;

/** Keeps what a drain learns of its bot's rate, and learns what was decided elsewhere meanwhile. */
export class PaceKeeper {
  private readonly options: {
    db: Database;
    connectorId: string;
    pace: Pace;
    /** The ceiling is the connector's, not the caller's. */
    followsConnector: boolean;
    newsOf(wish: PaceNewsWish): Promise<PaceNews | undefined>;
    log: Logger;
  };
  private epoch: string;
  private keptAtMs: number;
  private kept: LearnedState | null;
  private keeping: Promise<void> = Promise.resolve();

  /** `epoch`: of the drain's lease; what it learned is not kept over what a later one learns. */
  constructor({ epoch, ...options }: PaceKeeper["options"] & { epoch: string }, nowMs: number) {
    this.options = options;
    this.epoch = epoch;
    this.keptAtMs = nowMs;
    this.kept = options.pace.rate.state;
  }

  /** To be called when something was learned: does something now and then, and nobody waits for it. */
  note(nowMs: number): void {
    if (nowMs - this.keptAtMs >= EVERY_MS) void this.look(nowMs);
  }

  /** Learns what was decided elsewhere until now. */
  async look(nowMs: number): Promise<void> {
    const sinceMs = nowMs - this.keptAtMs;
    this.keptAtMs = nowMs;
    this.keeping = this.keeping.then(() => this.exchange(sinceMs));
    await this.keeping;
  }

  /**
   * Another drain goes on with the same pace: learns what was decided elsewhere meanwhile. Throws the
   * database's errors.
   */
  async resume(epoch: string, nowMs: number): Promise<void> {
    this.epoch = epoch;
    const sinceMs = nowMs - this.keptAtMs;
    this.keptAtMs = nowMs;
    await this.learn({ sinceMs, allHolds: true });
  }

  /** Keeps what is not kept yet. */
  async close(): Promise<void> {
    await this.keeping;
    await this.quietly(() => this.keep());
  }

  private async exchange(sinceMs: number): Promise<void> {
    await this.quietly(async () => {
      await this.keep();
      await this.learn({ sinceMs });
    });
  }

  private async learn(since: Pick<PaceNewsWish, "sinceMs" | "allHolds">): Promise<void> {
    const { connectorId, pace, followsConnector, newsOf } = this.options;
    const news = await newsOf({ connectorId, ...since });
    if (news === undefined) return;
    const nowMs = systemClock();
    for (const { chatId, ageMs } of news.calls) {
      const atMs = nowMs - Math.max(0, ageMs);
      if (ageMs < BOT_MEMORY_MS) {
        pace.record(chatId || null, atMs);
        pace.rate.record(atMs, 1);
      } else if (chatId !== "") pace.chatWindows(chatId, nowMs).record(atMs);
    }
    if (followsConnector) pace.rate.setCeiling(news.ceiling);
    for (const { chatId, leftMs } of news.holds) pace.hold(chatId || null, nowMs + leftMs);
  }

  private async keep(): Promise<void> {
    const { db, connectorId, pace } = this.options;
    const { epoch } = this;
    const { state, perSecond } = pace.rate;
    if (state?.plateau === this.kept?.plateau && state?.busyMs === this.kept?.busyMs) return;
    const { plateau, busyMs } = state ?? { plateau: null, busyMs: 0 };
    await db.transaction(async (tx) => {
      if (!(await isLatestHolder(tx, { queue: "outbound", lane: connectorId, epoch }))) return;
      await tx.query(KEEP, [connectorId, plateau, busyMs, perSecond]);
    });
    this.kept = state;
  }

  /** What is learned is learned again: no drain ends because it could not be kept. */
  private async quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { log, connectorId } = this.options;
      log.debug({ err: error, connectorId }, "what was learned of a bot's rate is not kept");
    }
  }
}
