import type { PlaceInLane } from "../jobs/index.ts";
import type { MessageState } from "./new-message.ts";

/** One thing that a message waits for, in words for who sent it. Times are ISO 8601. */
export interface WaitingReason {
  reason:
    | "approval"
    | "token"
    | "paused"
    | "time"
    | "bot-held"
    | "chat-held"
    | "earlier-message"
    | "chat-limit"
    | "retry"
    | "bot-rate"
    | "sending"
    | "next";
  detail: string;
  /** Not before then; left out where nobody knows. */
  until?: string;
  /** The message that goes first. */
  messageId?: string;
  /** Messages that go before it. */
  before?: number;
  /** There are more than that; nobody has counted further. */
  more?: true;
  /** About so long, in seconds. */
  aboutS?: number;
}

/** What is known of a message that waits. */
export interface WaitingFacts {
  state: MessageState;
  sendAt: Date | null;
  /** Telegram refuses the bot's token. */
  isRefused: boolean;
  botHeldUntil: Date | null;
  chatHeldUntil: Date | null;
  /** When the chat's own limits have room for it. */
  chatFreeAt: Date;
  /** Calls a second of the bot. */
  perSecond: number;
  place: PlaceInLane;
  now: Date;
}

/** Messages are counted up to here. */
export const COUNTED = 10_000;
/** A wait that is over before anybody reads of it. */
const NO_WAIT_MS = 1_000;

/** What keeps a message, decided without I/O: what must change first stands first. Never empty. */
export function waitingReasons(facts: WaitingFacts): WaitingReason[] {
  const { place, now } = facts;
  const reasons: WaitingReason[] = [];
  const say = (
    reason: WaitingReason["reason"],
    detail: string,
    more: Partial<WaitingReason> = {},
  ) => reasons.push({ reason, detail, ...more });
  const until = (time: Date) => ({ until: time.toISOString() });

  if (facts.state === "awaiting_approval") {
    say("approval", "It is sent once somebody has approved it.");
    if (facts.sendAt !== null && facts.sendAt > now) {
      say("time", "It is to be sent at a later time.", until(facts.sendAt));
    }
    return reasons;
  }
  if (facts.isRefused) {
    say(
      "token",
      "Telegram refuses the bot's token. Replace it in the connector: nothing of this bot is sent before.",
    );
  }
  if (place.isPaused) {
    say("paused", "An operator has paused all sending; it goes on when they resume it.");
  }
  const { job } = place;
  if (job?.isScheduled) {
    say("time", "It is to be sent at a later time.", until(job.runAt));
    return reasons;
  }
  if (facts.botHeldUntil !== null) {
    say("bot-held", "Telegram has asked the whole bot to wait.", until(facts.botHeldUntil));
  }
  if (facts.chatHeldUntil !== null) {
    say(
      "chat-held",
      "Telegram has asked the bot to wait with this chat.",
      until(facts.chatHeldUntil),
    );
  }
  if (job === null) {
    const isDeep = place.inKey >= COUNTED;
    if (isDeep) sayEarlier(say, { before: COUNTED, more: true });
    else if (reasons.length === 0) say("next", "Its turn is now.");
    return reasons;
  }
  if (job.state === "running") {
    say("sending", "It is being sent at this moment.");
    return reasons;
  }
  if (job.beforeInKey > 0) {
    const { messageId } = job.firstInKey ?? {};
    const first = typeof messageId === "string" ? { messageId } : {};
    sayEarlier(say, { before: job.beforeInKey, ...first });
  }
  const isChatFull = facts.chatFreeAt > later(facts.chatHeldUntil ?? now, NO_WAIT_MS);
  if (isChatFull) {
    say(
      "chat-limit",
      "This chat has had as many messages as Telegram allows in a while.",
      until(facts.chatFreeAt),
    );
  }
  if (job.state === "retryable" && job.runAt > now && reasons.length === 0) {
    say("retry", "The last try did not send it; it is tried again.", until(job.runAt));
  }
  if (job.beforeInLane > 0) {
    const aboutS = Math.ceil(job.beforeInLane / facts.perSecond);
    const isMore = job.beforeInLane >= COUNTED;
    const count = isMore ? `More than ${COUNTED}` : String(job.beforeInLane);
    const words = `${count} more urgent or older ${job.beforeInLane === 1 ? "message goes" : "messages go"} first, at ${rounded(facts.perSecond)} a second.`;
    say("bot-rate", words, { before: job.beforeInLane, ...(isMore ? { more: true } : {}), aboutS });
  }
  if (reasons.length === 0) say("next", "Its turn is now.");
  return reasons;
}

function sayEarlier(
  say: (reason: "earlier-message", detail: string, more: Partial<WaitingReason>) => void,
  known: { before: number; more?: true; messageId?: string },
): void {
  const count = known.more ? `More than ${known.before}` : String(known.before);
  const words =
    known.before === 1 ? "message to the same chat goes" : "messages to the same chat go";
  say("earlier-message", `${count} earlier ${words} first.`, known);
}

const later = (time: Date, byMs: number): Date => new Date(time.getTime() + byMs);
const rounded = (rate: number): number => Math.round(rate * 10) / 10;
