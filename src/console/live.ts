import { History } from "./history.ts";
import type { QueueView } from "./queues.ts";

/**
 * What the open pages see, looked at once a process however many pages are open: while anybody
 * listens to a topic, its source is asked every few seconds and the answer goes to all of them.
 * When nobody listens, nothing is asked.
 *
 * Every event is a whole picture, so that one that is missed does not matter.
 */
export type Topic = "queues" | "processes" | "bots";

/** One picture of a topic. Rejects when the database cannot be asked. */
export interface Sources {
  queues(): Promise<QueueView[]>;
  processes(): Promise<object>;
  bots(): Promise<object>;
}

export type Listener = (event: Topic | "history" | "trouble", data: unknown) => void;

export interface LiveOptions {
  sources: Sources;
  /** Between two looks. Default 2 000. */
  everyMs?: number;
  /** A look that takes longer is told as trouble; the next one waits for its end. Default 5 000. */
  deadlineMs?: number;
}

/**
 * A look that takes long, on a large or a struggling database, is taken less often: at most this
 * part of the time goes into looking.
 */
const SHARE_OF_TIME = 0.2;
const TROUBLE =
  "The database does not answer. What you see is from before; this page goes on trying.";

export class Live {
  private readonly options: LiveOptions;
  private readonly listeners = new Map<Listener, Topic>();
  private readonly pictures = new Map<Topic, { data: unknown; atMs: number }>();
  private readonly history = new History();
  private timer: NodeJS.Timeout | undefined;
  private looking = false;
  private troubled = false;

  constructor(options: LiveOptions) {
    this.options = options;
  }

  get listening(): number {
    return this.listeners.size;
  }

  /** Tells `listener` what is known now and all that comes; answers how to end that. */
  listen(topic: Topic, listener: Listener): () => void {
    this.listeners.set(listener, topic);
    if (topic === "queues") listener("history", this.history.columns(Date.now()));
    const picture = this.pictures.get(topic);
    if (picture !== undefined && Date.now() - picture.atMs < 2 * this.everyMs) {
      listener(topic, picture.data);
      this.schedule(this.everyMs);
    } else {
      this.lookSoon();
    }
    if (this.troubled) listener("trouble", { message: TROUBLE });
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      clearTimeout(this.timer);
      this.timer = undefined;
      this.troubled = false;
    };
  }

  /** Looks at once, because something was changed here that people wait to see. */
  lookSoon(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.schedule(0);
  }

  close(): void {
    this.listeners.clear();
    clearTimeout(this.timer);
  }

  private get everyMs(): number {
    return this.options.everyMs ?? 2_000;
  }

  private schedule(afterMs: number): void {
    if (this.timer !== undefined || this.looking || this.listeners.size === 0) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.look();
    }, afterMs);
  }

  private async look(): Promise<void> {
    this.looking = true;
    const startedMs = performance.now();
    const topics = [...new Set(this.listeners.values())];
    const deadline = setTimeout(() => this.tellTrouble(), this.options.deadlineMs ?? 5_000);
    try {
      await Promise.all(topics.map((topic) => this.lookAt(topic)));
      this.troubled = false;
    } catch {
      this.tellTrouble();
    } finally {
      clearTimeout(deadline);
      this.looking = false;
      const tookMs = performance.now() - startedMs;
      // Somebody may have begun to listen to a topic that this look did not cover.
      const missed = [...this.listeners.values()].some((topic) => !topics.includes(topic));
      this.schedule(missed ? 0 : Math.max(this.everyMs, tookMs / SHARE_OF_TIME));
    }
  }

  private async lookAt(topic: Topic): Promise<void> {
    const { sources } = this.options;
    const data =
      topic === "queues"
        ? await this.lookAtQueues()
        : { ...(await sources[topic]()), atMs: Date.now() };
    this.pictures.set(topic, { data, atMs: Date.now() });
    for (const [listener, wanted] of this.listeners) if (wanted === topic) listener(topic, data);
  }

  /** The queues now, and the moment's point for charts that are open already. */
  private async lookAtQueues() {
    const queues = await this.options.sources.queues();
    const atMs = Date.now();
    const point = this.history.add(atMs, queues);
    return { atMs, queues, point };
  }

  private tellTrouble(): void {
    this.troubled = true;
    for (const listener of this.listeners.keys()) listener("trouble", { message: TROUBLE });
  }
}
