import inspector from "node:inspector";
import path from "node:path";
import { Worker } from "node:worker_threads";

/**
 * Ends a process whose event loop does not come back: an endless loop, a regular expression that
 * explodes. Its heartbeats have stopped by then and others have taken its lanes, so nothing is lost
 * with it; without an end it would burn a core for ever. A thread watches, since the loop cannot
 * watch itself, and leaves word of what the process was at in `worker_deaths` before it kills it.
 */
export interface Watchdog {
  /** What the process is about to do, in ids: all that is known should it never come back. */
  note(text: string): void;
  stop(): Promise<void>;
}

export interface WatchdogOptions {
  /** The name under which the process holds jobs (`Jobs.worker`). */
  worker: string;
  databaseUrl: string;
  /** How long the event loop may be blocked. Default 10 000: twice a lease. */
  blockedMs?: number;
}

/** What the thread is given. */
export interface Watched {
  worker: string;
  databaseUrl: string;
  blockedMs: number;
  /** One Int32: turns of the event loop seen so far. */
  turns: SharedArrayBuffer;
  /** Int32 length, then UTF-8. */
  note: SharedArrayBuffer;
}

export const NOTE_LENGTH_BYTES = 4;
const NOTE_BYTES = 2_048;
const TURN_MS = 250;

/** Resolves once the thread watches: begin no work before, or nobody sees it hang. */
export async function startWatchdog(options: WatchdogOptions): Promise<Watchdog> {
  // A breakpoint blocks the event loop too.
  if (inspector.url() !== undefined) return { note: () => {}, stop: async () => {} };
  const turns = new SharedArrayBuffer(4);
  const note = new SharedArrayBuffer(NOTE_LENGTH_BYTES + NOTE_BYTES);
  const workerData: Watched = {
    worker: options.worker,
    databaseUrl: options.databaseUrl,
    blockedMs: options.blockedMs ?? 10_000,
    turns,
    note,
  };
  const thread = new Worker(
    new URL(`./watchdog-thread${path.extname(import.meta.url)}`, import.meta.url),
    { workerData },
  );
  await new Promise<void>((resolve, reject) => {
    thread.once("message", () => resolve());
    thread.once("error", reject);
  });
  // A process that is watched no more still works.
  thread.on("error", () => {});
  thread.unref();
  const count = new Int32Array(turns);
  const timer = setInterval(() => Atomics.add(count, 0, 1), TURN_MS);
  timer.unref();
  const length = new Int32Array(note, 0, 1);
  const bytes = new Uint8Array(note, NOTE_LENGTH_BYTES);
  const encoder = new TextEncoder();
  return {
    note: (text) => {
      length[0] = encoder.encodeInto(text, bytes).written;
    },
    stop: async () => {
      clearInterval(timer);
      await thread.terminate();
    },
  };
}
