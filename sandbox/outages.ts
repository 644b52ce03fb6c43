import type { Clock } from "./clock.ts";
import type { Faults } from "./faults.ts";
import type { NewOutage, Outage } from "./sandbox-types.ts";

/**
 * Telegram out of reach: calls meet a fault, and updates are made and wait. When it is over, all
 * that waited is delivered at once, as fast as `max_connections` lets it.
 */
export class Outages {
  readonly #open = new Map<number, { botId: number | undefined; end: () => void }>();
  readonly #faults: Faults;
  readonly #clock: Clock;
  readonly #onChange: (what: "outage" | "outage over", id: number, outage: NewOutage) => void;
  readonly #resume: () => void;
  #nextId = 1;

  /** @param resume delivers what was held back */
  constructor(options: {
    faults: Faults;
    clock: Clock;
    onChange: (what: "outage" | "outage over", id: number, outage: NewOutage) => void;
    resume: () => void;
  }) {
    this.#faults = options.faults;
    this.#clock = options.clock;
    this.#onChange = options.onChange;
    this.#resume = options.resume;
  }

  begin(outage: NewOutage): Outage {
    const id = this.#nextId++;
    const calls =
      outage.calls === null
        ? undefined
        : this.#faults.add({
            ...(outage.botId !== undefined && { botId: outage.botId }),
            times: Number.POSITIVE_INFINITY,
            answer: outage.calls ?? "reset-before-effect",
          });
    let cancelTimer = () => {};
    const end = () => {
      if (!this.#open.delete(id)) return;
      cancelTimer();
      calls?.clear();
      this.#onChange("outage over", id, outage);
      this.#resume();
    };
    const holdsBack = outage.deliveries ?? true;
    this.#open.set(id, { botId: holdsBack ? outage.botId : Number.NaN, end });
    if (outage.forMs !== undefined) cancelTimer = this.#clock.schedule(outage.forMs, end);
    this.#onChange("outage", id, outage);
    return { id, clear: end };
  }

  /** Ends one, or all. */
  clear(id?: number): void {
    for (const outage of id === undefined ? [...this.#open.values()] : [this.#open.get(id)])
      outage?.end();
  }

  isCutOff(botId: number): boolean {
    for (const outage of this.#open.values())
      if (outage.botId === undefined || outage.botId === botId) return true;
    return false;
  }
}
