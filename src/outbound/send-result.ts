import { ConnectorRemoved } from "../connectors/index.ts";
import type { Outcome } from "../jobs/index.ts";
import { SealError } from "../platform/index.ts";
import { BotApiError } from "../telegram/index.ts";
import { EXPIRED, EXPIRED_UNKNOWN, expiredWords } from "./expired.ts";
import { UNKNOWN, unknownWords } from "./may-be-sent.ts";
import { refusalOf } from "./refusals.ts";

/** What a call to the Bot API came to, and what that means for the message. Decided without I/O. */
export interface SendResult {
  attempt: "sent" | "failed" | "unknown" | "not-sent" | "rate-limited";
  outcome: Outcome;
  /** What the message shows from now on, unless it will be tried again. */
  error: string | null;
  errorClass: string | null;
  /** What Telegram answered (Bot API: Message); null when it answered none. */
  message: unknown;
  retryAfterS: number | null;
  /** chat-migrated: the supergroup's id. */
  migratedTo: string | null;
  unreachable: boolean;
  /** The token is refused: nothing of this bot can be sent. */
  unauthorized: boolean;
}

const NOTHING = {
  error: null,
  errorClass: null,
  message: null,
  retryAfterS: null,
  migratedTo: null,
  unreachable: false,
  unauthorized: false,
};

/** A 429 that names no time. */
const DEFAULT_RETRY_AFTER_S = 5;
/** Between two tries to reach Telegram at all. */
const OUTAGE_PAUSE_MS = 1_000;
/** How long a bot whose token is refused waits before its token is tried again. */
const UNAUTHORIZED_PAUSE_MS = 60_000;
const SEALED_PAUSE_MS = 60_000;

const UNREACHABLE_WORDS: Record<string, string> = {
  "chat-not-found": "Telegram knows no such chat, or the bot has never met it.",
  blocked: "The person has blocked the bot; they can unblock it in Telegram.",
  "not-started": "The person has not started the bot yet; ask them to send it /start.",
  kicked: "The bot was removed from the chat; add it again.",
  "not-a-member": "The bot is not a member of the chat; add it.",
  deactivated: "The person's Telegram account no longer exists.",
  "chat-deleted": "The group was deleted.",
  "no-rights": "The bot may not write there; make it an administrator or allow it to post.",
  forbidden: "Telegram does not let the bot write there.",
};

/** In the ledger, of what Telegram refuses. */
const REFUSED = "Telegram refuses the message; what it says stands with the message.";

export function sentResult(message: unknown, note: string | null = null): SendResult {
  return { ...NOTHING, attempt: "sent", outcome: { type: "complete" }, message, error: note };
}

/** Nobody knows whether it was sent: the message's own policy decides. */
export function unknownResult(onUnknown: "resend" | "hold", why: string): SendResult {
  const error = `It is not known whether Telegram sent it: ${why}.`;
  const failure = { errorClass: UNKNOWN, error };
  return {
    ...NOTHING,
    ...failure,
    attempt: "unknown",
    outcome:
      onUnknown === "resend" ? { type: "retry", ...failure } : { type: "discard", ...failure },
  };
}

/** It never left: an outage is nobody's attempt, and lasts as long as it lasts. */
export function notSentResult(errorClass: string, error: string, nowMs: number): SendResult {
  return {
    ...NOTHING,
    attempt: "not-sent",
    errorClass,
    error,
    outcome: { type: "pause", untilMs: nowMs + OUTAGE_PAUSE_MS, reason: errorClass },
  };
}

/**
 * `ledger` is what the job shows, where Telegram's own words might quote the message: those stand
 * with the message itself only.
 */
function failed(errorClass: string, error: string, ledger = error): SendResult {
  const outcome: Outcome = { type: "discard", errorClass, error: ledger };
  return { ...NOTHING, errorClass, error, attempt: "failed", outcome };
}

/** It stayed behind what held it until it was good for nothing. `mayBeSent`: unless it left before. */
export function expiredResult({
  expiresAt,
  mayBeSent,
}: {
  expiresAt: Date;
  mayBeSent: boolean;
}): SendResult {
  const result = mayBeSent
    ? failed(UNKNOWN, unknownWords(EXPIRED_UNKNOWN))
    : failed(EXPIRED, expiredWords(expiresAt));
  return { ...result, attempt: "not-sent" };
}

/** A broadcast's message whose chat has refused broadcasts since it was made. */
export const refusedResult = (): SendResult => ({
  ...failed("opted-out", "The chat said that it wants no broadcasts before this was sent."),
  attempt: "not-sent",
});

/** The error table of the Bot API, as decisions. */
export function resultOfError(
  error: unknown,
  onUnknown: "resend" | "hold",
  nowMs: number,
): SendResult {
  if (error instanceof ConnectorRemoved) {
    return failed("connector-removed", "The bot was disconnected before this was sent.");
  }
  // A key that is missing comes back with the next start: nothing is spent meanwhile.
  if (error instanceof SealError) {
    const words = "The bot's token cannot be opened: its key is not in ENCRYPTION_KEYS.";
    const outcome: Outcome = { type: "pause", untilMs: nowMs + SEALED_PAUSE_MS, reason: "sealed" };
    return { ...notSentResult("sealed", words, nowMs), outcome };
  }
  if (!(error instanceof BotApiError)) throw error;
  const { kind, description } = error;
  const pause = (untilMs: number): Outcome => ({ type: "pause", untilMs, reason: kind });
  switch (kind) {
    case "rate-limited": {
      const retryAfterS = error.retryAfterSeconds ?? DEFAULT_RETRY_AFTER_S;
      // An album of which a part may be there: the hold counts, and sending it again is a choice.
      if (error.sent === "unknown") {
        return { ...unknownResult(onUnknown, "it stopped half-way"), retryAfterS };
      }
      const outcome = pause(nowMs + retryAfterS * 1_000);
      return { ...NOTHING, attempt: "rate-limited", outcome, retryAfterS };
    }
    case "chat-migrated": {
      const migratedTo = error.migrateToChatId ?? null;
      if (migratedTo === null) return failed(kind, "The group moved; Telegram did not say where.");
      // What waits for the group under its old id stands in one order with what comes under the new.
      const outcome: Outcome = { type: "pause", untilMs: nowMs, reason: kind, newKey: migratedTo };
      return { ...NOTHING, attempt: "failed", outcome, migratedTo };
    }
    case "chat-unreachable": {
      const words =
        UNREACHABLE_WORDS[error.reason ?? "forbidden"] ?? UNREACHABLE_WORDS.forbidden ?? "";
      return { ...failed(error.reason ?? kind, words), unreachable: true };
    }
    case "unauthorized":
    case "not-found": {
      const outcome = pause(nowMs + UNAUTHORIZED_PAUSE_MS);
      const words = "Telegram refuses the bot's token; replace it in the connector.";
      const told = { error: words, errorClass: kind };
      return { ...NOTHING, ...told, attempt: "failed", outcome, unauthorized: true };
    }
    case "not-modified":
      return sentResult(null);
    case "query-expired":
      return {
        ...failed(kind, "It was pressed, or asked, too long ago to be answered."),
        outcome: { type: "complete" },
      };
    case "bad-entities":
      return failed(kind, `Telegram refuses the message: ${description}`, REFUSED);
    case "bad-request": {
      const { errorClass, error: words } = refusalOf(description);
      return failed(errorClass, words, REFUSED);
    }
    default:
      if (error.sent === "unknown") return unknownResult(onUnknown, kind);
      if (error.sent === "yes") return sentResult(null, "Sent; Telegram's answer broke off.");
      return notSentResult(kind, description, nowMs);
  }
}
