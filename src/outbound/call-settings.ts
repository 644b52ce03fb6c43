import type { DebugSettings } from "../connectors/index.ts";
import type { Job, Outcome } from "../jobs/index.ts";
import type { Logger } from "../platform/index.ts";
import { partCount } from "./message-parts.ts";
import type { SendAttempt } from "./send-attempts.ts";
import { methodOf } from "./send-call.ts";
import type { SendResult } from "./send-result.ts";

/** How the calls of one bot are made: as everybody's, or as its debug settings say. */
export interface CallSettings {
  /** Deadline of one call, in ms. */
  timeoutMs: number;
  /** Given up after so many attempts; null: as the queue does. */
  maxAttempts: number | null;
  /** Each call is told of, or those that fail; null: none is. */
  log: { logger: Logger; all: boolean } | null;
}

/** `debug`: those in force, if any. */
export function callSettings(
  debug: DebugSettings | null,
  { connectorId, timeoutMs, log }: { connectorId: string; timeoutMs: number; log: Logger },
): CallSettings {
  if (debug === null) return { timeoutMs, maxAttempts: null, log: null };
  const logger = log.child({ connectorId, debugging: true }, debug.level);
  return {
    timeoutMs: debug.apiTimeout * 1_000,
    maxAttempts: debug.retryAttempts,
    log: { logger, all: debug.detailedLogs },
  };
}

/** A failed attempt that was the last one allowed is no retry any more. `job`: as it was claimed. */
export function withinAttempts(
  outcome: Outcome,
  job: Pick<Job, "attempts">,
  { maxAttempts }: CallSettings,
): Outcome {
  if (outcome.type !== "retry" || maxAttempts === null) return outcome;
  if (job.attempts + 1 < maxAttempts) return outcome;
  return { type: "discard", errorClass: outcome.errorClass, error: outcome.error };
}

/** Tells of a call, without anything that was said in it, and to whom. */
export function tellOfCall(
  { log, timeoutMs }: CallSettings,
  job: Job,
  { message }: SendAttempt,
  result: SendResult,
  runMs: number,
): void {
  if (log === null) return;
  const fields = {
    jobId: job.id,
    messageId: message.id,
    method: methodOf(message),
    part: message.parts_sent + 1,
    parts: partCount(message),
    characters: message.text.length,
    entities: message.entities?.length ?? 0,
    attempt: job.attempts + 1,
    outcome: result.attempt,
    errorClass: result.errorClass,
    retryAfterS: result.retryAfterS,
    runMs: Math.round(runMs),
    timeoutMs,
  };
  if (result.attempt !== "sent") log.logger.warn(fields, "a call to Telegram did not send");
  else if (log.all) log.logger.debug(fields, "a call to Telegram sent");
}
