import { setTimeout as sleep } from "node:timers/promises";
import { type BotApis, ConnectorRemoved } from "../connectors/index.ts";
import { UPDATE_KINDS } from "../conversations/index.ts";
import { type Database, isOfItsData, type Logger } from "../platform/index.ts";
import {
  type Intake,
  NotAnUpdate,
  type RawUpdate,
  rewriteUpdate,
  type Taken,
  updateIdOf,
} from "../receiver/index.ts";
import { type BotApi, BotApiError } from "../telegram/index.ts";
import { FIRST_POLL, nextPoll, type PollOutcome, type PollState } from "./next-poll.ts";
import { guard, NotHeld, saveTrouble, type TakenBot } from "./poll-lease.ts";
import type { Slots } from "./slots.ts";

export interface BotPollOptions {
  db: Database;
  botApis: BotApis;
  intake: Intake;
  connectors: {
    disable(connectorId: string, reason: string): Promise<void>;
    withdrawWebhook(connectorId: string, signal?: AbortSignal): Promise<boolean>;
  };
  slots: Slots;
  log: Logger;
  /** How long Telegram may wait for the next update, in s (Bot API: getUpdates, at most 50). */
  waitS: number;
  observe: {
    polled(outcome: PollOutcome["type"]): void;
    took(taken: Taken | "passed over"): void;
  };
}

/** An answer that was waited for needs no slot, so it is small: many bots' may come at once. */
const WAITING_LIMIT = 20;
const DRAINING_LIMIT = 100;
/** Beyond what Telegram itself may take, before the request counts as lost. */
const WAITING_GRACE_MS = 10_000;
const DRAINING_TIMEOUT_MS = 10_000;
/** A server that does not wait when there is nothing is not asked without a pause. */
const LEAST_WAIT_MS = 500;
const CONFIRM_TIMEOUT_MS = 1_500;
const CALL_TIMEOUT_MS = 10_000;
/**
 * Ids go on from a random number after a week of silence: an old offset would then confirm what
 * nobody has seen. What is not confirmed comes again, and is known by its key.
 */
const OFFSET_KEPT_MS = 3_600_000;

/**
 * One bot's updates, asked for as long as its lease is held: ask, commit, and only then ask with an
 * offset beyond what was committed, which is what confirms it.
 *
 *   waiting   one long request that ends with the first few updates
 *   draining  while more wait: short requests for whole batches, each in one of the process's slots
 *
 * What could not be committed is dropped, and asked for again: nothing but a batch is ever in memory.
 * An offset is sent until a request with it was answered, and then left out ("by default, updates
 * starting with the earliest unconfirmed update are returned"): no number is kept from one life of
 * the process to the next, and none outlives Telegram's own counting.
 */
export class BotPoll {
  private readonly options: BotPollOptions;
  private readonly bot: TakenBot;
  private readonly signal: AbortSignal;
  private offset: { beyond: number; untilMs: number } | null = null;
  private more = false;
  private hasWebhook: boolean;
  private told: string | null = null;
  /** What goes wrong again and again is news once. */
  private failing = false;

  constructor(bot: TakenBot, signal: AbortSignal, options: BotPollOptions) {
    this.bot = bot;
    this.signal = signal;
    this.options = options;
    this.hasWebhook = bot.hasWebhook;
  }

  private get connectorId(): string {
    return this.bot.lease.connectorId;
  }

  /** The bot's row says that there is a webhook again: to be taken back before the next request. */
  noteWebhook(): void {
    this.hasWebhook = true;
  }

  /** Until `signal` ends it, or the bot is not ours to ask for any more. */
  async run(): Promise<void> {
    let state: PollState = FIRST_POLL;
    await this.wait(this.bot.heldMs);
    while (!this.signal.aborted) {
      const outcome = await this.poll();
      if (outcome === "over" || this.signal.aborted) return;
      this.options.observe.polled(outcome.type);
      if (outcome.type === "answered") this.failing = false;
      const next = nextPoll(state, outcome);
      state = next.state;
      await this.tell(state.trouble, outcome.type === "rate-limited" ? next.waitMs : null);
      if (next.disable) {
        await this.options.connectors.disable(
          this.connectorId,
          "Telegram refuses the bot's token.",
        );
        return;
      }
      await this.wait(next.waitMs);
    }
  }

  /** Tells Telegram what is committed, where no request has done so yet. Does not throw. */
  async confirm(): Promise<void> {
    if (this.currentOffset() === null) return;
    try {
      const api = await this.options.botApis.forConnector(this.connectorId);
      await this.ask(api, 0, 1, CONFIRM_TIMEOUT_MS);
    } catch (error) {
      const { log } = this.options;
      log.debug({ err: error, connectorId: this.connectorId }, "confirmed by the next poller");
    }
  }

  private async poll(): Promise<PollOutcome | "over"> {
    const { botApis, slots, waitS } = this.options;
    try {
      if (this.hasWebhook) return await this.withdrawWebhook();
      const api = await botApis.forConnector(this.connectorId);
      if (this.more) {
        const drain = async () => {
          const values = await this.ask(api, 0, DRAINING_LIMIT, DRAINING_TIMEOUT_MS, this.signal);
          return this.store(values, DRAINING_LIMIT);
        };
        return (await slots.run(this.signal, drain)) ?? "over";
      }
      const deadlineMs = waitS * 1_000 + WAITING_GRACE_MS;
      const askedAtMs = performance.now();
      const values = await this.ask(api, waitS, WAITING_LIMIT, deadlineMs, this.signal);
      if (values.length === 0) {
        const waitedMs = performance.now() - askedAtMs;
        await this.wait(LEAST_WAIT_MS - waitedMs);
        return { type: "answered", undisturbed: waitedMs >= LEAST_WAIT_MS };
      }
      return (await slots.run(this.signal, () => this.store(values, WAITING_LIMIT))) ?? "over";
    } catch (error) {
      // A Telegram that hangs is waited for without a slot.
      this.more = false;
      return this.outcomeOf(error);
    }
  }

  /** Bot API: getUpdates. Throws `BotApiError`. */
  private async ask(
    api: BotApi,
    timeout: number,
    limit: number,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<unknown[]> {
    const offset = this.currentOffset();
    const answer = await api.call<unknown>(
      "getUpdates",
      {
        ...(offset === null ? {} : { offset: offset.beyond }),
        limit,
        timeout,
        allowed_updates: UPDATE_KINDS,
      },
      { timeoutMs, signal },
    );
    if (!Array.isArray(answer)) throw new Error("getUpdates was answered without a list");
    if (this.offset === offset) this.offset = null;
    return answer;
  }

  private currentOffset() {
    if (this.offset !== null && this.offset.untilMs < performance.now()) this.offset = null;
    return this.offset;
  }

  private async store(values: unknown[], limit: number): Promise<PollOutcome | "over"> {
    const updates: RawUpdate[] = [];
    let last = -1;
    for (const value of values) {
      last = Math.max(last, updateIdOf(value) ?? -1);
      try {
        updates.push(rewriteUpdate(value));
      } catch (error) {
        if (!(error instanceof NotAnUpdate)) throw error;
        this.passOver(updateIdOf(value), error);
      }
    }
    // Not one of them has a number: this is no answer of Telegram's.
    if (last < 0) return { type: "failed" };
    try {
      await this.commit(updates);
    } catch (error) {
      if (error instanceof NotHeld) return "over";
      this.warn(error, "updates could not be stored now");
      this.more = false;
      return { type: "not-stored" };
    }
    this.offset = { beyond: last + 1, untilMs: performance.now() + OFFSET_KEPT_MS };
    this.more = values.length >= limit;
    return { type: "answered", undisturbed: false };
  }

  /** A poisoned update hurts only itself: what cannot be stored together is stored one by one. */
  private async commit(updates: RawUpdate[]): Promise<void> {
    const { intake, observe } = this.options;
    const { workspaceId, connectorId } = this.bot.lease;
    const owner = { workspaceId, connectorId, username: this.bot.username };
    try {
      const taken = await intake.takeInOrder(owner, updates, (tx) => guard(tx, this.bot.lease));
      for (const one of taken) observe.took(one);
    } catch (error) {
      if (!isOfItsData(error)) throw error;
      const [only, ...others] = updates;
      if (others.length === 0) this.passOver(only?.id, error);
      else for (const update of updates) await this.commit([update]);
    }
  }

  /**
   * Nothing here or later could take it, and every update behind it would wait for it. Its number is
   * not noted, so it is told as missing (connectors, `ConnectorWatch`).
   */
  private passOver(updateId: number | undefined, error: unknown): void {
    const { log, observe } = this.options;
    observe.took("passed over");
    log.error({ err: error, connectorId: this.connectorId, updateId }, "an update was passed over");
  }

  private async outcomeOf(error: unknown): Promise<PollOutcome | "over"> {
    if (this.signal.aborted || error instanceof ConnectorRemoved) return "over";
    const kind = error instanceof BotApiError ? error.kind : undefined;
    if (kind === "conflict") return this.conflict();
    this.warn(error, "a bot's updates could not be asked for");
    if (kind === "unauthorized" || kind === "not-found") return { type: "refused" };
    if (error instanceof BotApiError && kind === "rate-limited") {
      return { type: "rate-limited", retryAfterS: error.retryAfterSeconds };
    }
    return { type: "failed" };
  }

  /** Which of its two reasons a 409 has: Telegram's words may change, whether there is a webhook does not. */
  private async conflict(): Promise<PollOutcome | "over"> {
    try {
      const api = await this.options.botApis.forConnector(this.connectorId);
      const within = { timeoutMs: CALL_TIMEOUT_MS, signal: this.signal };
      const info = await api.call<{ url?: string }>("getWebhookInfo", {}, within);
      return info.url ? await this.withdrawWebhook() : { type: "second-poller" };
    } catch (error) {
      if (error instanceof BotApiError && error.kind === "conflict") return { type: "failed" };
      return this.outcomeOf(error);
    }
  }

  private async withdrawWebhook(): Promise<PollOutcome> {
    const { connectors, log } = this.options;
    const withdrawn = await connectors.withdrawWebhook(this.connectorId, this.signal);
    if (withdrawn) {
      this.hasWebhook = false;
      log.info({ connectorId: this.connectorId }, "a webhook was taken back; what waits is kept");
    }
    return { type: "webhook", withdrawn };
  }

  private warn(error: unknown, message: string): void {
    const { log } = this.options;
    const fields = { err: error, connectorId: this.connectorId };
    if (this.failing) log.debug(fields, message);
    else log.warn(fields, message);
    this.failing = true;
  }

  private async tell(trouble: string | null, heldMs: number | null): Promise<void> {
    if (trouble === this.told && heldMs === null) return;
    const { db, log } = this.options;
    const { connectorId } = this;
    try {
      await saveTrouble(db, this.bot.lease, trouble, heldMs);
    } catch (error) {
      log.debug({ err: error, connectorId }, "a bot's trouble could not be written down");
      return;
    }
    if (trouble !== this.told) {
      if (trouble === null) log.info({ connectorId }, "a bot's updates come again");
      else log.warn({ connectorId, trouble }, "a bot's updates may not come");
    }
    this.told = trouble;
  }

  private async wait(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, undefined, { signal: this.signal }).catch(() => {});
  }
}
