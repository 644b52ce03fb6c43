import { UPDATE_KINDS } from "../conversations/index.ts";
import { type Database, type Logger, SealError, type Transaction } from "../platform/index.ts";
import { BotApiError } from "../telegram/index.ts";
import { type BotApis, ConnectorRemoved } from "./bot-apis.ts";
import { findGaps } from "./seen-ranges.ts";
import type { Hole } from "./update-gaps.ts";
import { driftOfWebhook, repairDrift } from "./webhook-drift.ts";
import { misdirected, pendingAfter, safeError, type WebhookInfo } from "./webhook-state.ts";

/**
 * Looks after every connector about once a minute: asks Telegram what waits for it (Bot API:
 * getWebhookInfo) while its token is good, searches for updates that never arrived, and writes both
 * down. A webhook that is not as registered is registered again.
 *
 * Every web process runs one; a connector is looked after by whoever moves its `next_check_at`
 * first, so two processes share the work and none does it twice. One that dies in the middle is
 * made up for at the next turn. Times are spread, so that a thousand bots are not asked at once.
 */
export interface ConnectorWatch {
  /** Looks after what is due now; answers how many connectors. For the timer, and for tests. */
  runOnce(): Promise<number>;
  /** Ends the timer and waits for the looks under way. */
  stop(): Promise<void>;
}

export interface ConnectorWatchOptions {
  db: Database;
  botApis: BotApis;
  log: Logger;
  /**
   * Moves webhooks that point elsewhere (`Connectors.repointWebhooks`): asked again and again, since
   * what failed is to be tried again. Not waited for by a turn.
   */
  moveWebhooks?: (signal: AbortSignal) => Promise<number>;
  /** How often a connector is looked after, in ms. Default a minute. */
  everyMs?: number;
  /** How often to see what is due, in ms; 0: never by itself. Default 5 000. */
  tickMs?: number;
}

const EVERY_MS = 60_000;
const TICK_MS = 5_000;
/** Connectors looked after at once, by one process. */
const AT_ONCE = 8;
/** In one turn; what is left is due at the next tick, here or elsewhere. */
const MAX_ROUNDS = 50;
const CALL_TIMEOUT_MS = 10_000;
const SEALED =
  "Telegram could not be asked about this bot: the key of its token is not in ENCRYPTION_KEYS.";
/** Ranges shown: the newest, since a new one is news. The count tells of the rest. */
const MAX_SHOWN = 20;

/**
 * Who is new, and who was removed. Many tokens that a Bot API server sees for the first time within
 * a minute can earn a refusal (more than about 20), so those that come together take turns.
 */
const ENROL = `/* connectors.watch-enrol */
WITH gone AS (
  DELETE FROM connector_watch w USING connectors c
  WHERE c.workspace_id = w.workspace_id AND c.id = w.connector_id AND c.status = 'removed'
  RETURNING w.connector_id
), forgotten AS (
  DELETE FROM seen_updates s USING gone WHERE s.connector_id = gone.connector_id
)
INSERT INTO connector_watch (workspace_id, connector_id, next_check_at)
SELECT c.workspace_id, c.id, now() + (row_number() OVER (ORDER BY c.created_at) - 1) * interval '3 s'
FROM connectors c
WHERE c.status <> 'removed' AND NOT EXISTS (
  SELECT 1 FROM connector_watch w
  WHERE w.workspace_id = c.workspace_id AND w.connector_id = c.id)
ORDER BY 1, 2 ON CONFLICT DO NOTHING`;

const CLAIM = `/* connectors.watch-claim */
WITH due AS (
  SELECT w.workspace_id, w.connector_id FROM connector_watch w
  WHERE w.next_check_at <= now() ORDER BY w.next_check_at LIMIT ${AT_ONCE}
  FOR UPDATE SKIP LOCKED
)
UPDATE connector_watch w
SET next_check_at = now() + $1 * (0.8 + 0.4 * random()) * interval '1 ms'
FROM due JOIN connectors c ON c.workspace_id = due.workspace_id AND c.id = due.connector_id
WHERE w.workspace_id = due.workspace_id AND w.connector_id = due.connector_id
RETURNING w.connector_id, c.status, c.webhook_url`;

const HOLD = `/* connectors.watch-hold */
SELECT pending, extract(epoch FROM pending_since)::float8 * 1000 AS pending_since_ms,
  extract(epoch FROM high_since)::float8 * 1000 AS high_since_ms, missing,
  extract(epoch FROM now())::float8 * 1000 AS now_ms
FROM connector_watch WHERE connector_id = $1 FOR UPDATE`;

const SAVE_PENDING = `/* connectors.watch-pending */
UPDATE connector_watch SET checked_at = now(), pending = $2,
  pending_since = to_timestamp($3::float8 / 1000), high_since = to_timestamp($4::float8 / 1000),
  last_error = $5, last_error_at = to_timestamp($6::float8), check_error = $7
WHERE connector_id = $1`;

/** The last that is known of waiting updates stays, with its time; why there is nothing newer is told. */
const SAVE_UNASKED = `/* connectors.watch-unasked */
UPDATE connector_watch SET check_error = $2,
  next_check_at = greatest(next_check_at, now() + $3 * interval '1 s')
WHERE connector_id = $1`;

/** Of a bot whose token is refused nothing is known, and Telegram is not asked. */
const SAVE_IDLE = `/* connectors.watch-idle */
UPDATE connector_watch SET pending = NULL, pending_since = NULL, high_since = NULL,
  check_error = NULL
WHERE connector_id = $1`;

const SAVE_GAPS = `/* connectors.watch-gaps */
UPDATE connector_watch SET missing = $2, missing_since = to_timestamp($3::float8 / 1000),
  missing_ranges = $4
WHERE connector_id = $1`;

interface Due {
  connector_id: string;
  status: string;
  webhook_url: string | null;
}

interface HeldRow {
  pending: string | null;
  pending_since_ms: number | null;
  high_since_ms: number | null;
  missing: string;
  now_ms: number;
}

export function startConnectorWatch(options: ConnectorWatchOptions): ConnectorWatch {
  const { db, botApis, log, everyMs = EVERY_MS, tickMs = TICK_MS } = options;
  const stopping = new AbortController();
  let running: Promise<number> | undefined;
  let moving: Promise<void> | undefined;

  function startMoving(): void {
    moving ??= options
      .moveWebhooks?.(stopping.signal)
      .then((moved) => {
        if (moved > 0) log.info({ moved }, "webhooks were moved");
      })
      .catch((error) => log.debug({ err: error }, "webhooks are not moved"))
      .finally(() => {
        moving = undefined;
      });
  }

  async function turn(): Promise<number> {
    startMoving();
    await db.query(ENROL);
    let looked = 0;
    for (let round = 0; round < MAX_ROUNDS && !stopping.signal.aborted; round++) {
      const due = await db.query<Due>(CLAIM, [everyMs]);
      if (due.length === 0) break;
      await Promise.all(due.map(lookAfter));
      looked += due.length;
    }
    return looked;
  }

  async function lookAfter({ connector_id: connectorId, status, webhook_url }: Due): Promise<void> {
    try {
      const answer = status === "active" ? await ask(connectorId) : null;
      await db.transaction(async (tx) => {
        const [held] = await tx.query<HeldRow>(HOLD, [connectorId]);
        if (held === undefined) return;
        if (status !== "active") {
          await tx.query(SAVE_IDLE, [connectorId]);
        } else if (answer !== null && "info" in answer) {
          await savePending(tx, connectorId, held, answer.info, webhook_url);
          await mendDrift(tx, connectorId, answer.info, webhook_url);
        } else if (answer !== null) {
          await tx.query(SAVE_UNASKED, [connectorId, answer.trouble, answer.waitS]);
        }
        const { gaps, missing } = await findGaps(tx, connectorId, held.now_ms);
        await tx.query(SAVE_GAPS, [
          connectorId,
          missing,
          gaps[0]?.sinceMs ?? null,
          JSON.stringify(gaps.slice(-MAX_SHOWN).map(rangeView)),
        ]);
        tx.afterCommit(() => tell(connectorId, Number(held.missing), missing));
      });
    } catch (error) {
      log.warn({ err: error, connectorId }, "a connector could not be looked after");
    }
  }

  async function mendDrift(
    tx: Transaction,
    connectorId: string,
    info: WebhookInfo,
    registered: string | null,
  ): Promise<void> {
    const drift = driftOfWebhook(info, registered, UPDATE_KINDS);
    const drifts = drift && (await repairDrift(tx, connectorId, registered, drift));
    if (drift === null || drifts === null) return;
    const fields = { connectorId, drifts, what: drift.what };
    tx.afterCommit(() => log.warn(fields, "a webhook had drifted, and is registered again"));
  }

  /** What Telegram says, or why it could not be asked. */
  async function ask(
    connectorId: string,
  ): Promise<{ info: WebhookInfo } | { trouble: string; waitS: number } | null> {
    try {
      const api = await botApis.forConnector(connectorId);
      const within = { timeoutMs: CALL_TIMEOUT_MS, signal: stopping.signal };
      return { info: await api.call<WebhookInfo>("getWebhookInfo", {}, within) };
    } catch (error) {
      if (stopping.signal.aborted || error instanceof ConnectorRemoved) return null;
      if (error instanceof SealError) return { trouble: SEALED, waitS: 0 };
      if (!(error instanceof BotApiError)) throw error;
      const trouble = `Telegram could not be asked about this bot: ${error.kind}.`;
      return { trouble, waitS: error.retryAfterSeconds ?? 0 };
    }
  }

  function tell(connectorId: string, before: number, missing: number): void {
    if (missing === before) return;
    if (before === 0) log.warn({ connectorId, missing }, "updates are missing");
    else if (missing === 0) log.info({ connectorId, before }, "no updates are missing any more");
    else log.info({ connectorId, missing, before }, "the number of missing updates has changed");
  }

  const runOnce = (): Promise<number> => {
    running ??= turn().finally(() => {
      running = undefined;
    });
    return running;
  };
  const onTick = () =>
    void runOnce().catch((error) => log.debug({ err: error }, "connectors are not looked after"));
  const timer = tickMs > 0 ? setInterval(onTick, tickMs) : undefined;
  timer?.unref();

  return {
    runOnce,
    stop: async () => {
      stopping.abort();
      clearInterval(timer);
      await running?.catch(() => {});
      await moving;
    },
  };
}

async function savePending(
  tx: { query(sql: string, params: readonly unknown[]): Promise<unknown> },
  connectorId: string,
  held: HeldRow,
  info: WebhookInfo,
  registered: string | null,
): Promise<void> {
  const before =
    held.pending === null
      ? null
      : {
          count: Number(held.pending),
          sinceMs: held.pending_since_ms,
          highSinceMs: held.high_since_ms,
        };
  const pending = pendingAfter(before, Math.max(0, info.pending_update_count ?? 0), held.now_ms);
  const message = info.last_error_message;
  await tx.query(SAVE_PENDING, [
    connectorId,
    pending.count,
    pending.sinceMs,
    pending.highSinceMs,
    message === undefined ? null : safeError(message),
    message === undefined ? null : (info.last_error_date ?? null),
    misdirected(info, registered),
  ]);
}

const rangeView = ({ firstId, lastId, sinceMs }: Hole) => ({
  firstId,
  lastId,
  since: new Date(sinceMs).toISOString(),
});
