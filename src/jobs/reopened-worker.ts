/** What is used of a worker of BullMQ's that has not begun. */
export interface NewWorker {
  on(event: "error", listener: (error: Error) => void): unknown;
  /** Rejects when its first look at the database failed; it is of no use then. */
  waitUntilReady(): Promise<unknown>;
  run(): Promise<void>;
  close(): Promise<void>;
}

export interface ReopenedWorkerOptions {
  /** Rejects while the database does not answer: nothing is opened then. */
  check(): Promise<unknown>;
  /** Makes a worker that does not run by itself. */
  open(): NewWorker;
}

const AGAIN_AFTER_MS = 1_000;

/**
 * A worker that begins once its first look at the database has succeeded: until then it is opened anew.
 * BullMQ on Postgres keeps what that look came to. A worker that began while the server was starting up
 * failed with that answer for ever, again and again in one turn of the event loop, until the watchdog
 * ended its process.
 */
export class ReopenedWorker {
  private readonly options: ReopenedWorkerOptions;
  private readonly listeners: ((error: Error) => void)[] = [];
  private worker: NewWorker | undefined;
  private again: NodeJS.Timeout | undefined;
  private closing = false;

  constructor(options: ReopenedWorkerOptions) {
    this.options = options;
    void this.begin();
  }

  on(_event: "error", listener: (error: Error) => void): void {
    this.listeners.push(listener);
  }

  async close(): Promise<void> {
    this.closing = true;
    clearTimeout(this.again);
    await this.worker?.close();
  }

  private async begin(): Promise<void> {
    try {
      await this.options.check();
      if (this.closing) return;
      this.worker = this.options.open();
      this.worker.on("error", (error) => this.tell(error));
      await this.worker.waitUntilReady();
    } catch (error) {
      this.tell(error as Error);
      await this.worker?.close().catch((failure) => this.tell(failure));
      this.worker = undefined;
      if (!this.closing) this.again = setTimeout(() => void this.begin(), AGAIN_AFTER_MS);
      return;
    }
    if (!this.closing) this.worker.run().catch((error) => this.tell(error));
  }

  private tell(error: Error): void {
    for (const listener of this.listeners) listener(error);
  }
}
