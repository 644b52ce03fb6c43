import { scrub, sqlState, withoutQuotes } from "../platform/index.ts";
import type { Outcome } from "./types.ts";

/** The attempt failed, another may succeed. `afterMs` replaces the queue's backoff. */
export class Retry extends Error {
  override name = "Retry";
  readonly afterMs: number | undefined;
  constructor(message: string, afterMs?: number) {
    super(message);
    this.afterMs = afterMs;
  }
}

/** Not the job's fault (429, flood wait): no attempt is spent. `untilMs`: ms since the epoch. */
export class Pause extends Error {
  override name = "Pause";
  readonly untilMs: number;
  constructor(message: string, untilMs: number) {
    super(message);
    this.untilMs = untilMs;
  }
}

/** Will never succeed: a dead letter at once. */
export class Discard extends Error {
  override name = "Discard";
}

/** This worker no longer holds the lane: nothing of what it tried was written. */
export class LeaseLost extends Error {
  override name = "LeaseLost";
}

/** A claimed job was changed by somebody else (discarded by hand) before its completion. */
export class ClaimStale extends Error {
  override name = "ClaimStale";
}

const MAX_ERROR_LENGTH = 500;

/**
 * Class and message of a failure as the ledger keeps it and people search it: bounded in length, and
 * without what an error quotes or what looks like a secret.
 */
export function describeError(error: unknown): { errorClass: string; error: string } {
  if (!(error instanceof Error)) return { errorClass: "Error", error: "something not an error" };
  const state = sqlState(error);
  return {
    errorClass: state === undefined ? error.name : `postgres ${state}`,
    error: kept(error),
  };
}

/** NUL cannot be stored as text. */
function kept(error: Error): string {
  return scrub(withoutQuotes(error)).replaceAll("\0", "\uFFFD").slice(0, MAX_ERROR_LENGTH);
}

/** What a thrown error means for its job. Anything untyped is a retry with the queue's backoff. */
export function outcomeOfError(error: unknown): Outcome {
  if (error instanceof Pause) {
    return { type: "pause", untilMs: error.untilMs, reason: kept(error) };
  }
  const described = describeError(error);
  if (error instanceof Discard) return { type: "discard", ...described };
  if (error instanceof Retry) return { type: "retry", ...described, afterMs: error.afterMs };
  return { type: "retry", ...described };
}
