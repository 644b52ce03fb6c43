/**
 * How many tokens one address may bring along in a minute before the next must wait (as
 * telegram-bot-api counts after its start, when it knows none). A token that got in is known from
 * then on, whoever brings it.
 */
export class NewTokens {
  readonly #known = new Set<string>();
  readonly #admittedAt = new Map<string, number[]>();

  /** Seconds to wait; undefined when the token is known or may come in. */
  retryAfterS(
    token: string,
    address: string,
    perMinute: number,
    nowMs: number,
  ): number | undefined {
    if (this.#known.has(token)) return undefined;
    const recent = (this.#admittedAt.get(address) ?? []).filter((atMs) => atMs > nowMs - 60_000);
    const oldest = recent[recent.length - perMinute];
    if (oldest !== undefined) return Math.ceil((oldest + 60_000 - nowMs) / 1000) + 1;
    recent.push(nowMs);
    this.#admittedAt.set(address, recent);
    this.#known.add(token);
    return undefined;
  }

  /** Knows nobody, as after a restart. */
  forget(): void {
    this.#known.clear();
    this.#admittedAt.clear();
  }
}
