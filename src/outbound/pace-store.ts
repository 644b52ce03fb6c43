import { isLatestHolder } from "../jobs/index.ts";
import { type Database, type Logger, type Queryable, systemClock } from "../platform/index.ts";
import { LearnedRate, type LearnedState } from "./learned-rate.ts";
import { ceilingOf, DOCUMENTED_LIMITS, Pace, type PaceLimits } from "./pace.ts";
import type { Window } from "./pace-windows.ts";

/**
 * Of attempts: as how many each counts, and how long ago it left. That lies between its begin and its
 * end; it counts at the later of the two, and at this moment while nobody has seen it end.
 */
const ATTEMPTS = `SELECT chat_id, cost, paid,
    (extract(epoch FROM now() - coalesce(finished_at, now())) * 1000)::double precision AS age_ms
  FROM send_attempts
  WHERE connector_id = $1 AND outcome IS DISTINCT FROM 'not-sent'
    AND coalesce(finished_at, now()) > now() - interval '61 s'`;

/**
 * The last minute's calls, whoever made them, as counts: for a bot that may send a thousand a second
 * they are sixty thousand. Those that left within a second to one chat count as late as the last of
 * them, as long as they can matter ($2 ms to a private chat, $3 to a group); for the bot itself ('') those
 * within 20 ms, of its second and of the slots that an album may have taken at the slowest rate. What
 * brings files may leave minutes after it began. And the holds in force.
 */
const CALLS = `/* outbound.pace */
WITH calls AS MATERIALIZED (
  ${ATTEMPTS} AND started_at > now() - interval '80 s'
  UNION ALL
  ${ATTEMPTS} AND started_at > now() - interval '300 s' AND started_at <= now() - interval '80 s'
    AND deadline_at - started_at > interval '70 s'
  UNION ALL
  SELECT chat_id, 1, false, (extract(epoch FROM now() - left_at) * 1000)::double precision
  FROM direct_calls WHERE connector_id = $1 AND left_at > now() - interval '61 s'
)
SELECT '' AS chat_id, sum(cost)::int AS count, min(age_ms) AS age_ms,
  NULL::double precision AS left_ms
FROM calls WHERE NOT paid AND age_ms < 12000 GROUP BY floor(age_ms / 20)
UNION ALL
SELECT chat_id, sum(cost)::int, min(age_ms), NULL
FROM calls
WHERE chat_id <> '' AND age_ms < CASE WHEN chat_id ~ '^[-@]' THEN $3::float8 ELSE $2::float8 END
GROUP BY chat_id, floor(age_ms / 1000)
UNION ALL
SELECT chat_id, 0, NULL, (extract(epoch FROM until - clock_timestamp()) * 1000)::double precision
FROM send_holds WHERE connector_id = $1 AND until > now()`;

const RATE = `/* outbound.learned-rate */
SELECT c.max_send_rate AS ceiling, r.plateau, r.busy_ms AS "busyMs"
FROM connectors c
LEFT JOIN send_rates r ON r.workspace_id = c.workspace_id AND r.connector_id = c.id
WHERE c.id = $1`;

interface CallRow {
  /** Empty: the bot itself. */
  chat_id: string;
  count: number;
  /** Null: of a hold. */
  age_ms: number | null;
  left_ms: number | null;
}

interface RateRow {
  ceiling: number;
  plateau: number | null;
  busyMs: number | null;
}

/**
 * The pace as the last minute's calls, the holds in force and the learned rate leave it, whoever made
 * them. `limits`: instead of the documented ones and of the connector's own ceiling.
 */
export async function readPace(
  on: Queryable,
  connectorId: string,
  { nowMs, limits }: { nowMs: number; limits?: PaceLimits },
): Promise<Pace> {
  const paced = limits ?? DOCUMENTED_LIMITS;
  const [rows, [row]] = await Promise.all([
    on.query<CallRow>(CALLS, [connectorId, longestMs(paced.chat), longestMs(paced.group)]),
    on.query<RateRow>(RATE, [connectorId]),
  ]);
  const state = row?.busyMs == null ? null : { plateau: row.plateau, busyMs: row.busyMs };
  const ceiling = limits === undefined ? row?.ceiling : undefined;
  const pace = new Pace(paced, new LearnedRate(ceiling ?? ceilingOf(paced), state));
  const calls = rows
    .flatMap(({ age_ms, ...call }) => (age_ms === null ? [] : [{ ...call, age_ms }]))
    .sort((a, b) => b.age_ms - a.age_ms);
  for (const { chat_id, count, age_ms } of calls) {
    const atMs = nowMs - age_ms;
    if (chat_id === "") pace.record(null, atMs, count);
    else pace.chatWindows(chat_id, nowMs).record(atMs, count);
  }
  for (const { chat_id, left_ms } of rows) {
    if (left_ms !== null) pace.hold(chat_id || null, nowMs + left_ms);
  }
  return pace;
}

/** A window's calls matter as long as it lasts, at most. */
const longestMs = (windows: Window[]) => Math.max(0, ...windows.map(({ perMs }) => perMs));

const KEEP = `/* outbound.keep-rate */
INSERT INTO send_rates (workspace_id, connector_id, plateau, busy_ms, per_second)
SELECT workspace_id, id, $2::float8, $3::float8, $4::float8 FROM connectors WHERE id = $1
ON CONFLICT (workspace_id, connector_id) DO UPDATE SET plateau = excluded.plateau,
  busy_ms = excluded.busy_ms, per_second = excluded.per_second, learned_at = now()`;

/**
 * What the workspace decided, and what calls that go past the drain (call-gate.ts) have done in the
 * last $2 ms: they count, and the holds they met.
 */
const NEWS = `/* outbound.pace-news */
SELECT c.max_send_rate AS ceiling,
  (SELECT coalesce(json_agg(json_build_object('chatId', h.chat_id,
      'leftMs', extract(epoch FROM h.until - clock_timestamp()) * 1000)), '[]')
    FROM send_holds h
    WHERE h.workspace_id = c.workspace_id AND h.connector_id = c.id AND h.until > now()
      AND h.chat_id IN (SELECT '' UNION ALL (SELECT d.chat_id FROM direct_calls d
        WHERE d.connector_id = c.id AND d.left_at > now() - interval '61 s'
        ORDER BY d.left_at DESC LIMIT 1000))
  ) AS holds,
  (SELECT coalesce(json_agg(d.chat_id), '[]') FROM (
    SELECT chat_id FROM direct_calls
    WHERE connector_id = c.id AND left_at > clock_timestamp() - $2 * interval '1 ms' LIMIT 1000
  ) d) AS calls
FROM connectors c
WHERE c.id = $1`;

const EVERY_MS = 1_000;

interface NewsRow {
  ceiling: number;
  /** Of the bot (''), and of the chats of calls that went past the drain. */
  holds: { chatId: string; leftMs: number }[];
  /** Their chats. */
  calls: string[];
}

/** Keeps what a drain learns of its bot's rate, and learns what was decided elsewhere meanwhile. */
export class PaceKeeper {
  private readonly options: {
    db: Database;
    connectorId: string;
    /** Of the drain's lease: what it learned is not kept over what a later one learns. */
    epoch: string;
    pace: Pace;
    /** The ceiling is the connector's, not the caller's. */
    followsConnector: boolean;
    log: Logger;
  };
  private keptAtMs: number;
  private kept: LearnedState | null;
  private keeping: Promise<void> = Promise.resolve();

  constructor(options: PaceKeeper["options"], nowMs: number) {
    this.options = options;
    this.keptAtMs = nowMs;
    this.kept = options.pace.rate.state;
  }

  /** To be called when something was learned: does something now and then, and nobody waits for it. */
  note(nowMs: number): void {
    if (nowMs - this.keptAtMs < EVERY_MS) return;
    const sinceMs = nowMs - this.keptAtMs;
    this.keptAtMs = nowMs;
    this.keeping = this.keeping.then(() => this.exchange(sinceMs));
  }

  /** Keeps what is not kept yet. */
  async close(): Promise<void> {
    await this.keeping;
    await this.quietly(() => this.keep());
  }

  private async exchange(sinceMs: number): Promise<void> {
    await this.quietly(async () => {
      await this.keep();
      const { db, connectorId, pace, followsConnector } = this.options;
      const [news] = await db.query<NewsRow>(NEWS, [connectorId, sinceMs]);
      if (news === undefined) return;
      const nowMs = systemClock();
      for (const chatId of news.calls) pace.record(chatId || null, nowMs);
      if (followsConnector) pace.rate.setCeiling(news.ceiling);
      for (const { chatId, leftMs } of news.holds) pace.hold(chatId || null, nowMs + leftMs);
    });
  }

  private async keep(): Promise<void> {
    const { db, connectorId, epoch, pace } = this.options;
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
