import { Fifo } from "./fifo.ts";
import type { TelegramMessage } from "./telegram-objects.ts";

/** A call of a bot, as it was answered. File contents stand as name and size, tokens not at all. */
export interface CallEntry {
  seq: number;
  /** When it was done, or would have been. */
  at: number;
  kind: "call";
  /** Undefined when the token was nobody's. */
  botId?: number;
  method: string;
  params: Record<string, unknown>;
  /** Parameters that the Bot API does not know; Telegram ignores them, and so does the sandbox. */
  unknownParams?: string[];
  /** HTTP status; 0 when the caller never got an answer (hang, reset). */
  status: number;
  ok: boolean;
  /** What was asked for was done (an album: some of it); with a fault, whatever the caller was told. */
  tookEffect: boolean;
  /** From the last byte of the request to the answer's being ready. */
  durationMs: number;
  result?: unknown;
  description?: string;
  parameters?: { retry_after?: number; migrate_to_chat_id?: number };
  /** The fault that struck, if one did. */
  fault?: string;
  /** Came in while an earlier 429's hold was still running. */
  violation?: true;
}

/** One try to deliver one update to a webhook, or its handing out by getUpdates. */
export interface DeliveryEntry {
  seq: number;
  at: number;
  kind: "delivery";
  botId: number;
  updateId: number;
  updateKind: string;
  via: "webhook" | "getUpdates";
  /** Chat, user or poll whose updates come one after the other. */
  queue: string;
  /** 1 for the first. */
  attempt: number;
  /** HTTP status; 0 when there was none (refused, reset, timed out). */
  status: number;
  error?: string;
  durationMs: number;
  /** The fault that struck, if one did. */
  fault?: string;
  /** What the receiver answered, where the fault kept that from arriving. */
  answered?: number;
}

/** An update that came to be, whatever becomes of it. */
export interface UpdateEntry {
  seq: number;
  at: number;
  kind: "update";
  botId: number;
  updateId: number;
  updateKind: string;
  queue: string;
  expiresAtMs: number;
  /** Where it happened and who did it, where its kind says so. */
  chatId?: number;
  messageId?: number;
  userId?: number;
}

/** A message that appeared, changed or went, or what people showed of it: reactions, votes. */
export interface MessageEntry {
  seq: number;
  at: number;
  kind: "message";
  what: "new" | "edited" | "deleted" | "reacted" | "voted";
  chatId: number;
  /** The bot of a private chat. */
  botId?: number;
  /** Whose account it is in, of a chat between two people. */
  businessUserId?: number;
  message: TelegramMessage;
}

/** Anything else that a chat page or a test wants to hear of. */
export interface OtherEntry {
  seq: number;
  at: number;
  kind:
    | "callbackAnswer"
    | "inlineAnswer"
    | "chatAction"
    | "changed"
    | "expired"
    | "dropped"
    | "fault"
    | "webhookRemoved";
  [detail: string]: unknown;
}

export type RecordEntry = CallEntry | DeliveryEntry | UpdateEntry | MessageEntry | OtherEntry;

type WithoutHead<Entry> = Entry extends unknown ? Omit<Entry, "seq" | "at"> : never;
export type NewEntry =
  | WithoutHead<CallEntry | DeliveryEntry | UpdateEntry | MessageEntry>
  | NewOther;
interface NewOther {
  kind: OtherEntry["kind"];
  [detail: string]: unknown;
}

/** What happened, to assert on. Lists are copies, oldest first, of what is still kept. */
export interface RecordView {
  readonly entries: RecordEntry[];
  readonly calls: CallEntry[];
  readonly deliveries: DeliveryEntry[];
  readonly updates: UpdateEntry[];
  /** Calls answered 429. */
  readonly limited: CallEntry[];
  /** Calls made during a hold. */
  readonly violations: CallEntry[];
  /** Calls of one method, perhaps of one bot. */
  callsOf(method: string, botId?: number): CallEntry[];
  /** Entries after `seq`, at most `limit`. */
  after(seq: number, limit?: number): RecordEntry[];
  /** Sequence number of the newest entry; 0 when there was none. */
  readonly lastSeq: number;
  /** Sequence number of the oldest entry still kept; `lastSeq + 1` when none is. */
  readonly firstSeq: number;
  /** How many of each kind there ever were, also those no longer kept. */
  readonly counts: Readonly<Record<RecordEntry["kind"], number>>;
}

export class SandboxRecord implements RecordView {
  readonly #entries = new Fifo<RecordEntry>();
  readonly #limit: number;
  readonly #now: () => number;
  readonly #listeners = new Set<(entry: RecordEntry) => void>();
  #lastSeq = 0;
  readonly counts: Record<RecordEntry["kind"], number> = {
    call: 0,
    delivery: 0,
    update: 0,
    message: 0,
    callbackAnswer: 0,
    inlineAnswer: 0,
    chatAction: 0,
    changed: 0,
    expired: 0,
    dropped: 0,
    fault: 0,
    webhookRemoved: 0,
  };

  constructor(limit: number, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  add(entry: NewEntry): void {
    const complete = { seq: ++this.#lastSeq, at: this.#now(), ...entry } as RecordEntry;
    this.counts[complete.kind] += 1;
    this.#entries.push(complete);
    if (this.#entries.size > this.#limit) this.#entries.shift();
    for (const listener of this.#listeners) listener(complete);
  }

  /** Hears of each entry as it is added; the function given back stops that. */
  listen(listener: (entry: RecordEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get firstSeq(): number {
    return this.#lastSeq - this.#entries.size + 1;
  }

  get entries(): RecordEntry[] {
    return this.#entries.slice(0);
  }

  get calls(): CallEntry[] {
    return this.entries.filter((entry): entry is CallEntry => entry.kind === "call");
  }

  get deliveries(): DeliveryEntry[] {
    return this.entries.filter((entry): entry is DeliveryEntry => entry.kind === "delivery");
  }

  get updates(): UpdateEntry[] {
    return this.entries.filter((entry): entry is UpdateEntry => entry.kind === "update");
  }

  get limited(): CallEntry[] {
    return this.calls.filter((call) => call.status === 429);
  }

  get violations(): CallEntry[] {
    return this.calls.filter((call) => call.violation === true);
  }

  callsOf(method: string, botId?: number): CallEntry[] {
    return this.calls.filter(
      (call) => call.method === method && (botId === undefined || call.botId === botId),
    );
  }

  after(seq: number, limit = Number.POSITIVE_INFINITY): RecordEntry[] {
    return this.#entries.slice(Math.max(0, seq + 1 - this.firstSeq), limit);
  }

  /**
   * Resolves when `predicate` holds. Looked at once now, and again after what was added in one
   * turn of the event loop, so that a thousand entries at once cost one look.
   */
  waitFor(predicate: (record: RecordView) => boolean, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let looking = false;
      const stop = this.listen(() => {
        if (looking) return;
        looking = true;
        setImmediate(look);
      });
      const timer = setTimeout(() => {
        stop();
        reject(
          new Error(`sandbox: still waiting after ${timeoutMs} ms for: ${predicate.toString()}`),
        );
      }, timeoutMs);
      const end = () => {
        clearTimeout(timer);
        stop();
      };
      const look = () => {
        looking = false;
        try {
          if (!predicate(this)) return;
          end();
          resolve();
        } catch (error) {
          end();
          reject(error);
        }
      };
      look();
    });
  }
}
