import { scrub } from "../platform/scrub.ts";
import type { BotApiErrorFields, BotApiErrorKind, UnreachableReason } from "./bot-api-error.ts";

/** A Bot API answer with `ok: false` (Bot API: Making requests). */
export interface FailedAnswer {
  error_code?: unknown;
  description?: unknown;
  parameters?: unknown;
}

/** How far a call came before it failed without an answer that could be read. */
export interface Progress {
  /** What ended the call: its deadline, the caller's signal, or the transport. */
  ended: "deadline" | "caller" | "transport";
  /** False while the request cannot have left: no connection (and no TLS) yet. */
  left: boolean;
  /** False while a part of the request had yet to leave: nothing can have come of it. Default: true. */
  whole?: boolean;
  /** HTTP status, as soon as the answer's head was there. */
  status?: number;
  /** True when the whole body arrived. */
  complete: boolean;
  /** A redirect was answered; it is never followed: the URL holds the token. */
  redirected?: boolean;
  /** The answer was cut off because it is larger than anything a Bot API server says. */
  tooLarge?: boolean;
  /** The system's error code, e.g. `ECONNREFUSED`. */
  code?: string;
}

const MAX_DESCRIPTION_LENGTH = 200;

const UNREACHABLE: Array<[RegExp, UnreachableReason]> = [
  [/chat not found|PEER_ID_INVALID|CHAT_ID_INVALID|USER_ID_INVALID/i, "chat-not-found"],
  [/blocked by the user|USER_IS_BLOCKED/i, "blocked"],
  [/can't initiate conversation/i, "not-started"],
  [/was kicked|USER_BANNED_IN_CHANNEL|CHANNEL_PRIVATE/i, "kicked"],
  [/not a member/i, "not-a-member"],
  [/user is deactivated|INPUT_USER_DEACTIVATED/i, "deactivated"],
  [/chat was deleted|group chat was deactivated/i, "chat-deleted"],
  [/rights? to send (text )?messages?|no rights to send|CHAT_WRITE_FORBIDDEN/i, "no-rights"],
];

/** What of Telegram's description may be kept: it quotes message text (tags, URLs) and ids. */
export function safeDescription(description: unknown): string {
  if (typeof description !== "string") return "no description";
  const unquoted = description
    .replace(/"[^"]*"?/g, "“…”")
    .replace(/(?<![A-Za-z])'[^']*'?/g, "‘…’")
    // What a tag was called, or a URL, stands unquoted in some of Telegram's sentences.
    .replace(/<[^>]*>?|https?:\/\/\S+/gi, "…");
  return scrub(unquoted.replaceAll("\0", "")).slice(0, MAX_DESCRIPTION_LENGTH);
}

/** Telegram asks for a day at most; what an answer of somebody else's says must not hold a chat for years. */
const MOST_RETRY_AFTER_S = 7 * 86_400;

/** Whole seconds to wait, from the answer's parameters or, failing that, from its words. */
function retryAfter(parameters: Record<string, unknown>, description: string): number | undefined {
  const stated = parameters.retry_after;
  if (typeof stated === "number" && Number.isFinite(stated) && stated >= 0) {
    return Math.min(MOST_RETRY_AFTER_S, Math.ceil(stated));
  }
  const told = /retry after (\d{1,9})/i.exec(description)?.[1];
  return told === undefined ? undefined : Math.min(MOST_RETRY_AFTER_S, Number(told));
}

function migratedTo(parameters: Record<string, unknown>): string | undefined {
  const id = parameters.migrate_to_chat_id;
  return typeof id === "number" || (typeof id === "string" && /^-?\d+$/.test(id))
    ? String(id)
    : undefined;
}

/**
 * What an answer with `ok: false` means: each row of Bot API's error responses as this project
 * deals with it. `httpStatus` counts where the answer names no `error_code`.
 */
export function errorOfAnswer(
  method: string,
  answer: FailedAnswer,
  httpStatus: number,
): BotApiErrorFields {
  const status = typeof answer.error_code === "number" ? answer.error_code : httpStatus;
  const said = typeof answer.description === "string" ? answer.description : "";
  const parameters =
    typeof answer.parameters === "object" && answer.parameters !== null
      ? (answer.parameters as Record<string, unknown>)
      : {};
  const base = { method, status, description: safeDescription(answer.description) };
  const refused = (kind: BotApiErrorKind): BotApiErrorFields => ({ ...base, kind, sent: "no" });

  if (status >= 500) return { ...base, kind: "server-error", sent: "unknown" };

  const migrateToChatId = migratedTo(parameters);
  if (migrateToChatId !== undefined) return { ...refused("chat-migrated"), migrateToChatId };

  const retryAfterSeconds = retryAfter(parameters, said);
  if (status === 429) return { ...refused("rate-limited"), retryAfterSeconds };
  // sendMediaGroup can be stopped half-way: then it is a 400, and part of the album is out.
  if (status === 400 && /retry after \d+/i.test(said)) {
    return { ...base, kind: "rate-limited", retryAfterSeconds, sent: "unknown" };
  }

  if (status === 401) return refused("unauthorized");
  if (status === 404) {
    return refused(/method not found/i.test(said) ? "bad-request" : "not-found");
  }
  if (status === 409) return refused("conflict");
  if (/query is too old|query ID is invalid|QUERY_ID_INVALID/i.test(said)) {
    return refused("query-expired");
  }
  if (/message is not modified/i.test(said)) return refused("not-modified");
  if (/can't parse entities|ENTIT(?:Y|IES)_[A-Z_]*INVALID/i.test(said)) {
    return refused("bad-entities");
  }

  const unreachable = UNREACHABLE.find(([pattern]) => pattern.test(said))?.[1];
  if (unreachable !== undefined) return { ...refused("chat-unreachable"), reason: unreachable };
  if (status === 403) return { ...refused("chat-unreachable"), reason: "forbidden" };
  return refused("bad-request");
}

/** What a call that ended without a readable answer means. */
export function errorOfProgress(method: string, progress: Progress): BotApiErrorFields {
  const { status = 0, complete, left } = progress;
  const base = { method, status };
  if (progress.redirected) {
    return {
      ...base,
      kind: "bad-answer",
      description: `a redirect (${status}), which a Bot API server never answers`,
      sent: "no",
    };
  }
  if (progress.tooLarge) {
    return { ...base, kind: "bad-answer", description: "too large", sent: effectOf(status) };
  }
  if (!left) {
    const why = progress.code === undefined ? "no connection" : `no connection (${progress.code})`;
    const kind = { deadline: "timeout", caller: "aborted", transport: "not-sent" } as const;
    return { ...base, kind: kind[progress.ended], description: why, sent: "no" };
  }
  if (status >= 500) {
    const sent = progress.whole === false ? "no" : "unknown";
    return { ...base, kind: "server-error", description: `HTTP ${status}`, sent };
  }
  if (status === 413) {
    // Of a proxy before the Bot API server: the same upload is too large the next time, too.
    return { ...base, kind: "bad-request", description: "HTTP 413, too large", sent: "no" };
  }
  if (progress.whole === false && status === 0) {
    const kind = { deadline: "timeout", caller: "aborted", transport: "connection-lost" } as const;
    return { ...base, kind: kind[progress.ended], description: "not uploaded whole", sent: "no" };
  }
  if (complete) {
    // A proxy's page. With 4xx it stood in the way; with 2xx nobody knows what it did.
    return {
      ...base,
      kind: "bad-answer",
      description: `HTTP ${status} without a Bot API answer`,
      sent: status >= 400 ? "no" : "unknown",
    };
  }
  const sent = effectOf(status);
  if (progress.ended === "deadline") {
    return { ...base, kind: "timeout", description: "no answer in time", sent };
  }
  if (progress.ended === "caller") {
    return { ...base, kind: "aborted", description: "ended by the caller", sent };
  }
  const code = progress.code === undefined ? "" : ` (${progress.code})`;
  return { ...base, kind: "connection-lost", description: `connection lost${code}`, sent };
}

/**
 * What the head of an answer says about the effect when its body was lost. A Bot API server
 * answers 200 exactly when it did what was asked, and 4xx exactly when it refused.
 */
function effectOf(status: number): "yes" | "no" | "unknown" {
  if (status === 200) return "yes";
  return status >= 400 && status < 500 ? "no" : "unknown";
}
