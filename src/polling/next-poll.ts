import { type BackoffPolicy, backoffCeilingMs } from "../jobs/index.ts";

/**
 * What follows from a request for updates (Bot API: getUpdates), decided without I/O: when to ask
 * again, whether the bot is still ours to ask for, and what to tell.
 */
export type PollOutcome =
  /** All that came is committed. `undisturbed`: nothing came, and nobody cut the request short. */
  | { type: "answered"; undisturbed: boolean }
  /** Telegram refuses the token: 401, or 404 on a method that exists. */
  | { type: "refused" }
  /** 409, without a webhook: somebody else asks for this bot's updates. */
  | { type: "second-poller" }
  /** 409, because a webhook is set, or about to be. */
  | { type: "webhook"; withdrawn: boolean }
  | { type: "rate-limited"; retryAfterS?: number }
  /** Telegram could not be asked, or did not answer as it does. */
  | { type: "failed" }
  /** What came could not be committed: it comes again. */
  | { type: "not-stored" };

/** How often what happened in a row, and what there is to tell, in words for who operates. */
export interface PollState {
  failures: number;
  refusals: number;
  conflicts: number;
  /** Null: nothing is wrong that only polling knows of. */
  trouble: string | null;
}

export const FIRST_POLL: PollState = { failures: 0, refusals: 0, conflicts: 0, trouble: null };

export interface NextPoll {
  state: PollState;
  waitMs: number;
  /** The token is refused for good. */
  disable: boolean;
}

const OUTAGE: BackoffPolicy = { baseMs: 500, capMs: 30_000 };
const CONFLICT: BackoffPolicy = { baseMs: 500, capMs: 60_000 };
const DATABASE: BackoffPolicy = { baseMs: 250, capMs: 10_000 };
/** Telegram says how long; spread a little, so that many bots don't come back in the same moment. */
const RATE_SPREAD_MS = 1_000;
const LEAST_RATE_WAIT_MS = 500;
/** However long Telegram says: it is asked again now and then, and no timer overflows. */
const MAX_WAIT_MS = 3_600_000;
/** A token that was replaced a moment ago may still be in use here (connectors, `BotApis`). */
const FRESH_TOKEN_MS = 1_500;
const MAX_REFUSALS = 2;
/** Somebody registers or withdraws the webhook at this moment. */
const WEBHOOK_BUSY_MS = 1_000;
/** The first may be a former holder of our own that did not know yet, or a mode that is switched. */
const CONFLICTS_TOLD = 3;

const SECOND_POLLER =
  "Something else asks Telegram for this bot's updates (getUpdates), and takes some of them: two " +
  "programs use its token. Stop the other one, or give it a bot of its own.";
const SECOND_WEBHOOK =
  "Something else sets a webhook for this bot again and again, which keeps its updates from being " +
  "asked for. Stop what sets it; updates that wait at Telegram are kept for a day.";

/** Between half of what the backoff allows and all of it: never at once, never all in step. */
function backoffMs(times: number, policy: BackoffPolicy, random: () => number): number {
  const ceilingMs = backoffCeilingMs(times, policy);
  return Math.ceil(ceilingMs / 2 + (random() * ceilingMs) / 2);
}

function rateWaitMs(retryAfterS: number, random: () => number): number {
  const waitMs = Math.ceil(retryAfterS * 1_000 + random() * RATE_SPREAD_MS);
  return Math.min(MAX_WAIT_MS, Math.max(LEAST_RATE_WAIT_MS, waitMs));
}

/** `random` gives [0, 1). */
export function nextPoll(
  before: PollState,
  outcome: PollOutcome,
  random: () => number = Math.random,
): NextPoll {
  const { failures, conflicts, trouble } = before;
  const next = (waitMs: number, state: Partial<PollState>, disable = false): NextPoll => ({
    state: { ...FIRST_POLL, ...state },
    waitMs,
    disable,
  });
  const conflict = (waitMs: number, told: string) => {
    const isNews = conflicts + 1 >= CONFLICTS_TOLD;
    return next(waitMs, { conflicts: conflicts + 1, trouble: isNews ? told : trouble });
  };
  switch (outcome.type) {
    case "answered": {
      // Two pollers each get an answer now and then: one alone does not mean that it is over.
      const left = outcome.undisturbed ? 0 : conflicts >> 1;
      return next(0, { conflicts: left, trouble: left === 0 ? null : trouble });
    }
    case "refused": {
      const refusals = before.refusals + 1;
      const isLast = refusals >= MAX_REFUSALS;
      return next(isLast ? 0 : FRESH_TOKEN_MS, { refusals, trouble }, isLast);
    }
    case "second-poller":
      return conflict(backoffMs(conflicts + 1, CONFLICT, random), SECOND_POLLER);
    case "webhook": {
      if (!outcome.withdrawn) return next(WEBHOOK_BUSY_MS, { conflicts, trouble });
      const waitMs = conflicts === 0 ? 0 : backoffMs(conflicts + 1, CONFLICT, random);
      return conflict(waitMs, SECOND_WEBHOOK);
    }
    case "rate-limited": {
      const { retryAfterS } = outcome;
      const waitMs =
        retryAfterS === undefined
          ? backoffMs(failures + 1, OUTAGE, random)
          : rateWaitMs(retryAfterS, random);
      return next(waitMs, { failures: failures + 1, conflicts, trouble });
    }
    case "failed":
    case "not-stored": {
      const policy = outcome.type === "failed" ? OUTAGE : DATABASE;
      const waitMs = backoffMs(failures + 1, policy, random);
      return next(waitMs, { failures: failures + 1, conflicts, trouble });
    }
  }
}
