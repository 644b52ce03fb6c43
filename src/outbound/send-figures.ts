import { fewRows, type Queryable } from "../platform/index.ts";

/** How a bot sends: what its attempts and holds in Postgres say, whichever process drains it. */
export interface SendFigures {
  /** Messages a second that Telegram took, over the last minute. */
  sendRate: number;
  /** Messages a second it keeps to, because Telegram refused more; null: its ceiling. */
  learnedRate: number | null;
  /** Of the last minute. */
  sent: number;
  rateLimited: number;
  failed: number;
  unknown: number;
  /** Until when Telegram holds the whole bot; null when it does not. */
  heldUntil: string | null;
  /** How many chats it holds now. */
  heldChats: number;
  /** Some of them, those held longest first. */
  holds: { chatId: string; until: string }[];
}

const WINDOW_S = 60;
const HOLDS_SHOWN = 10;

const FIGURES = `/* outbound.send-figures */
WITH bots AS (SELECT id FROM unnest($1::uuid[]) AS t(id) ${fewRows("$1")})
SELECT c.id, minute.*,
  CASE WHEN rate.plateau IS NOT NULL THEN least(rate.per_second, c.max_send_rate) END AS "learnedRate",
  bot.until AS "heldUntil", coalesce(chats.count, 0) AS "heldChats",
  coalesce(chats.holds, '[]') AS holds
FROM bots b JOIN connectors c ON c.id = b.id
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE outcome = 'sent')::int AS sent,
    count(*) FILTER (WHERE outcome = 'rate-limited')::int AS "rateLimited",
    count(*) FILTER (WHERE outcome IN ('failed', 'not-sent'))::int AS failed,
    count(*) FILTER (WHERE outcome = 'unknown')::int AS unknown
  FROM send_attempts
  WHERE connector_id = c.id AND started_at > now() - interval '${WINDOW_S} s'
) minute
LEFT JOIN send_holds bot ON bot.workspace_id = c.workspace_id AND bot.connector_id = c.id
  AND bot.chat_id = '' AND bot.until > now()
LEFT JOIN send_rates rate ON rate.workspace_id = c.workspace_id AND rate.connector_id = c.id
CROSS JOIN LATERAL (
  SELECT max(total)::int AS count,
    json_agg(json_build_object('chatId', chat_id, 'until', until) ORDER BY until DESC) AS holds
  FROM (
    SELECT chat_id, until, count(*) OVER () AS total FROM send_holds
    WHERE workspace_id = c.workspace_id AND connector_id = c.id AND chat_id <> ''
      AND until > now()
    ORDER BY until DESC LIMIT ${HOLDS_SHOWN}
  ) held
) chats`;

interface FiguresRow extends Omit<SendFigures, "sendRate" | "heldUntil"> {
  id: string;
  heldUntil: Date | null;
}

/** The figures of each of these connectors, by its id; those that are not there are left out. */
export async function sendFigures(
  db: Queryable,
  connectorIds: string[],
): Promise<Map<string, SendFigures>> {
  const rows = await db.query<FiguresRow>(FIGURES, [connectorIds]);
  return new Map(
    rows.map(({ id, heldUntil, holds, learnedRate, ...row }) => [
      id,
      {
        ...row,
        sendRate: rounded(row.sent / WINDOW_S),
        learnedRate: learnedRate === null ? null : rounded(learnedRate),
        heldUntil: heldUntil?.toISOString() ?? null,
        holds: holds.map(({ chatId, until }) => ({ chatId, until: new Date(until).toISOString() })),
      },
    ]),
  );
}

const rounded = (rate: number): number => Math.round(rate * 100) / 100;
