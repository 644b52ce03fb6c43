import { setTimeout as delay } from "node:timers/promises";
import { type Logger, startWatchdog } from "../src/platform/index.ts";
import type { System } from "./system.ts";

/** A process has this long to stop; then it ends as it is, and the next one recovers. */
const STOP_WITHIN_MS = 9_500;
/** So much of it for a step of the start that is under way, before what is open is closed. */
const STEP_WITHIN_MS = 5_000;

type Close = () => Promise<unknown>;

/** What a process has opened so far. */
export class Opened {
  private readonly closers: Close[] = [];
  private stopping = false;

  get isStopping(): boolean {
    return this.stopping;
  }

  /**
   * Remembers how to close what was opened, or is about to be. Throws when the process was told to
   * stop meanwhile, so that its start goes no further.
   */
  add(close: Close): void {
    this.closers.push(close);
    if (this.stopping) throw new Error("told to stop before it was up");
  }

  /** From now on the start goes no further. */
  stop(): void {
    this.stopping = true;
  }

  /** Closes what is open, the last first. */
  async close(): Promise<void> {
    for (let close = this.closers.pop(); close !== undefined; close = this.closers.pop()) {
      await close();
    }
  }
}

/**
 * Starts a process that may be told to stop at any moment, also before it is up: the step of its
 * start that is under way ends then, no other begins, and what was opened is closed. Throws what
 * `start` throws, after having closed what was opened.
 */
export async function runProcess(
  log: Logger,
  start: (opened: Opened) => Promise<void>,
  { stepWithinMs = STEP_WITHIN_MS }: { stepWithinMs?: number } = {},
): Promise<void> {
  const opened = new Opened();
  let started: Promise<void> = Promise.resolve();
  stopOnSignal(log, async () => {
    opened.stop();
    const ended = new AbortController();
    const late = delay(stepWithinMs, undefined, { signal: ended.signal });
    await Promise.race([started, late]).catch(() => {});
    ended.abort();
    await late.catch(() => {});
    await opened.close();
  });
  try {
    started = start(opened);
    await started;
  } catch (error) {
    // What fails because it is being closed is no news.
    if (opened.isStopping) return;
    opened.stop();
    await opened.close().catch(() => {});
    throw error;
  }
}

/**
 * Stops once on SIGTERM or SIGINT: no new work, finish or hand back what runs, exit 0. A second
 * signal, or a stop that takes too long, ends the process at once.
 */
function stopOnSignal(log: Logger, stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, "stopping");
    setTimeout(() => {
      log.error({}, "did not stop in time");
      process.exit(1);
    }, STOP_WITHIN_MS).unref();
    stop().then(
      () => process.exit(0),
      (error) => {
        log.error({ err: error }, "did not stop cleanly");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** Ends this process when its event loop does not come back; says then which jobs it was at. */
export async function watch({ config, jobs }: System): Promise<void> {
  if (config.databaseUrl === undefined) return;
  const watchdog = await startWatchdog({ worker: jobs.worker, databaseUrl: config.databaseUrl });
  jobs.onWork((text) => watchdog.note(text));
}

/**
 * Registers the webhooks again that point elsewhere, bot after bot, and the commands of bots that have
 * others, beside the work of a process that is up already: a Telegram that does not answer must not
 * hold it up, nor a failure end it.
 */
export function repointInBackground({ connectors, log }: System): void {
  connectors
    .repointWebhooks()
    .then(() => connectors.refreshCommands())
    .catch((error) => log.warn({ err: error }, "bots could not be looked at"));
}
