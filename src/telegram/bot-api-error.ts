/**
 * What went wrong with a Bot API call, in the words the rest of the code decides by:
 *
 * rate-limited      429, or a 400 that says "retry after": wait `retryAfterSeconds`
 * chat-migrated     the group became a supergroup: call again with `migrateToChatId`
 * chat-unreachable  the chat does not exist for this bot, or shut it out: see `reason`
 * unauthorized      401: the token was revoked
 * not-found         404 on a known method: the token is malformed or its bot is gone
 * conflict          409: a second consumer of the bot's updates
 * query-expired     the callback or inline query is too old to answer
 * not-modified      the message is already as asked for
 * bad-entities      our formatting could not be parsed
 * bad-request       anything else that Telegram refuses: the same call will be refused again
 * server-error      5xx: whether it took effect is not known
 * bad-answer        not an answer of a Bot API server (a proxy's page, a redirect, too large)
 * timeout           the deadline passed
 * connection-lost   the connection broke after the request had left
 * not-sent          refused, no such host, no TLS: the request never left
 * aborted           the caller's signal ended it
 */
export type BotApiErrorKind =
  | "rate-limited"
  | "chat-migrated"
  | "chat-unreachable"
  | "unauthorized"
  | "not-found"
  | "conflict"
  | "query-expired"
  | "not-modified"
  | "bad-entities"
  | "bad-request"
  | "server-error"
  | "bad-answer"
  | "timeout"
  | "connection-lost"
  | "not-sent"
  | "aborted";

/** Why a chat cannot be written to. */
export type UnreachableReason =
  | "chat-not-found"
  | "blocked"
  | "not-started"
  | "kicked"
  | "not-a-member"
  | "deactivated"
  | "chat-deleted"
  | "no-rights"
  | "forbidden";

/** Whether the call took effect at Telegram. */
export type Sent = "no" | "yes" | "unknown";

export interface BotApiErrorFields {
  kind: BotApiErrorKind;
  /** The Bot API method that was called. */
  method: string;
  /** HTTP status, or the answer's `error_code`; 0 when there was no answer. */
  status: number;
  /** Telegram's words without what they quote, or ours; never content, never a token. */
  description: string;
  sent: Sent;
  /** rate-limited: seconds to wait, as Telegram says; absent when it does not say. */
  retryAfterSeconds?: number;
  /** chat-migrated: the supergroup's id, a decimal string. */
  migrateToChatId?: string;
  /** chat-unreachable: why. */
  reason?: UnreachableReason;
}

/**
 * Every failure of a `BotApi` call. It has no `cause`: the client library's errors carry the token
 * (in the URL) and the payload (the message's text).
 */
export class BotApiError extends Error {
  override name = "BotApiError";
  readonly kind: BotApiErrorKind;
  readonly method: string;
  readonly status: number;
  readonly description: string;
  readonly sent: Sent;
  readonly retryAfterSeconds?: number;
  readonly migrateToChatId?: string;
  readonly reason?: UnreachableReason;

  constructor(fields: BotApiErrorFields) {
    super(`${fields.method}: ${fields.kind}: ${fields.description}`);
    this.kind = fields.kind;
    this.method = fields.method;
    this.status = fields.status;
    this.description = fields.description;
    this.sent = fields.sent;
    if (fields.retryAfterSeconds !== undefined) this.retryAfterSeconds = fields.retryAfterSeconds;
    if (fields.migrateToChatId !== undefined) this.migrateToChatId = fields.migrateToChatId;
    if (fields.reason !== undefined) this.reason = fields.reason;
  }
}
