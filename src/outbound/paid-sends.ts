import type { Queryable } from "../platform/index.ts";

/** What a bot's broadcasts cost on one day. */
export interface PaidDay {
  /** YYYY-MM-DD, of UTC. */
  day: string;
  /** Sent for money, or taken out for it by a process that died before it could put them back. */
  messages: number;
  /** Telegram Stars at most (Bot API: allow_paid_broadcast, 0.1 a message). */
  stars: number;
}

/** Telegram takes it for what exceeds its own free rate, so it may be less. */
const STARS_A_MESSAGE = 0.1;
const DAYS_SHOWN = 92;

const LIST = `/* outbound.paid-sends */
SELECT day::text AS day, messages FROM paid_sends
WHERE workspace_id = $1 AND connector_id = $2 AND messages > 0
ORDER BY day DESC LIMIT ${DAYS_SHOWN}`;

/** The last days on which something was paid for, the newest first. */
export async function listPaidSends(
  on: Queryable,
  { workspaceId, connectorId }: { workspaceId: string; connectorId: string },
): Promise<PaidDay[]> {
  const rows = await on.query<{ day: string; messages: number }>(LIST, [workspaceId, connectorId]);
  return rows.map(({ day, messages }) => ({
    day,
    messages,
    stars: Math.round(messages * STARS_A_MESSAGE * 10) / 10,
  }));
}
