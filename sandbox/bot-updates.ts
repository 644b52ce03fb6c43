import type { Clock } from "./clock.ts";
import { BotApiRefusal } from "./errors.ts";
import type { DeliveryFaultAnswer, Strike } from "./faults.ts";
import { type PendingUpdate, PendingUpdates } from "./pending-updates.ts";
import type { SandboxRecord } from "./record.ts";
import type { TelegramUpdate } from "./telegram-objects.ts";
import { aboutUpdate, isAllowed, kindOf } from "./update-kinds.ts";
import { WebhookDelivery, type WebhookSettings } from "./webhook-delivery.ts";
import type { WebhookAgent } from "./webhook-request.ts";
import { type Bot, firstUpdateId } from "./world.ts";

/** After this long without an update, ids go on from a random one (Bot API: Update.update_id). */
const silenceMs = 7 * 24 * 60 * 60 * 1000;

interface Poll {
  limit: number;
  finish(updates: TelegramUpdate[] | BotApiRefusal): void;
}

/** What updates need from the rest of the sandbox. */
export interface UpdateContext {
  clock: Clock;
  record: SandboxRecord;
  agent: WebhookAgent;
  webhookTimeoutMs(): number;
  /** The fault that this try to deliver meets, if any. */
  strike(entry: PendingUpdate, hasNext: boolean): Strike<DeliveryFaultAnswer> | undefined;
  /** Whether an outage holds this bot's deliveries back. */
  isCutOff(botId: number): boolean;
  /** Something that must survive a restart has changed. */
  changed(): void;
  /** Runs the call that a webhook's answer asked for; its result is lost, as Telegram's is. */
  runCall(bot: Bot, method: string, params: Record<string, unknown>): void;
}

/**
 * One bot's way of hearing things: updates get their ids here and wait, and leave by webhook or by
 * getUpdates, never by both (409).
 */
export class BotUpdates {
  readonly pending: PendingUpdates;
  readonly #bot: Bot;
  readonly #context: UpdateContext;
  #delivery: WebhookDelivery | undefined;
  #poll: Poll | undefined;

  constructor(bot: Bot, context: UpdateContext) {
    this.#bot = bot;
    this.#context = context;
    this.pending = new PendingUpdates((entry) =>
      context.record.add({
        kind: "expired",
        botId: bot.id,
        updateId: entry.id,
        updateKind: entry.kind,
      }),
    );
  }

  /** Gives the update an id and queues it; undefined when the bot did not ask for its kind. */
  push(update: Record<string, unknown>): number | undefined {
    if (!isAllowed(kindOf(update), this.#bot.allowedUpdates)) return undefined;
    const nowMs = this.#context.clock.now();
    const { lastUpdateAtMs = nowMs } = this.#bot;
    if (nowMs - lastUpdateAtMs > silenceMs) this.#bot.nextUpdateId = firstUpdateId();
    this.#bot.lastUpdateAtMs = nowMs;
    const updateId = this.#bot.nextUpdateId++;
    const entry = this.pending.add({ update_id: updateId, ...update }, nowMs);
    this.#context.changed();
    this.#context.record.add({
      kind: "update",
      botId: this.#bot.id,
      updateId,
      updateKind: entry.kind,
      queue: entry.queue,
      expiresAtMs: entry.expiresAtMs,
      ...aboutUpdate(entry.update),
    });
    if (this.#delivery !== undefined) this.#delivery.enqueue(entry);
    else if (this.#poll !== undefined) this.#answerPoll(this.#poll);
    return updateId;
  }

  pendingCount(): number {
    this.pending.expire(this.#context.clock.now());
    return this.pending.size;
  }

  dropPending(): void {
    if (this.pending.size > 0)
      this.#context.record.add({
        kind: "dropped",
        botId: this.#bot.id,
        updateIds: [...this.pending.values()].map(({ id }) => id),
      });
    this.pending.clear();
    this.#context.changed();
  }

  /** Delivers to this webhook from now on, what already waits first. */
  startWebhook(settings: WebhookSettings): void {
    this.#endPoll(new BotApiRefusal(409, "Conflict: terminated by setWebhook request"));
    this.#delivery?.stop();
    const { clock, record, agent } = this.#context;
    this.#delivery = new WebhookDelivery({
      settings,
      pending: this.pending,
      clock,
      agent,
      hooks: {
        timeoutMs: this.#context.webhookTimeoutMs,
        strike: this.#context.strike,
        isCutOff: () => this.#context.isCutOff(this.#bot.id),
        delivered: ({ entry, attempt, result, durationMs, fault, answered, isCurrent }) => {
          if (result.error !== undefined && isCurrent) {
            this.#bot.lastErrorAt = Math.floor(clock.now() / 1000);
            this.#bot.lastErrorMessage = result.error;
          }
          if (result.address !== undefined) this.#bot.webhookAddress = result.address;
          this.#context.changed();
          record.add({
            kind: "delivery",
            botId: this.#bot.id,
            updateId: entry.id,
            updateKind: entry.kind,
            queue: entry.queue,
            via: "webhook",
            attempt,
            status: result.status,
            ...(result.error !== undefined && { error: result.error }),
            ...(fault !== undefined && { fault }),
            ...(answered !== undefined && { answered }),
            durationMs: Math.round(durationMs * 10) / 10,
          });
        },
        answeredWithCall: (method, params) => this.#context.runCall(this.#bot, method, params),
        gone: () => {
          this.#bot.webhook = null;
          this.stopWebhook();
          this.#context.changed();
          record.add({ kind: "webhookRemoved", botId: this.#bot.id, why: "410 for 23 hours" });
        },
      },
    });
  }

  /** Delivers what an outage held back. */
  resume(): void {
    this.#delivery?.resume();
  }

  stopWebhook(): void {
    this.#delivery?.stop();
    this.#delivery = undefined;
  }

  /**
   * Bot API: getUpdates. Confirms everything below `offset`; a negative one forgets all but the
   * last so many. A second poller ends the first with 409, as Telegram does.
   */
  async poll(request: {
    offset: number | undefined;
    limit: number;
    timeoutS: number;
    /** Called with what gives the poll up when the caller has gone. */
    onStart(giveUp: () => void): void;
  }): Promise<TelegramUpdate[]> {
    if (this.#bot.webhook !== null)
      throw new BotApiRefusal(
        409,
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
      );
    this.#endPoll(
      new BotApiRefusal(
        409,
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
      ),
    );
    this.pending.expire(this.#context.clock.now());
    const { offset } = request;
    if (offset !== undefined && offset !== 0) {
      if (offset > 0) this.pending.confirmBefore(offset);
      else this.#keepLast(-offset);
      this.#context.changed();
    }
    if (this.pending.size > 0 || request.timeoutS === 0) return this.#handOut(request.limit);
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#context.clock.schedule(request.timeoutS * 1000, () =>
        this.#endPoll([]),
      );
      const poll: Poll = {
        limit: request.limit,
        finish(outcome) {
          cancelTimer();
          if (outcome instanceof BotApiRefusal) reject(outcome);
          else resolve(outcome);
        },
      };
      this.#poll = poll;
      request.onStart(() => {
        if (this.#poll === poll) this.#endPoll([]);
      });
    });
  }

  stop(): void {
    this.stopWebhook();
    this.#endPoll([]);
  }

  #keepLast(count: number): void {
    let tooMany = this.pending.size - count;
    for (const entry of this.pending.values()) {
      if (tooMany-- <= 0) break;
      this.pending.confirm(entry);
    }
  }

  #answerPoll(poll: Poll): void {
    this.#poll = undefined;
    poll.finish(this.#handOut(poll.limit));
  }

  #endPoll(outcome: TelegramUpdate[] | BotApiRefusal): void {
    const poll = this.#poll;
    this.#poll = undefined;
    poll?.finish(outcome);
  }

  #handOut(limit: number): TelegramUpdate[] {
    return this.pending.first(limit).map((entry) => {
      entry.attempts++;
      this.#context.record.add({
        kind: "delivery",
        botId: this.#bot.id,
        updateId: entry.id,
        updateKind: entry.kind,
        queue: entry.queue,
        via: "getUpdates",
        attempt: entry.attempts,
        status: 200,
        durationMs: 0,
      });
      return entry.update;
    });
  }
}
