import type { Outcome } from "../../jobs/index.ts";

/**
 * What keeps a file from being stored, what is done about it, and how it is told. Whoever reads about
 * the file is told what happened and what to do: `waits` while it is tried again, `ended` when it is not.
 *
 * next  wait      nobody's fault, and it will pass: no attempt is spent; for a day, then as `retry`
 *       retry     an attempt that failed; the queue's backoff
 *       few       the same, but three of them are enough
 *       give-up   a dead letter: nothing changes by itself, an operator may retry it
 *       refuse    a rule of the workspace's: the job has done what it was to do
 *       forget    there is nothing to do any more
 */
const SEND_AGAIN = "Please send it again.";

export const FAULTS = {
  "rate-limited": {
    next: "wait",
    waits: "Telegram has asked to wait.",
    ended: `Telegram asked to wait for too long. ${SEND_AGAIN}`,
  },
  "telegram-away": {
    next: "wait",
    waits: "Telegram cannot be reached now; it is tried again.",
    ended: `Telegram could not be reached. ${SEND_AGAIN}`,
  },
  "token-refused": {
    next: "wait",
    waits: "Telegram refuses the bot's token; it is tried again once the bot has a new one.",
    ended: "Telegram refuses the bot's token, so the file could not be fetched.",
  },
  "connector-removed": {
    next: "give-up",
    waits: "",
    ended: "The bot was disconnected before the file was fetched.",
  },
  "broken-off": {
    next: "retry",
    waits: "The connection broke off; it goes on from there.",
    ended: `The connection to Telegram broke off again and again. ${SEND_AGAIN}`,
  },
  changed: {
    next: "few",
    waits: "Telegram gave another size than it had said; it is fetched anew.",
    ended: `Telegram gave another size than it had said, several times: nothing of it was stored. ${SEND_AGAIN}`,
  },
  "not-there": {
    next: "few",
    waits: "Telegram does not have the file now; it is asked again.",
    ended: `Telegram does not have the file any more. ${SEND_AGAIN}`,
  },
  "too-large-for-bots": {
    next: "give-up",
    waits: "",
    ended:
      "Telegram gives bots files of up to 20 MB only. Please send a smaller file, or hand this one to the team in another way.",
  },
  unreadable: {
    next: "wait",
    waits: "The file lies at the Bot API server, where it cannot be read; it is tried again.",
    ended:
      "The file lies at the Bot API server, where it cannot be read: its folder must be readable here.",
  },
  "store-away": {
    next: "wait",
    waits: "The store cannot take it now; it is tried again.",
    ended: "The store could not take it. It can be fetched again once the store is well.",
  },
  "disk-full": {
    next: "wait",
    waits: "There is no room for it now; it is tried again.",
    ended: "There was no room for it. It can be fetched again once there is.",
  },
  "in-use": {
    next: "wait",
    waits: "It is being fetched already.",
    ended: `It could not be fetched. ${SEND_AGAIN}`,
  },
  "scanner-away": {
    next: "wait",
    waits: "It waits for the virus scanner, which does not answer now.",
    ended:
      "The virus scanner did not answer, and nothing is stored unscanned. It can be fetched again once it does.",
  },
  "scanner-refused": {
    next: "give-up",
    waits: "",
    ended: "The virus scanner could not look at it, and nothing is stored unscanned.",
  },
  "too-large": {
    next: "refuse",
    waits: "",
    ended: "It is larger than what is taken here. Please send a smaller file.",
  },
  empty: {
    next: "refuse",
    waits: "",
    ended: "The file is empty. Please look at it, and send it again.",
  },
  "type-not-taken": {
    next: "refuse",
    waits: "",
    ended: "Files of this type are not taken here, whatever their names say.",
  },
  stopped: { next: "wait", waits: "It goes on in a moment.", ended: SEND_AGAIN },
  gone: { next: "forget", waits: "", ended: "" },
} as const satisfies Record<string, { next: Next; waits: string; ended: string }>;

type Next = "wait" | "retry" | "few" | "give-up" | "refuse" | "forget";
export type FaultKind = keyof typeof FAULTS;

/** Of something that has no name here: a mistake of ours, or of the database. */
export const UNKNOWN_FAULT = {
  waits: "It could not be fetched; it is tried again.",
  ended: `It could not be fetched. ${SEND_AGAIN}`,
};

export interface FaultFields {
  /** For operators, in the ledger: codes and sizes, never a path, a link, a name or content. */
  detail?: string;
  /** More exact than `ended`, where it is known. */
  ended?: string;
  /** Not before this time, in ms since the epoch. */
  untilMs?: number;
  /** A good part of the file came before it happened. */
  gotFurther?: boolean;
}

/** Why a file is not stored (yet). */
export class DownloadFault extends Error {
  override name = "DownloadFault";
  readonly kind: FaultKind;
  readonly ended: string;
  readonly untilMs: number | undefined;
  gotFurther: boolean;

  constructor(kind: FaultKind, fields: FaultFields = {}) {
    super(fields.detail === undefined ? kind : `${kind}: ${fields.detail}`);
    this.kind = kind;
    this.ended = fields.ended ?? FAULTS[kind].ended;
    this.untilMs = fields.untilMs;
    this.gotFurther = fields.gotFurther ?? false;
  }

  get waits(): string {
    return FAULTS[this.kind].waits;
  }
}

/** So long something that will pass costs no attempt. */
const PATIENT_MS = 24 * 3_600_000;
/** What a token's owner has to see first. */
const TOKEN_MS = 300_000;
const LEAST_WAIT_MS = 5_000;
const MOST_WAIT_MS = 300_000;
const FEW = 3;

/**
 * What becomes of the job. `attempts`: those spent before this one. What waits is asked again after a
 * fifth of the time that it has waited: soon at first, and every five minutes in a long outage.
 */
export function outcomeOfFault(
  fault: DownloadFault,
  job: { attempts: number; createdAt: Date },
  nowMs: number,
): Outcome {
  const error = { errorClass: fault.kind, error: fault.message };
  const ageMs = Math.max(0, nowMs - job.createdAt.getTime());
  const pause = (untilMs: number): Outcome => ({ type: "pause", untilMs, reason: fault.message });
  if (fault.kind === "stopped") return pause(nowMs);
  switch (FAULTS[fault.kind].next) {
    case "wait": {
      if (ageMs > PATIENT_MS) return { type: "retry", ...error };
      const waitMs = Math.min(MOST_WAIT_MS, Math.max(LEAST_WAIT_MS, ageMs / 5));
      return pause(fault.untilMs ?? nowMs + (fault.kind === "token-refused" ? TOKEN_MS : waitMs));
    }
    case "retry":
      // A large file over a line that breaks again and again comes all the same.
      return fault.gotFurther ? pause(nowMs) : { type: "retry", ...error };
    case "few":
      return { type: job.attempts + 1 >= FEW ? "discard" : "retry", ...error };
    case "give-up":
      return { type: "discard", ...error };
    case "refuse":
    case "forget":
      return { type: "complete" };
  }
}
