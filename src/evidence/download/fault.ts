import type { Outcome } from "../../jobs/index.ts";
import type { FileFault } from "./file-fault.ts";

/**
 * What keeps a file from being stored, and what is done about it. Whoever reads about the file is told
 * what happened: `waits` while it is tried again; what is said when it is not is in `texts.ts`.
 *
 * next  wait      nobody's fault, and it will pass: no attempt is spent; for a day, then as `retry`
 *       retry     an attempt that failed; the queue's backoff
 *       few       the same, but three of them are enough
 *       give-up   a dead letter: nothing changes by itself, an operator may retry it
 *       refuse    a rule of the workspace's: the job has done what it was to do
 *       forget    there is nothing to do any more
 */
export const FAULTS = {
  "rate-limited": { next: "wait", waits: "Telegram has asked to wait." },
  "telegram-away": { next: "wait", waits: "Telegram cannot be reached now; it is tried again." },
  "token-refused": {
    next: "wait",
    waits: "Telegram refuses the bot's token; it is tried again once the bot has a new one.",
  },
  "connector-removed": { next: "give-up", waits: "" },
  "broken-off": { next: "retry", waits: "The connection broke off; it goes on from there." },
  changed: {
    next: "few",
    waits: "Telegram gave another size than it had said; it is fetched anew.",
  },
  "not-there": { next: "few", waits: "Telegram does not have the file now; it is asked again." },
  "too-large-for-bots": { next: "give-up", waits: "" },
  unreadable: {
    next: "wait",
    waits: "The file lies at the Bot API server, where it cannot be read; it is tried again.",
  },
  "store-away": { next: "wait", waits: "The store cannot take it now; it is tried again." },
  "disk-full": { next: "wait", waits: "There is no room for it now; it is tried again." },
  "in-use": { next: "wait", waits: "It is being fetched already." },
  "scanner-away": {
    next: "wait",
    waits: "It waits for the virus scanner, which does not answer now.",
  },
  "scanner-refused": { next: "give-up", waits: "" },
  "too-large": { next: "refuse", waits: "" },
  empty: { next: "refuse", waits: "" },
  "type-not-taken": { next: "refuse", waits: "" },
  stopped: { next: "wait", waits: "It goes on in a moment." },
  gone: { next: "forget", waits: "" },
} as const satisfies Record<string, { next: Next; waits: string }>;

type Next = "wait" | "retry" | "few" | "give-up" | "refuse" | "forget";
export type FaultKind = keyof typeof FAULTS;

/** Of something that has no name here: a mistake of ours, or of the database. */
export const UNKNOWN_WAITS = "It could not be fetched; it is tried again.";

export interface FaultFields {
  /** For operators, in the ledger: codes and sizes, never a path, a link, a name or content. */
  detail?: string;
  /** What whoever sent it is told beside the kind: `FileFault`. */
  about?: string | number;
  /** Not before this time, in ms since the epoch. */
  untilMs?: number;
  /** A good part of the file came before it happened. */
  gotFurther?: boolean;
}

/** Why a file is not stored (yet). */
export class DownloadFault extends Error {
  override name = "DownloadFault";
  readonly kind: FaultKind;
  /** What is kept of it, and told, where it is the end. */
  readonly ending: FileFault;
  readonly untilMs: number | undefined;
  gotFurther: boolean;

  constructor(kind: FaultKind, fields: FaultFields = {}) {
    super(fields.detail === undefined ? kind : `${kind}: ${fields.detail}`);
    this.kind = kind;
    const { about } = fields;
    this.ending = about === undefined ? { kind } : { kind, about };
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
