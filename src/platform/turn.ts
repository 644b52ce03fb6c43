import { isUnavailable, type Queryable } from "./database.ts";
import type { Logger } from "./log.ts";

/**
 * The clock as it is when the row is seen: whoever waited for the row would take `now()`, its own
 * start, for a clock that went back.
 */
const TAKE_TURN = `/* turns.take */
INSERT INTO turns AS t (name, taken_at) VALUES ($1, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET taken_at = clock_timestamp()
  WHERE t.taken_at < clock_timestamp() - $2 * interval '1 ms' OR t.taken_at > clock_timestamp()
RETURNING 1 AS yes`;

/**
 * True for one process in each `everyMs`, whichever asks first: for what is to be done now and then
 * in the whole installation. Nobody is kept out while the work takes longer.
 */
export async function takeTurn(on: Queryable, name: string, everyMs: number): Promise<boolean> {
  return (await on.query(TAKE_TURN, [name, everyMs])).length > 0;
}

export interface TurnsOptions {
  db: Queryable;
  /** Of the work, in the whole installation. */
  name: string;
  everyMs: number;
  /** How often a process looks whether it is its turn: less than a day for what is done once a day. Default: `everyMs`. */
  lookEveryMs?: number;
  work(): Promise<unknown>;
  /** Told what `work`, or asking for the turn, threw. The next turn comes all the same. */
  failed(error: unknown): void;
}

/** What one process at a time does now and then. */
export interface Turns {
  start(): void;
  /** No more turns; resolves once the one under way has ended. */
  stop(): Promise<void>;
  /** From then on: the work under way ends where it can. */
  readonly isStopping: boolean;
}

/**
 * Work of a turn that is done batch after batch, until there is no full one, at most `most` times; what is
 * left is due at the next turn. `batch` answers how many it treated. Answers how many there were.
 */
export async function inBatches(
  batch: () => Promise<number>,
  { size, most, isStopping }: { size: number; most: number; isStopping(): boolean },
): Promise<number> {
  let total = 0;
  for (let n = 0; n < most && !isStopping(); n++) {
    const count = await batch();
    total += count;
    if (count < size) break;
  }
  return total;
}

/** For `failed`: `words` is a warning, but for a database that is away, of which others tell. */
export const warnUnlessAway = (log: Logger, words: string) => (error: unknown) =>
  log[isUnavailable(error) ? "debug" : "warn"]({ err: error }, words);

/** Of an interval: timers are not exact, and whoever asks a little early must not wait for another. */
const SHARE = 0.9;

/**
 * Runs in every process; each time one of them does the work, whichever comes first. In a process the
 * next turn waits for the one under way. Keeps no process alive.
 */
export function createTurns(options: TurnsOptions): Turns {
  const { db, name, everyMs, lookEveryMs = everyMs, work, failed } = options;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isStopping = false;

  async function turn(): Promise<void> {
    try {
      if (await takeTurn(db, name, SHARE * everyMs)) await work();
    } catch (error) {
      failed(error);
    }
  }
  return {
    start: () => {
      timer ??= setInterval(() => {
        running ??= turn().finally(() => {
          running = undefined;
        });
      }, lookEveryMs);
      timer.unref();
    },
    stop: async () => {
      isStopping = true;
      clearInterval(timer);
      await running;
    },
    get isStopping() {
      return isStopping;
    },
  };
}
