import type { Clock } from "./clock.ts";
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

export interface DeliveryHooks {
  /** After each try; `attempt` is 1 for an update's first. */
  delivered(entry: PendingUpdate, attempt: number, result: PostResult, durationMs: number): void;
  /** A 2xx answer whose JSON body names a method. */
  answeredWithCall(method: string, params: Record<string, unknown>): void;
  /** The receiver said 410 and nothing else for 23 hours. */
  gone(): void;
}

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
  readonly #timeoutMs: number;
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
    timeoutMs: number;
    hooks: DeliveryHooks;
  }) {
    this.#settings = options.settings;
    this.#pending = options.pending;
    this.#clock = options.clock;
    this.#agent = options.agent;
    this.#timeoutMs = options.timeoutMs;
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

  /** A busy queue is in the ready list, in flight or waiting; so it is never in two places. */
  #makeReady(queue: Queue): void {
    queue.busy = true;
    this.#ready.push(queue);
  }

  #pump(): void {
    if (this.#stopped) return;
    this.#pending.expire(this.#clock.now());
    while (this.#inFlight < this.#settings.maxConnections) {
      const queue = this.#ready.shift();
      if (queue === undefined) return;
      while (queue.waiting.peek()?.done) {
        queue.waiting.shift();
        queue.failures = 0;
      }
      const head = queue.waiting.peek();
      if (head === undefined) {
        this.#queues.delete(queue.key);
        continue;
      }
      this.#inFlight++;
      void this.#deliver(queue, head);
    }
  }

  async #deliver(queue: Queue, head: PendingUpdate): Promise<void> {
    const attempt = ++head.attempts;
    const startedMs = performance.now();
    const post = postUpdate({
      url: this.#settings.url,
      secretToken: this.#settings.secretToken,
      body: JSON.stringify(head.update),
      agent: this.#agent,
      clock: this.#clock,
      timeoutMs: this.#timeoutMs,
    });
    this.#posts.add(post);
    const result = await post.result;
    this.#posts.delete(post);
    this.#inFlight--;
    if (this.#stopped) return;
    const succeeded = result.status >= 200 && result.status <= 299;
    this.#hooks.delivered(head, attempt, result, performance.now() - startedMs);
    if (succeeded) {
      this.#goneSinceMs = undefined;
      this.#pending.confirm(head);
      queue.waiting.shift();
      queue.failures = 0;
      if (result.call !== undefined)
        this.#hooks.answeredWithCall(result.call.method, result.call.params);
      this.#ready.push(queue);
    } else {
      if (this.#isGone(result.status)) {
        this.#hooks.gone();
        return;
      }
      this.#retryLater(queue, result);
    }
    this.#pump();
  }

  #retryLater(queue: Queue, result: PostResult): void {
    queue.failures++;
    const delayMs = redeliveryDelayMs(
      queue.failures,
      retryAfterSeconds(result.retryAfter),
      Math.random(),
    );
    if (delayMs === 0) {
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
