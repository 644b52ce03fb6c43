import type { Side } from "./side.ts";

/**
 * Where a conversation stands in the support queue.
 *
 *   open     the customer waits for the team (`waitingSince`)
 *   waiting  the team waits for the customer
 *   snoozed  nobody need look before `snoozedUntil`; then it is open again
 *   closed   done
 *
 * An *opening* begins with the customer's first message since the last close, and ends with the next
 * close. It has one first response and one resolution, both told from its beginning; that a member of
 * the team takes a close back goes on with it, that the customer writes again begins another.
 *
 * - What a customer writes opens whatever it finds, however late it comes: until it was stored nobody
 *   can have read it. A redelivery is stored once, so it opens once.
 * - What the team says turns open into waiting, and is the first response if there was none: where it
 *   stands behind all that either side has said, by Telegram's time and number. The outcome of a send
 *   may be told late or twice; the customer's newer words are not answered by it.
 * - What nobody wrote (acknowledgements, answers to commands) counts for nothing.
 *
 * Members' changes go through `afterChange`. The turns of a batch of messages are applied in SQL, all
 * at once, by the same rules (write-conversations.ts); a test plays random histories on both.
 */
export const CONVERSATION_STATUSES = ["open", "waiting", "snoozed", "closed"] as const;
export type ConversationStatus = (typeof CONVERSATION_STATUSES)[number];

/** Times are ms since the epoch. */
export interface QueueState {
  status: ConversationStatus;
  /** The workspace's own name for whoever looks after it. */
  assignee: string | null;
  snoozedUntilMs: number | null;
  waitingSinceMs: number | null;
  /** When the opening began; null: the customer never wrote. */
  openedAtMs: number | null;
  firstRespondedAtMs: number | null;
  resolvedAtMs: number | null;
  /** Openings but the first. */
  reopens: number;
}

/** Where in the conversation something was said. */
export interface Place {
  /** Telegram's time, in seconds. */
  atS: number;
  messageId: string;
}

/** A state with the last word of each side that counted. */
export interface HeardState extends QueueState {
  lastCustomer: Place | null;
  lastTeam: Place | null;
}

/** Something said, in the order in which it was stored. */
export interface Turn {
  side: Side;
  place: Place;
  /** Telegram's id of the customer. */
  userId: string | null;
}

/** Turns that come to the same as one: a customer's in a row, or a single one of the team. */
export interface Run {
  side: Side;
  /** The earliest time among them, in seconds. */
  firstAtS: number;
  /** The last place among them. */
  last: Place;
  /** Of the first. */
  userId: string | null;
}

/** A conversation in which nobody has said anything yet. */
export const UNHEARD: HeardState = {
  status: "waiting",
  assignee: null,
  snoozedUntilMs: null,
  waitingSinceMs: null,
  openedAtMs: null,
  firstRespondedAtMs: null,
  resolvedAtMs: null,
  reopens: 0,
  lastCustomer: null,
  lastTeam: null,
};

/** Telegram numbers the messages of a chat in the order of their time. */
export function isAfter(place: Place, other: Place | null): boolean {
  if (other === null || place.atS !== other.atS) return other === null || place.atS > other.atS;
  return BigInt(place.messageId) > BigInt(other.messageId);
}

/** Sums up turns. */
export function runsOf(turns: readonly Turn[]): Run[] {
  const runs: Run[] = [];
  for (const { side, place, userId } of turns) {
    const run = runs.at(-1);
    if (side === "customer" && run?.side === "customer") {
      run.firstAtS = Math.min(run.firstAtS, place.atS);
      if (isAfter(place, run.last)) run.last = place;
    } else {
      runs.push({ side, firstAtS: place.atS, last: place, userId });
    }
  }
  return runs;
}

/** What was said changes where the conversation stands. */
export function afterRun(state: HeardState, run: Run): HeardState {
  return run.side === "customer" ? afterCustomer(state, run) : afterTeam(state, run);
}

function afterCustomer(state: HeardState, { firstAtS, last }: Run): HeardState {
  const atMs = firstAtS * 1_000;
  const begins = state.openedAtMs === null || state.status === "closed";
  const isAnswered = state.firstRespondedAtMs !== null;
  return {
    ...state,
    status: "open",
    snoozedUntilMs: null,
    resolvedAtMs: null,
    waitingSinceMs: Math.min(state.waitingSinceMs ?? atMs, atMs),
    openedAtMs: begins
      ? atMs
      : isAnswered
        ? state.openedAtMs
        : Math.min(state.openedAtMs ?? atMs, atMs),
    firstRespondedAtMs: begins ? null : state.firstRespondedAtMs,
    reopens: state.reopens + (begins && state.openedAtMs !== null ? 1 : 0),
    lastCustomer: isAfter(last, state.lastCustomer) ? last : state.lastCustomer,
  };
}

function afterTeam(state: HeardState, { firstAtS, last }: Run): HeardState {
  const isNews = isAfter(last, state.lastTeam);
  const lastTeam = isNews ? last : state.lastTeam;
  if (!isNews || !isAfter(last, state.lastCustomer)) return { ...state, lastTeam };
  const isOpen = state.status === "open";
  return {
    ...state,
    lastTeam,
    status: isOpen ? "waiting" : state.status,
    waitingSinceMs: null,
    firstRespondedAtMs:
      state.firstRespondedAtMs ?? (state.openedAtMs === null ? null : firstAtS * 1_000),
  };
}

/** What a member of the team changes; what is undefined stays. */
export interface QueueChange {
  status?: ConversationStatus;
  assignee?: string | null;
  snoozedUntilMs?: number;
}

/** A change that contradicts itself, in words for who asked for it. */
export class ImpossibleChange extends Error {
  override name = "ImpossibleChange";
  readonly field: "status" | "snoozedUntil";
  constructor(field: "status" | "snoozedUntil", message: string) {
    super(message);
    this.field = field;
  }
}

/**
 * The state after a member's change at `nowMs`. A time to be snoozed until says `snoozed` by itself.
 * Throws `ImpossibleChange`.
 */
export function afterChange(state: QueueState, change: QueueChange, nowMs: number): QueueState {
  const { snoozedUntilMs: untilMs } = change;
  const status = change.status ?? (untilMs === undefined ? state.status : "snoozed");
  if (untilMs !== undefined && status !== "snoozed") {
    throw new ImpossibleChange("snoozedUntil", "goes with the status snoozed, or none");
  }
  if (untilMs !== undefined && untilMs <= nowMs) {
    throw new ImpossibleChange("snoozedUntil", "is in the future");
  }
  const snoozedUntilMs = status === "snoozed" ? (untilMs ?? state.snoozedUntilMs) : null;
  if (status === "snoozed" && snoozedUntilMs === null) {
    throw new ImpossibleChange("status", "snoozed needs snoozedUntil");
  }
  return {
    ...state,
    status,
    snoozedUntilMs,
    assignee: change.assignee === undefined ? state.assignee : change.assignee,
    waitingSinceMs: status === "open" ? (state.waitingSinceMs ?? nowMs) : null,
    resolvedAtMs: status === "closed" ? (state.resolvedAtMs ?? nowMs) : null,
  };
}
