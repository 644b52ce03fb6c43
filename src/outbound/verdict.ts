import type { Outcome } from "../jobs/index.ts";
import type { BotApiError, UnreachableReason } from "../telegram/index.ts";
import type { MessageState, OnUnknown } from "./message.ts";

/** How an attempt ended, as `send_attempts` keeps it. */
export type AttemptOutcome = "sent" | "failed" | "unknown" | "not-sent" | "rate-limited";

/** What else an attempt's end means, besides the message's own state. */
export type Consequence =
  | { type: "chat-migrated"; toChatId: string }
  | { type: "chat-unreachable" }
  | { type: "unauthorized"; reason: string }
  /** A hold until `untilMs`; `scope` null is the bot. */
  | { type: "hold"; scope: string | null; untilMs: number; reason: string };

/** What an attempt's end makes of everything: decided without I/O. */
export interface Verdict {
  attempt: AttemptOutcome;
  /** What the ledger is told. */
  outcome: Outcome;
  errorClass: string | null;
  /** For a person: what happened, and what to do. Never content. */
  error: string | null;
  note: string | null;
  retryAfterS: number | null;
  consequences: Consequence[];
}

export interface Situation {
  /** The message's chat. */
  chatId: string;
  onUnknown: OnUnknown;
  nowMs: number;
  /** Another chat of the bot was refused for its rate just now: the limit is the bot's. */
  botIsLimited: boolean;
  /** Since when Telegram has not been reached at all, ms since the epoch; null when it is. */
  outageSinceMs: number | null;
}

/** Telegram always says how long; a proxy in between may not. */
const DEFAULT_RETRY_AFTER_S = 5;
/** With a revoked token the bot is tried again this often: a new one may have come. */
const UNAUTHORIZED_HOLD_MS = 60_000;
const OUTAGE_HOLD_MIN_MS = 500;
const OUTAGE_HOLD_MAX_MS = 30_000;

const UNREACHABLE_WORDS: Record<UnreachableReason, string> = {
  "chat-not-found": "Telegram knows no such chat, or the bot has never met it",
  blocked: "the person blocked the bot",
  "not-started": "the person has not started the bot: a bot may not write first",
  kicked: "the bot was removed from the chat",
  "not-a-member": "the bot is not a member of the chat",
  deactivated: "the person's Telegram account is deactivated",
  "chat-deleted": "the chat was deleted",
  "no-rights": "the bot may not write in the chat: give it the right to send messages",
  forbidden: "Telegram does not let the bot write in the chat",
};

const NOTHING = { errorClass: null, error: null, note: null, retryAfterS: null, consequences: [] };

export function sentVerdict(note: string | null): Verdict {
  return { ...NOTHING, attempt: "sent", outcome: { type: "complete" }, note };
}

/** Nobody knows whether it was sent. `what` says how that came about. */
export function unknownVerdict(onUnknown: OnUnknown, what: string): Verdict {
  const errorClass = "unknown";
  const error =
    onUnknown === "resend"
      ? `${what}: whether it was sent is not known, so it is sent again`
      : `${what}: whether it was sent is not known. Look into the chat, then retry or leave it`;
  return {
    ...NOTHING,
    attempt: "unknown",
    outcome:
      onUnknown === "resend"
        ? { type: "retry", errorClass, error }
        : { type: "discard", errorClass, error },
    errorClass,
    error,
  };
}

/** It did not leave, and that is nobody's fault but the moment's: no attempt is spent. */
export function notSentVerdict(reason: string, untilMs: number): Verdict {
  return {
    ...NOTHING,
    attempt: "not-sent",
    outcome: { type: "pause", untilMs, reason },
    errorClass: "not-sent",
    error: reason,
  };
}

/** Each row of Telegram's errors, as sending deals with it. */
export function verdictOfError(error: BotApiError, situation: Situation): Verdict {
  const { nowMs } = situation;
  const failed = (words: string, consequences: Consequence[] = []): Verdict => ({
    ...NOTHING,
    attempt: "failed",
    outcome: { type: "discard", errorClass: error.kind, error: words },
    errorClass: error.kind,
    error: words,
    consequences,
  });

  switch (error.kind) {
    case "rate-limited":
      return error.sent === "unknown"
        ? unknownVerdict(situation.onUnknown, "Telegram stopped it half-way")
        : rateLimited(error.retryAfterSeconds ?? DEFAULT_RETRY_AFTER_S, situation);
    case "chat-migrated": {
      const toChatId = error.migrateToChatId ?? situation.chatId;
      return {
        ...notSentVerdict("the group became a supergroup", nowMs),
        attempt: "failed",
        errorClass: error.kind,
        consequences: [{ type: "chat-migrated", toChatId }],
      };
    }
    case "chat-unreachable":
      return failed(UNREACHABLE_WORDS[error.reason ?? "forbidden"], [{ type: "chat-unreachable" }]);
    case "unauthorized":
    case "not-found": {
      const reason = "Telegram refuses the bot's token: give the connector a new one";
      const untilMs = nowMs + UNAUTHORIZED_HOLD_MS;
      return {
        ...notSentVerdict(reason, untilMs),
        attempt: "failed",
        errorClass: error.kind,
        consequences: [
          { type: "unauthorized", reason },
          { type: "hold", scope: null, untilMs, reason: "unauthorized" },
        ],
      };
    }
    case "not-modified":
      return sentVerdict(null);
    case "query-expired":
      return { ...failed("the button was pressed too long ago"), outcome: { type: "complete" } };
    case "bad-entities":
    case "bad-request":
      return failed(`Telegram refused it: ${error.description}`);
    case "conflict":
      return {
        ...failed("somebody else uses the bot"),
        outcome: { type: "retry", errorClass: error.kind, error: "somebody else uses the bot" },
      };
    case "server-error":
    case "bad-answer":
    case "timeout":
    case "connection-lost":
    case "not-sent":
    case "aborted":
      return transportVerdict(error, situation);
  }
}

function rateLimited(retryAfterS: number, situation: Situation): Verdict {
  const untilMs = situation.nowMs + retryAfterS * 1000;
  const scope = situation.botIsLimited ? null : situation.chatId;
  const reason = `Telegram asks to wait ${retryAfterS} s`;
  return {
    ...NOTHING,
    attempt: "rate-limited",
    outcome: { type: "pause", untilMs, reason },
    errorClass: "rate-limited",
    error: reason,
    retryAfterS,
    consequences: [{ type: "hold", scope, untilMs, reason: "rate-limited" }],
  };
}

/** The call broke on its way: what counts is how far it came. */
function transportVerdict(error: BotApiError, situation: Situation): Verdict {
  const { nowMs, outageSinceMs } = situation;
  switch (error.sent) {
    case "yes":
      return sentVerdict("sent, but its number was lost with the answer");
    case "unknown":
      return unknownVerdict(situation.onUnknown, `no answer from Telegram (${error.description})`);
    case "no": {
      // The worker stops, and its successor may go on at once.
      if (error.kind === "aborted") return notSentVerdict("the worker stopped", nowMs);
      // Waits as long as the outage has lasted: soon back after a blink, seldom asking in a long one.
      const lastedMs = nowMs - (outageSinceMs ?? nowMs);
      const waitMs = Math.min(OUTAGE_HOLD_MAX_MS, Math.max(OUTAGE_HOLD_MIN_MS, lastedMs));
      const untilMs = nowMs + waitMs;
      return {
        ...notSentVerdict(`Telegram is not reached (${error.description})`, untilMs),
        consequences: [{ type: "hold", scope: null, untilMs, reason: "not-reached" }],
      };
    }
  }
}

/** The message's state after an attempt whose outcome the ledger took. */
export function stateAfter(
  verdict: Pick<Verdict, "attempt">,
  ledger: "completed" | "retryable" | "discarded",
): MessageState {
  if (verdict.attempt === "sent") return "sent";
  if (ledger === "retryable") return "queued";
  return verdict.attempt === "unknown" ? "unknown" : "failed";
}

/**
 * The message's state after an attempt whose outcome came late, when a successor had already given
 * a verdict: what is known wins over what was not. Null: it stays as it is.
 */
export function stateAfterLate(
  verdict: Pick<Verdict, "attempt">,
  current: MessageState,
): MessageState | null {
  if (verdict.attempt === "sent") return "sent";
  if (current === "unknown" && verdict.attempt !== "unknown") return "failed";
  return null;
}
