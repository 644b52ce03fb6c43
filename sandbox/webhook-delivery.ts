import type { Clock } from "./clock.ts";
import type { DeliveryFaultAnswer, Strike } from "./faults.ts";
import { Fifo } from "./fifo.ts";
import type { PendingUpdate, PendingUpdates } from "./pending-updates.ts";
import { redeliveryDelayMs, retryAfterSeconds } from "./redelivery.ts";
import { type Post, type PostResult, postUpdate, type WebhookAgent } from "./webhook-request.ts";

/** A webhook as its bot set it. */
export interface WebhookSettings {
  url: string;
  secretToken?: string;
  maxConnections: number;
}

/** One try, as it went. */
export interface DeliveryTry {
  entry: PendingUpdate;
  /** 1 for the update's first. */
  attempt: number;
  result: PostResult;
  durationMs: number;
  fault?: string;
  /** What the receiver answered, where the fault kept that from arriving. */
  answered?: number;
  /** False when the webhook was set anew or taken away meanwhile. */
  isCurrent: boolean;
}

export interface DeliveryHooks {
  /** After each try. */
  delivered(made: DeliveryTry): void;
  /** A 2xx answer whose JSON body names a method. */
  answeredWithCall(method: string, params: Record<string, unknown>): void;
  /** The receiver said 410 and nothing else for 23 hours. */
  gone(): void;
  /** The fault that this try meets, if any; `hasNext`: another update waits behind it. */
  strike(entry: PendingUpdate, hasNext: boolean): Strike<DeliveryFaultAnswer> | undefined;
  /** Whether an outage holds everything back. */
  isCutOff(): boolean;
  /** A request without an answer is a failure after this time. */
  timeoutMs(): number;
}

const connectionReset: PostResult = { status: 0, error: "Connection reset by peer" };

const goneAfterMs = 23 * 60 * 60 * 1000;

/** An internal queue: its head is either ready, in flight, or waits to be tried again. */
interface Queue {
  key: string;
  waiting: Fifo<PendingUpdate>;
  busy: boolean;
  failures: number;
}

/**
 * Delivers one bot's updates to its webhook. Queues take turns; one update of a queue is in flight
 * at a time, and at most `maxConnections` of the bot. A queue whose head failed waits for that head
 * alone: a message that never gets its 200 holds its chat until it expires, and nobody else.
 * Each step costs the same however many updates wait.
 */
export class WebhookDelivery {
  readonly #settings: WebhookSettings;
  readonly #pending: PendingUpdates;
  readonly #clock: Clock;
  readonly #agent: WebhookAgent;
  readonly #hooks: DeliveryHooks;
  readonly #queues = new Map<string, Queue>();
  readonly #ready = new Fifo<Queue>();
  readonly #timers = new Set<() => void>();
  readonly #posts = new Set<Post>();
  #inFlight = 0;
  #stopped = false;
  #goneSinceMs: number | undefined;

  constructor(options: {
    settings: WebhookSettings;
    pending: PendingUpdates;
    clock: Clock;
    agent: WebhookAgent;
    hooks: DeliveryHooks;
  }) {
    this.#settings = options.settings;
    this.#pending = options.pending;
    this.#clock = options.clock;
    this.#agent = options.agent;
    this.#hooks = options.hooks;
    for (const entry of this.#pending.values()) this.enqueue(entry);
  }

  enqueue(entry: PendingUpdate): void {
    let queue = this.#queues.get(entry.queue);
    if (queue === undefined) {
      queue = { key: entry.queue, waiting: new Fifo(), busy: false, failures: 0 };
      this.#queues.set(entry.queue, queue);
    }
    queue.waiting.push(entry);
    if (!queue.busy) this.#makeReady(queue);
    this.#pump();
  }

  /** Nothing is sent from now on; what is in flight is cut off and counts as not delivered. */
  stop(): void {
    this.#stopped = true;
    for (const post of this.#posts) post.cancel();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  /** An outage is over: everything that was held back goes at once. */
  resume(): void {
    this.#pump();
  }

  /** A busy queue is in the ready list, in flight or waiting; so it is never in two places. */
  #makeReady(queue: Queue): void {
    queue.busy = true;
    this.#ready.push(queue);
  }

  #pump(): void {
    if (this.#stopped || this.#hooks.isCutOff()) return;
    this.#pending.expire(this.#clock.now());
    while (this.#inFlight < this.#settings.maxConnections) {
      const queue = this.#ready.shift();
      if (queue === undefined) return;
      const first = headOf(queue);
      if (first === undefined) {
        this.#queues.delete(queue.key);
        continue;
      }
      const next = queue.waiting.peekSecond();
      const strike = this.#hooks.strike(first, next !== undefined && !next.done);
      if (strike?.answer === "out-of-order") queue.waiting.swapFirstTwo();
      this.#inFlight++;
      void this.#deliver(queue, queue.waiting.peek() ?? first, strike);
    }
  }

  async #deliver(
    queue: Queue,
    head: PendingUpdate,
    strike: Strike<DeliveryFaultAnswer> | undefined,
  ): Promise<void> {
    if (strike !== undefined && strike.latencyMs > 0) await this.#wait(strike.latencyMs);
    if (this.#stopped) return;
    const tries = [this.#try(head, strike)];
    if (strike?.answer === "duplicate") tries.push(this.#try(head, strike));
    const results = await Promise.all(tries);
    this.#inFlight--;
    if (this.#stopped) return;
    const result = results.find(isSuccess) ?? results[0] ?? connectionReset;
    if (isSuccess(result)) {
      this.#goneSinceMs = undefined;
      this.#pending.confirm(head);
      queue.waiting.shift();
      queue.failures = 0;
      for (const { call } of results)
        if (call !== undefined) this.#hooks.answeredWithCall(call.method, call.params);
      this.#ready.push(queue);
    } else {
      if (this.#isGone(result.status)) {
        this.#hooks.gone();
        return;
      }
      this.#retryLater(queue, head, result);
    }
    this.#pump();
  }

  /** Posts the update once, tells of it, and gives what Telegram gets to see of it. */
  async #try(
    entry: PendingUpdate,
    strike: Strike<DeliveryFaultAnswer> | undefined,
  ): Promise<PostResult> {
    const attempt = ++entry.attempts;
    const startedMs = performance.now();
    const arrived = strike?.answer === "reset-before-effect" ? undefined : await this.#post(entry);
    const isLost = arrived === undefined || strike?.answer === "reset-after-effect";
    const result = isLost ? connectionReset : arrived;
    this.#hooks.delivered({
      entry,
      attempt,
      result,
      durationMs: performance.now() - startedMs,
      ...(strike !== undefined && { fault: strike.label }),
      ...(isLost && arrived !== undefined && { answered: arrived.status }),
      isCurrent: !this.#stopped,
    });
    return result;
  }

  async #post(entry: PendingUpdate): Promise<PostResult> {
    const post = postUpdate({
      url: this.#settings.url,
      secretToken: this.#settings.secretToken,
      body: JSON.stringify(entry.update),
      agent: this.#agent,
      clock: this.#clock,
      timeoutMs: this.#hooks.timeoutMs(),
    });
    this.#posts.add(post);
    const result = await post.result;
    this.#posts.delete(post);
    return result;
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.schedule(delayMs, () => {
        this.#timers.delete(cancel);
        resolve();
      });
      this.#timers.add(cancel);
    });
  }

  #retryLater(queue: Queue, head: PendingUpdate, result: PostResult): void {
    queue.failures++;
    const delayMs = redeliveryDelayMs(
      queue.failures,
      retryAfterSeconds(result.retryAfter),
      Math.random(),
    );
    if (this.#clock.now() + delayMs > head.expiresAtMs) this.#pending.giveUp(head);
    if (delayMs === 0 || head.done) {
      this.#ready.push(queue);
      return;
    }
    const cancel = this.#clock.schedule(delayMs, () => {
      this.#timers.delete(cancel);
      this.#ready.push(queue);
      this.#pump();
    });
    this.#timers.add(cancel);
  }

  #isGone(status: number): boolean {
    if (status !== 410) {
      this.#goneSinceMs = undefined;
      return false;
    }
    this.#goneSinceMs ??= this.#clock.now();
    return this.#clock.now() - this.#goneSinceMs >= goneAfterMs;
  }
}

/** The first update that still waits, after letting go of those that do not. */
function headOf(queue: Queue): PendingUpdate | undefined {
  while (queue.waiting.peek()?.done) {
    queue.waiting.shift();
    queue.failures = 0;
  }
  return queue.waiting.peek();
}

function isSuccess({ status }: PostResult): boolean {
  return status >= 200 && status <= 299;
}
