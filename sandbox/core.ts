import type { BotUpdates } from "./bot-updates.ts";
import type { Clock } from "./clock.ts";
import { Fifo } from "./fifo.ts";
import type { FileStore } from "./file-store.ts";
import type { InlineDesk } from "./inline.ts";
import type { Limits } from "./limits.ts";
import type { RateLimiter } from "./rate-limit.ts";
import type { SandboxRecord } from "./record.ts";
import type { SandboxLimits } from "./sandbox-types.ts";
import type { StoredFile, World } from "./world.ts";

/** A pressed button that waits for its bot's answer. */
export interface CallbackQuery {
  id: string;
  userId: number;
  botId: number;
  atMs: number;
}

/** What every part of the sandbox works on. One a sandbox. */
export interface Core {
  world: World;
  record: SandboxRecord;
  clock: Clock;
  /** Those for all; what is set apart for a bot or chat is asked of `limitRules`. */
  limits: SandboxLimits;
  limitRules: Limits;
  files: FileStore;
  /** As a server with `--local`: files are named by where they lie. */
  isLocal: boolean;
  /** Contents are in `files`; this is what is known of them. */
  fileIndex: Map<string, StoredFile>;
  callbacks: OpenQueries<CallbackQuery>;
  inline: InlineDesk;
  rates: RateLimiter;
  updatesOf(botId: number): BotUpdates;
  /** Something that must survive a restart has changed. */
  changed(): void;
}

/** Seconds since 1970, as the Bot API counts. */
export function unixTime(core: Core): number {
  return Math.floor(core.clock.now() / 1000);
}

/** Queries that may still be answered; the rest is forgotten from the oldest on. */
export class OpenQueries<Query extends { id: string; atMs: number }> {
  readonly #byId = new Map<string, Query>();
  readonly #order = new Fifo<Query>();

  add(query: Query, lifetimeMs: number): void {
    for (let oldest = this.#order.peek(); oldest !== undefined; oldest = this.#order.peek()) {
      if (oldest.atMs + lifetimeMs > query.atMs) break;
      this.#order.shift();
      this.#byId.delete(oldest.id);
    }
    this.#byId.set(query.id, query);
    this.#order.push(query);
  }

  get(id: string): Query | undefined {
    return this.#byId.get(id);
  }
}
