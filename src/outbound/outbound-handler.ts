import type { DebugSettings } from "../connectors/index.ts";
import type { ExternalHandler } from "../jobs/index.ts";
import type { Database, Logger, Metrics } from "../platform/index.ts";
import { systemClock } from "../platform/index.ts";
import type { BotApi } from "../telegram/index.ts";
import { BotRunner } from "./bot-runner.ts";
import { callSettings } from "./call-settings.ts";
import { FileTaker } from "./content/index.ts";
import { DOCUMENTED_LIMITS, Pace, type PaceLimits } from "./pace.ts";
import { beginSending, endSending, type SendAttempt } from "./send-attempts.ts";
import type { SendResult } from "./send-result.ts";

export interface OutboundOptions {
  db: Database;
  botApiFor(connectorId: string): Promise<BotApi>;
  /** Telegram refuses the bot's token. */
  onUnauthorized(connectorId: string, reason: string): Promise<void>;
  metrics: Metrics;
  log: Logger;
  limits?: PaceLimits;
  /** Deadline of one call, in ms. Default 15 000. */
  callTimeoutMs?: number;
  /** The debug settings in force for a bot. Default: none. */
  debugFor?(connectorId: string): Promise<DebugSettings | null>;
  /** Which addresses files may be downloaded from. Default: those of the public Internet. */
  mayDial?(address: string): boolean;
}

const CALL_TIMEOUT_MS = 15_000;

/** Sends what waits, one drain a bot: paced, in order per chat, every attempt on record. */
export function createOutboundHandler(options: OutboundOptions): ExternalHandler<SendAttempt> {
  const { db, log, onUnauthorized, limits = DOCUMENTED_LIMITS } = options;
  const callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
  const sends = options.metrics.counter({
    name: "heliograph_sends_total",
    help: "Calls that send, by what became of them.",
    labels: ["outcome"],
  });
  const seconds = options.metrics.histogram({
    name: "heliograph_send_seconds",
    help: "Duration of the calls that send.",
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
  });
  const observe = (result: SendResult, runMs: number) => {
    sends.inc({ outcome: result.attempt });
    seconds.observe(runMs / 1_000);
  };
  const reportUnauthorized = async (connectorId: string, reason: string) => {
    try {
      await onUnauthorized(connectorId, reason);
    } catch (error) {
      log.warn({ err: error, connectorId }, "connector could not be disabled");
    }
  };
  /** Of bots whose calls have another deadline than everybody's, in ms. */
  const timeouts = new Map<string, number>();
  const files = new FileTaker();
  return {
    mode: "external",
    open: async ({ lane, workspaceId }) => {
      const bot = { workspaceId, connectorId: lane };
      const [pace, debug = null] = await Promise.all([
        rebuildPace(db, lane, limits),
        options.debugFor?.(lane),
      ]);
      const calls = callSettings(debug, { connectorId: lane, timeoutMs: callTimeoutMs, log });
      // One drain a bot: what its begins go by is what its runner goes by.
      if (debug === null) timeouts.delete(lane);
      else timeouts.set(lane, calls.timeoutMs);
      return new BotRunner({ ...options, bot, pace, observe, calls, files });
    },
    begin: (tx, jobs) => beginSending(tx, jobs, (lane) => timeouts.get(lane) ?? callTimeoutMs),
    finish: (tx, ends, { onlyEssential }) =>
      endSending(tx, ends, { log, reportUnauthorized, onlyEssential }),
  };
}

/** The pace as the last minute's attempts and the holds in force leave it, whoever made them. */
async function rebuildPace(db: Database, connectorId: string, limits: PaceLimits): Promise<Pace> {
  const pace = new Pace(limits);
  const nowMs = systemClock();
  const rows = await db.query<{ chat_id: string; age_ms: number | null; left_ms: number | null }>(
    `/* outbound.pace */
     (SELECT chat_id, (extract(epoch FROM clock_timestamp() - started_at) * 1000)
        ::double precision AS age_ms, NULL::double precision AS left_ms
      FROM send_attempts WHERE connector_id = $1 AND started_at > now() - interval '61 s'
      ORDER BY started_at LIMIT 5000)
     UNION ALL
     SELECT chat_id, NULL, (extract(epoch FROM until - clock_timestamp()) * 1000)::double precision
     FROM send_holds WHERE connector_id = $1 AND until > now()`,
    [connectorId],
  );
  for (const { chat_id, age_ms, left_ms } of rows) {
    if (age_ms !== null) pace.record(chat_id || null, nowMs - age_ms);
    if (left_ms !== null) pace.hold(chat_id || null, nowMs + left_ms);
  }
  return pace;
}
