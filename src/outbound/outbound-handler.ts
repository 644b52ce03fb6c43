import type { DebugSettings } from "../connectors/index.ts";
import type { ExternalHandler, JobId } from "../jobs/index.ts";
import type { Database, Logger, Metrics } from "../platform/index.ts";
import { ClockWatch, createLookup, systemClock } from "../platform/index.ts";
import type { BotApi } from "../telegram/index.ts";
import { BotRunner } from "./bot-runner.ts";
import { callSettings } from "./call-settings.ts";
import { type EvidenceFiles, FileTaker } from "./content/index.ts";
import type { PaceLimits } from "./pace.ts";
import { PaceMemories, type RememberedPace } from "./pace-memories.ts";
import { NOTHING, type PaceNewsWish, readPaceNews, readPaceRecords } from "./pace-reads.ts";
import { PaceKeeper, paceOf } from "./pace-store.ts";
import { PaidAllowance } from "./paid-allowance.ts";
import { beginSending, endSending, type SendAttempt } from "./send-attempts.ts";
import type { SendResult } from "./send-result.ts";

export interface OutboundOptions {
  db: Database;
  botApiFor(connectorId: string): Promise<BotApi>;
  /** Telegram refuses the bot's token. */
  onUnauthorized(connectorId: string, reason: string): Promise<void>;
  metrics: Metrics;
  log: Logger;
  /** Instead of the documented ones, and of what connectors say. */
  limits?: PaceLimits;
  /** Deadline of one call, in ms. Default 15 000. */
  callTimeoutMs?: number;
  /** The debug settings in force for a bot. Default: none. */
  debugFor?(connectorId: string): Promise<DebugSettings | null>;
  /** Which addresses files may be downloaded from. Default: those of the public Internet. */
  mayDial?(address: string): boolean;
  /** What files on their way may take of this machine's disk, in bytes. Default: 2 GB. */
  filesMaxBytes?: number;
  /** Where files of evidence come from, for messages that carry them. */
  evidence?: EvidenceFiles;
}

const CALL_TIMEOUT_MS = 15_000;

/** Sends what waits, one drain a bot: paced, in order per chat, every attempt on record. */
export function createOutboundHandler(options: OutboundOptions): ExternalHandler<SendAttempt> {
  const { db, log, onUnauthorized, limits } = options;
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
  const recordOf = createLookup((ids: string[]) => readPaceRecords(db, ids, limits));
  const newsOf = createLookup((wishes: PaceNewsWish[]) => readPaceNews(db, wishes));
  const memories = new PaceMemories();
  /** As this process left it, or as it is on record. */
  const openPace = async (lane: string, epoch: string, previousEpoch?: string) => {
    const known = memories.take(lane, previousEpoch);
    if (known !== null) {
      await known.keeper.resume(epoch, systemClock());
      return known;
    }
    const [clock, askedMs] = [new ClockWatch(), systemClock()];
    const record = (await recordOf(lane)) ?? NOTHING;
    const pace = paceOf(record, { nowMs: systemClock(), limits });
    const followsConnector = limits === undefined;
    const keeping = { db, connectorId: lane, epoch, pace, followsConnector, newsOf, log };
    return { pace, keeper: new PaceKeeper(keeping, askedMs), clock };
  };
  const files = new FileTaker({ maxBytes: options.filesMaxBytes });
  /** Chosen, and not over: those that are paid for. */
  const paidJobs = new Set<JobId>();
  return {
    mode: "external",
    open: async ({ lane, workspaceId, epoch, previousEpoch, inherited }) => {
      const bot = { workspaceId, connectorId: lane };
      const [paced, debug = null]: [RememberedPace, DebugSettings | null | undefined] =
        await Promise.all([openPace(lane, epoch, previousEpoch), options.debugFor?.(lane)]);
      const calls = callSettings(debug, { connectorId: lane, timeoutMs: callTimeoutMs, log });
      // One drain a bot: what its begins go by is what its runner goes by.
      if (debug === null) timeouts.delete(lane);
      else timeouts.set(lane, calls.timeoutMs);
      const allowance = new PaidAllowance({ db, connectorId: lane, log });
      const known = { bot, ...paced, allowance, paidJobs, observe, calls, files };
      // A dead holder's calls may still leave: whoever comes next reads what became of them.
      const left = () => {
        if (!inherited) memories.keep(lane, epoch, paced);
      };
      return new BotRunner({ ...options, ...known, left });
    },
    begin: (tx, jobs) =>
      beginSending(tx, jobs, {
        callTimeoutMs: (lane) => timeouts.get(lane) ?? callTimeoutMs,
        isPaid: ({ id }) => paidJobs.has(id),
      }),
    finish: (tx, ends, { onlyEssential }) =>
      endSending(tx, ends, { log, reportUnauthorized, onlyEssential }),
  };
}
