import { Fifo } from "./fifo.ts";
import type { TelegramUpdate } from "./telegram-objects.ts";
import { kindOf, lifetimeMs, queueOf } from "./update-kinds.ts";

/** An update that its bot has not confirmed. */
export interface PendingUpdate {
  id: number;
  kind: string;
  queue: string;
  update: TelegramUpdate;
  expiresAtMs: number;
  /** Deliveries begun. */
  attempts: number;
  /** Confirmed, expired or dropped: whoever still holds it lets it go. */
  done: boolean;
}

/**
 * One bot's updates, in the order of their ids. Nothing here looks at every waiting update:
 * lifetimes are few and constant, so each has a list of its own that expires from the front.
 */
export class PendingUpdates {
  readonly #byId = new Map<number, PendingUpdate>();
  readonly #byLifetime = new Map<number, Fifo<PendingUpdate>>();
  readonly #onExpired: (entry: PendingUpdate) => void;

  constructor(onExpired: (entry: PendingUpdate) => void) {
    this.#onExpired = onExpired;
  }

  add(update: TelegramUpdate, nowMs: number, expiresAtMs?: number): PendingUpdate {
    const kind = kindOf(update);
    const lifetime = lifetimeMs(kind);
    const entry: PendingUpdate = {
      id: update.update_id,
      kind,
      queue: queueOf(update),
      update,
      expiresAtMs: expiresAtMs ?? nowMs + lifetime,
      attempts: 0,
      done: false,
    };
    this.#byId.set(entry.id, entry);
    let list = this.#byLifetime.get(lifetime);
    if (list === undefined) {
      list = new Fifo();
      this.#byLifetime.set(lifetime, list);
    }
    list.push(entry);
    return entry;
  }

  confirm(entry: PendingUpdate): void {
    if (entry.done) return;
    entry.done = true;
    this.#byId.delete(entry.id);
    this.#trim(lifetimeMs(entry.kind));
  }

  /** Gives up on one before its time: its next try would come too late. */
  giveUp(entry: PendingUpdate): void {
    if (entry.done) return;
    this.confirm(entry);
    this.#onExpired(entry);
  }

  /** Confirms all with ids below `offset` (Bot API: getUpdates). */
  confirmBefore(offset: number): void {
    for (const entry of this.#byId.values()) {
      if (entry.id >= offset) break;
      this.confirm(entry);
    }
  }

  clear(): void {
    for (const entry of this.#byId.values()) entry.done = true;
    this.#byId.clear();
    this.#byLifetime.clear();
  }

  /** Drops what has outlived itself. */
  expire(nowMs: number): void {
    for (const list of this.#byLifetime.values()) {
      for (let entry = list.peek(); entry !== undefined; entry = list.peek()) {
        if (!entry.done && entry.expiresAtMs > nowMs) break;
        list.shift();
        if (entry.done) continue;
        entry.done = true;
        this.#byId.delete(entry.id);
        this.#onExpired(entry);
      }
    }
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Oldest first. */
  values(): Iterable<PendingUpdate> {
    return this.#byId.values();
  }

  first(limit: number): PendingUpdate[] {
    const found: PendingUpdate[] = [];
    for (const entry of this.#byId.values()) {
      if (found.length >= limit) break;
      found.push(entry);
    }
    return found;
  }

  /**
   * Lets go of what is confirmed: at the front at once, behind an update that never gets its 200
   * when it is the larger half, so that one stuck message does not keep a day's worth in memory.
   */
  #trim(lifetime: number): void {
    const list = this.#byLifetime.get(lifetime);
    if (list === undefined) return;
    while (list.peek()?.done) list.shift();
    if (list.size < 1024 || list.size < 2 * this.#byId.size) return;
    const kept = new Fifo<PendingUpdate>();
    for (const entry of list.slice(0)) if (!entry.done) kept.push(entry);
    this.#byLifetime.set(lifetime, kept);
  }
}
