/**
 * How often one address may try a wrong token: a fixed window each, decided without I/O. Held in
 * the memory of each web process, so the bound of an installation is that times its processes;
 * the token is long and random, and this only keeps guessing slow and cheap.
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
