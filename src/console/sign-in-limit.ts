/**
 * How often one address is told, and the log written, that a token is wrong: a fixed window each,
 * decided without I/O. The right token is let in regardless: behind a proxy all share an address,
 * and whoever guesses there must not lock the operators out. The token is long and random, so that
 * guessing is hopeless at any pace. Held in the memory of each web process.
 */
export interface SignInLimit {
  /** How long this address must wait before it may try again, in ms; 0 when it may now. */
  waitMs(address: string, nowMs: number): number;
  failed(address: string, nowMs: number): void;
}

const MAX_FAILURES = 10;
const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 10_000;

export function createSignInLimit(): SignInLimit {
  const windows = new Map<string, { failures: number; untilMs: number }>();
  return {
    waitMs: (address, nowMs) => {
      const window = windows.get(address);
      if (window === undefined || window.failures < MAX_FAILURES) return 0;
      return Math.max(0, window.untilMs - nowMs);
    },
    failed: (address, nowMs) => {
      const window = windows.get(address);
      if (window !== undefined && window.untilMs > nowMs) {
        window.failures++;
        return;
      }
      windows.delete(address);
      // The oldest goes first: its window ends before all others.
      const [oldest] = windows.keys();
      if (windows.size >= MAX_ADDRESSES && oldest !== undefined) windows.delete(oldest);
      windows.set(address, { failures: 1, untilMs: nowMs + WINDOW_MS });
    },
  };
}
