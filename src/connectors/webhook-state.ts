import { scrub } from "../platform/index.ts";

/**
 * What Telegram says about a bot's webhook (Bot API: WebhookInfo), and when that is a trouble. Pure.
 */

export interface WebhookInfo {
  url?: string;
  pending_update_count?: number;
  last_error_date?: number;
  last_error_message?: string;
  allowed_updates?: string[];
}

/** How many updates wait at Telegram, and since when without a pause. */
export interface Pending {
  count: number;
  /** Since when each look found some; null: none wait. */
  sinceMs: number | null;
  /** Since when each look found many. */
  highSinceMs: number | null;
}

/** Waiting updates are normal for a moment: a delivery that failed is tried again within two minutes. */
export const STUCK_AFTER_MS = 3 * 60_000;
const BEHIND_AFTER_MS = 10 * 60_000;
const HIGH = 1_000;
/** Telegram keeps its last error for ever; it is news for this long. */
export const ERROR_IS_NEWS_MS = 15 * 60_000;
const MAX_ERROR_CHARACTERS = 300;

/** What is known of waiting updates after a look at `nowMs` that found `count`. */
export function pendingAfter(before: Pending | null, count: number, nowMs: number): Pending {
  return {
    count,
    sinceMs: count > 0 ? (before?.sinceMs ?? nowMs) : null,
    highSinceMs: count >= HIGH ? (before?.highSinceMs ?? nowMs) : null,
  };
}

/**
 * Why waiting updates are a trouble, in words for who operates; null when they are none.
 * `lastSeenMs` is when an update last arrived here.
 */
export function driftOf(pending: Pending, lastSeenMs: number | null, nowMs: number): string | null {
  const { count, sinceMs, highSinceMs } = pending;
  if (sinceMs !== null && nowMs - sinceMs >= STUCK_AFTER_MS && (lastSeenMs ?? 0) < sinceMs) {
    return `Telegram holds ${count} updates, and none has arrived for ${minutes(nowMs - sinceMs)}.`;
  }
  if (highSinceMs !== null && nowMs - highSinceMs >= BEHIND_AFTER_MS) {
    return `Telegram has held more than ${HIGH} updates for ${minutes(nowMs - highSinceMs)}: they come faster than they are taken in.`;
  }
  return null;
}

const minutes = (ms: number) => `${Math.round(ms / 60_000)} minutes`;

/** What Telegram reports of a failed delivery, without addresses: ours holds the webhook's key. */
export function safeError(message: string): string {
  const withoutAddresses = scrub(message)
    .replace(/[a-z][a-z0-9+.-]*:\/\/\S+/gi, "[address]")
    .replace(/\/?webhooks\/\S+/gi, "[address]");
  return withoutAddresses.replace(/[\0\p{Surrogate}]/gu, "\uFFFD").slice(0, MAX_ERROR_CHARACTERS);
}

/** What is wrong with where Telegram sends updates; null when it is as registered. */
export function misdirected(info: WebhookInfo, registered: string | null): string | null {
  if (registered === null || info.url === registered) return null;
  return info.url
    ? "Telegram sends this bot's updates to another address: something else set its webhook."
    : "Telegram has no webhook for this bot any more: something else removed it.";
}

/** Kinds of updates that are asked for and that Telegram does not deliver. */
export const kindsMissing = (info: WebhookInfo, kinds: readonly string[]): string[] =>
  kinds.filter((kind) => info.allowed_updates?.includes(kind) !== true);
