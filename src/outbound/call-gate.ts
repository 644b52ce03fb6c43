import type { Database } from "../platform/index.ts";
import { type BotApi, BotApiError, type CallOptions } from "../telegram/index.ts";

/** A call of a bot that somebody waits for, so that it does not wait for a drain. */
export interface DirectCall {
  workspaceId: string;
  connectorId: string;
  /** The chat whose pace it counts for; null: the bot's only. */
  chatId: string | null;
  /** Bot API. */
  method: string;
  params: Record<string, unknown>;
}

/** Holds of the bot and of the chat; where there is none the call is noted. */
const ENTER = `/* outbound.gate */
WITH held AS MATERIALIZED (
  SELECT max(until) AS until FROM send_holds
  WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = ANY (ARRAY['', $3::text])
    AND until > clock_timestamp()
), noted AS (
  INSERT INTO direct_calls (workspace_id, connector_id, chat_id)
  SELECT workspace_id, id, $3::text FROM connectors
  WHERE workspace_id = $1 AND id = $2 AND (SELECT until FROM held) IS NULL
)
SELECT (extract(epoch FROM until - clock_timestamp()))::double precision AS left_s FROM held`;

/** Holds only move forward. */
const HOLD = `/* outbound.gate-hold */
INSERT INTO send_holds AS h (workspace_id, connector_id, chat_id, until)
SELECT workspace_id, id, $3::text, clock_timestamp() + $4::int * interval '1 s'
FROM connectors WHERE workspace_id = $1 AND id = $2
ON CONFLICT (workspace_id, connector_id, chat_id) DO UPDATE
  SET until = greatest(h.until, excluded.until)`;

/** A 429 that names no time. */
const DEFAULT_RETRY_AFTER_S = 5;

/**
 * The gate for calls that go past the bot's drain. They share its budget and its holds: each is noted
 * before it leaves, so that the drain's pace counts it (within about a second), and none leaves
 * while Telegram holds the bot or the chat. A 429 holds the chat, or the bot where the call is of no
 * chat, for the drain as well.
 *
 * Answers what Telegram does, and throws as `BotApi` does; what is held fails at once as
 * `rate-limited`, with the seconds that are left.
 */
export function createCallGate(options: {
  db: Database;
  botApiFor(connectorId: string): Promise<BotApi>;
}) {
  const { db, botApiFor } = options;
  return async function callNow<Result>(
    { workspaceId, connectorId, chatId, method, params }: DirectCall,
    limits: CallOptions,
  ): Promise<Result> {
    const of = [workspaceId, connectorId, chatId ?? ""];
    // Before it is noted: without a token nothing leaves.
    const api = await botApiFor(connectorId);
    const [held] = await db.query<{ left_s: number | null }>(ENTER, of);
    if (held?.left_s != null) throw heldError(method, Math.ceil(held.left_s));
    try {
      return await api.call<Result>(method, params, limits);
    } catch (error) {
      if (error instanceof BotApiError && error.kind === "rate-limited") {
        await db.query(HOLD, [...of, error.retryAfterSeconds ?? DEFAULT_RETRY_AFTER_S]);
      }
      throw error;
    }
  };
}

function heldError(method: string, retryAfterSeconds: number): BotApiError {
  return new BotApiError({
    kind: "rate-limited",
    method,
    status: 429,
    description: "Telegram has asked to wait",
    sent: "no",
    retryAfterSeconds,
  });
}
