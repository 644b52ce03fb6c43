import type { Database, Logger } from "../platform/index.ts";

/**
 * Takes a number of messages out of what the workspace pays for in a day, before any of them leaves, so
 * that never more are paid for than it allows. Days are those of UTC.
 */
const RESERVE = `/* outbound.reserve-paid */
WITH bot AS (
  SELECT workspace_id, id, (paid_broadcasts ->> 'perSecond')::int AS per_second,
    (paid_broadcasts ->> 'perDay')::int AS per_day, (now() AT TIME ZONE 'UTC')::date AS day
  FROM connectors WHERE id = $1 AND paid_broadcasts IS NOT NULL
), spent AS (
  SELECT p.messages FROM paid_sends p JOIN bot b
    ON b.workspace_id = p.workspace_id AND b.id = p.connector_id AND b.day = p.day
  FOR NO KEY UPDATE OF p
), granted AS (
  SELECT greatest(0, least($2::int, b.per_day - coalesce((SELECT messages FROM spent), 0))) AS n
  FROM bot b
), kept AS (
  INSERT INTO paid_sends AS p (workspace_id, connector_id, day, messages)
  SELECT b.workspace_id, b.id, b.day, g.n FROM bot b, granted g WHERE g.n > 0
  ON CONFLICT (workspace_id, connector_id, day) DO UPDATE
    SET messages = p.messages + excluded.messages
)
SELECT b.per_second AS "perSecond", g.n AS granted, b.day::text AS day,
  (extract(epoch FROM (b.day + 1)::timestamp AT TIME ZONE 'UTC' - now()) * 1000)::double precision
    AS "leftMs"
FROM bot b, granted g`;

const RETURN = `/* outbound.return-paid */
UPDATE paid_sends SET messages = greatest(0, messages - $3)
WHERE connector_id = $1 AND day = $2::date
  AND workspace_id = (SELECT workspace_id FROM connectors WHERE id = $1)`;

interface Reserved {
  perSecond: number;
  granted: number;
  /** YYYY-MM-DD. */
  day: string;
  /** Until that day is over. */
  leftMs: number;
}

/** At least so many are taken out at once; a process that dies costs the day those it did not send. */
const LEAST_BLOCK = 50;
const LOOK_EVERY_MS = 1_000;

/** What one drain of a bot may still send for money. Times are ms since the epoch. */
export class PaidAllowance {
  private readonly options: { db: Database; connectorId: string; log: Logger };
  private rate = 0;
  private left = 0;
  private day = "";
  private dayEndsMs = 0;
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private looking: Promise<void> = Promise.resolve();

  constructor(options: PaidAllowance["options"]) {
    this.options = options;
  }

  /** Messages a second that the workspace pays for beside those that are free; 0: none. */
  get perSecond(): number {
    return this.rate;
  }

  /** Whether so many more may be paid for now. */
  has(count: number, nowMs: number): boolean {
    return this.rate > 0 && nowMs < this.dayEndsMs && this.left >= count;
  }

  spend(count: number): void {
    this.left -= count;
  }

  /** What was to be paid for was not sent. */
  giveBack(count: number): void {
    this.left += count;
  }

  /** To be called while there is something to pay for: looks now and then whether more is allowed. */
  note(nowMs: number): void {
    const isLow = this.left < this.rate || nowMs >= this.dayEndsMs;
    if (nowMs - this.lookedAtMs < (isLow ? LOOK_EVERY_MS : 5 * LOOK_EVERY_MS)) return;
    this.lookedAtMs = nowMs;
    this.looking = this.looking.then(() => this.look(nowMs));
  }

  /** Resolves once what is under way is over: the first look at the beginning of a drain, say. */
  settled(): Promise<void> {
    return this.looking;
  }

  /** Puts back what was not used. */
  async close(): Promise<void> {
    await this.looking;
    await this.putBack();
    this.rate = 0;
  }

  private async look(nowMs: number): Promise<void> {
    try {
      if (nowMs >= this.dayEndsMs) await this.putBack();
      const block = Math.max(LEAST_BLOCK, this.rate);
      const wanted = Math.max(0, block - Math.max(0, this.left));
      const { db, connectorId } = this.options;
      const [row] = await db.query<Reserved>(RESERVE, [connectorId, wanted]);
      this.rate = row?.perSecond ?? 0;
      if (row === undefined) return;
      this.left += row.granted;
      this.day = row.day;
      this.dayEndsMs = nowMs + row.leftMs;
    } catch (error) {
      // Nothing is paid for meanwhile; what is free goes on.
      const { log, connectorId } = this.options;
      log.debug({ err: error, connectorId }, "what a bot may pay for is not known now");
    }
  }

  private async putBack(): Promise<void> {
    const { left, day } = this;
    this.left = 0;
    if (left <= 0 || day === "") return;
    const { db, connectorId, log } = this.options;
    try {
      await db.query(RETURN, [connectorId, day, left]);
    } catch (error) {
      log.debug({ err: error, connectorId }, "what a bot did not pay for stays counted");
    }
  }
}
