import { fewRows, type Queryable } from "../platform/index.ts";
import { DOCUMENTED_LIMITS, type PaceLimits } from "./pace.ts";
import type { Window } from "./pace-windows.ts";

/** What is on record of bots' calls, of many bots in one statement: each drain that begins asks for its bot's. */

/** Of its own calls a bot's rate and slots know those of so long. */
export const BOT_MEMORY_MS = 12_000;

/**
 * Of attempts: as how many each counts, and how long ago it left. That lies between its begin and its
 * end; it counts at the later of the two, and at this moment while nobody has seen it end.
 */
const ATTEMPTS = `SELECT chat_id, cost, paid, outcome IN ('sent', 'failed') AS taken,
    (extract(epoch FROM now() - coalesce(finished_at, now())) * 1000)::double precision AS age_ms
  FROM send_attempts
  WHERE connector_id = a.id AND outcome IS DISTINCT FROM 'not-sent'
    AND coalesce(finished_at, now()) > now() - interval '61 s'`;

/**
 * The last minute's calls, whoever made them, as counts: for a bot that may send a thousand a second
 * they are sixty thousand. Those that left within a second to one chat count as late as the last of
 * them, as long as they can matter ($2 ms to a private chat, $3 to a group); for the bot itself ('') those
 * within 20 ms, of its second and of the slots that an album may have taken at the slowest rate. What
 * brings files may leave minutes after it began. And the holds in force.
 */
const CALLS = `/* outbound.pace */
SELECT a.id AS connector_id, c.*
FROM (SELECT id FROM unnest($1::uuid[]) AS a(id) ${fewRows("$1")}) a
CROSS JOIN LATERAL (
  WITH calls AS MATERIALIZED (
    ${ATTEMPTS} AND started_at > now() - interval '80 s'
    UNION ALL
    ${ATTEMPTS} AND started_at > now() - interval '300 s' AND started_at <= now() - interval '80 s'
      AND deadline_at - started_at > interval '70 s'
    UNION ALL
    SELECT chat_id, 1, false, true, (extract(epoch FROM now() - left_at) * 1000)::double precision
    FROM direct_calls WHERE connector_id = a.id AND left_at > now() - interval '61 s'
  )
  SELECT '' AS chat_id, sum(cost)::int AS count,
    coalesce(sum(cost) FILTER (WHERE taken), 0)::int AS taken, min(age_ms) AS age_ms,
    NULL::double precision AS left_ms
  FROM calls WHERE NOT paid AND age_ms < ${BOT_MEMORY_MS} GROUP BY floor(age_ms / 20)
  UNION ALL
  SELECT chat_id, sum(cost)::int, 0, min(age_ms), NULL
  FROM calls
  WHERE chat_id <> '' AND age_ms < CASE WHEN chat_id ~ '^[-@]' THEN $3::float8 ELSE $2::float8 END
  GROUP BY chat_id, floor(age_ms / 1000)
  UNION ALL
  SELECT chat_id, 0, 0, NULL, (extract(epoch FROM until - clock_timestamp()) * 1000)::double precision
  FROM send_holds WHERE connector_id = a.id AND until > now()
) c`;

const RATES = `/* outbound.learned-rate */
SELECT c.id AS connector_id, c.max_send_rate AS ceiling, r.plateau, r.busy_ms AS "busyMs"
FROM (SELECT id FROM unnest($1::uuid[]) AS a(id) ${fewRows("$1")}) a
JOIN connectors c ON c.id = a.id
LEFT JOIN send_rates r ON r.workspace_id = c.workspace_id AND r.connector_id = c.id`;

interface CallRow {
  connector_id: string;
  /** Empty: the bot itself. */
  chat_id: string;
  count: number;
  /** How many of the bot's own were taken; those that went past the drain count as such. */
  taken: number;
  /** Null: of a hold. */
  age_ms: number | null;
  left_ms: number | null;
}

interface RateRow {
  connector_id: string;
  ceiling: number;
  plateau: number | null;
  busyMs: number | null;
}

/** What is on record of a bot's calls. */
export interface PaceRecord {
  /** The last minute's, as counts, the oldest first; `chatId` null: they count for the bot itself. */
  calls: { chatId: string | null; count: number; taken: number; ageMs: number }[];
  /** In force; null: of the bot itself. */
  holds: { chatId: string | null; leftMs: number }[];
  /** Undefined: there is no such bot. */
  rate: Omit<RateRow, "connector_id"> | undefined;
}

/** Of a bot that there is not. */
export const NOTHING: PaceRecord = { calls: [], holds: [], rate: undefined };

/**
 * What is on record of bots' calls, by connector; one for each that is asked for. `limits`: of calls to
 * chats nothing older than these look back to.
 */
export async function readPaceRecords(
  on: Queryable,
  connectorIds: readonly string[],
  { chat, group }: PaceLimits = DOCUMENTED_LIMITS,
): Promise<Map<string, PaceRecord>> {
  const [rows, rates] = await Promise.all([
    on.query<CallRow>(CALLS, [connectorIds, longestMs(chat), longestMs(group)]),
    on.query<RateRow>(RATES, [connectorIds]),
  ]);
  const records = new Map<string, PaceRecord>();
  for (const id of connectorIds) records.set(id, { calls: [], holds: [], rate: undefined });
  for (const { connector_id, chat_id, count, taken, age_ms: ageMs, left_ms: leftMs } of rows) {
    const record = records.get(connector_id);
    const chatId = chat_id || null;
    if (ageMs !== null) record?.calls.push({ chatId, count, taken, ageMs });
    else if (leftMs !== null) record?.holds.push({ chatId, leftMs });
  }
  for (const { calls } of records.values()) calls.sort((a, b) => b.ageMs - a.ageMs);
  for (const { connector_id, ...rate } of rates) {
    const record = records.get(connector_id);
    if (record !== undefined) record.rate = rate;
  }
  return records;
}

/** A window's calls matter as long as it lasts, at most. */
const longestMs = (windows: Window[]) => Math.max(0, ...windows.map(({ perMs }) => perMs));

/**
 * What the workspace decided, and what calls that go past the drain (call-gate.ts) have done in the
 * last `since_ms`: they count, and the holds they met.
 */
const NEWS = `/* outbound.pace-news */
SELECT c.id AS connector_id, c.max_send_rate AS ceiling,
  (SELECT coalesce(json_agg(json_build_object('chatId', h.chat_id,
      'leftMs', extract(epoch FROM h.until - clock_timestamp()) * 1000)), '[]')
    FROM send_holds h
    WHERE h.workspace_id = c.workspace_id AND h.connector_id = c.id AND h.until > now()
      AND (a.all_holds OR h.chat_id IN (SELECT '' UNION ALL (SELECT d.chat_id FROM direct_calls d
        WHERE d.connector_id = c.id AND d.left_at > now() - interval '61 s'
        ORDER BY d.left_at DESC LIMIT 1000)))
  ) AS holds,
  (SELECT coalesce(json_agg(json_build_object('chatId', d.chat_id,
      'ageMs', extract(epoch FROM clock_timestamp() - d.left_at) * 1000) ORDER BY d.left_at), '[]')
    FROM (
      SELECT chat_id, left_at FROM direct_calls
      WHERE connector_id = c.id AND left_at > clock_timestamp() - a.since_ms * interval '1 ms'
      ORDER BY left_at DESC LIMIT 1000
    ) d) AS calls
FROM (
  SELECT id, since_ms, all_holds
  FROM unnest($1::uuid[], $2::double precision[], $3::boolean[]) AS a(id, since_ms, all_holds)
  ${fewRows("$1")}
) a
JOIN connectors c ON c.id = a.id`;

/** A bot's news of the last ms. */
export interface PaceNewsWish {
  connectorId: string;
  sinceMs: number;
  /** Also the holds of chats to which no call went past the drain. */
  allHolds?: boolean;
}

export interface PaceNews {
  ceiling: number;
  /** Of the bot (''), and of the chats of calls that went past the drain, or of all. */
  holds: { chatId: string; leftMs: number }[];
  /** Those that went past the drain, the oldest first; '': it counts for the bot alone. */
  calls: { chatId: string; ageMs: number }[];
}

/** News of bots, by what was asked for; nothing of a bot that there is not. */
export async function readPaceNews(
  on: Queryable,
  wishes: readonly PaceNewsWish[],
): Promise<Map<PaceNewsWish, PaceNews>> {
  const rows = await on.query<PaceNews & { connector_id: string }>(NEWS, [
    wishes.map(({ connectorId }) => connectorId),
    wishes.map(({ sinceMs }) => sinceMs),
    wishes.map(({ allHolds = false }) => allHolds),
  ]);
  const news = new Map(rows.map(({ connector_id, ...of }) => [connector_id, of]));
  return new Map(
    wishes.flatMap((wish) => {
      const of = news.get(wish.connectorId);
      return of === undefined ? [] : [[wish, of] as const];
    }),
  );
}
