import type { Clock } from "./clock.ts";
import type { Fault, NewFault } from "./sandbox-types.ts";
import { seededRandom } from "./seeded-random.ts";

/**
 * Failures on order: calls and deliveries that match one meet it. How many is a count, a chance
 * (drawn from a seed, so that a run can be repeated), a stretch of time, or all of these.
 */

/**
 * What a call meets. "After effect" is the nasty kind, where Telegram did it and the caller never
 * hears so.
 */
export type FaultAnswer =
  | {
      status: number;
      error_code?: number;
      description?: string;
      parameters?: { retry_after?: number; migrate_to_chat_id?: number };
    }
  /** 429, and a hold on the chat or the bot until then, which grows when it is ignored. */
  | { retryAfterS: number; hold: "chat" | "bot" }
  /** sendMediaGroup sends this many items, then fails as a 400 that says "retry after". */
  | { albumStopsAfter: number; retryAfterS: number }
  /** A download comes in pieces, at this rate. */
  | { bytesPerSecond: number }
  | "hang"
  | "hang-after-effect"
  | "reset-before-effect"
  | "reset-after-effect"
  | "5xx-after-effect"
  | "html"
  | "html-after-effect";

/**
 * What a delivery meets. `reset-before-effect`: the update never arrives. `reset-after-effect`: it
 * arrives, its answer is lost, and it comes again. `duplicate`: it is sent twice side by side.
 * `out-of-order`: the next of its queue goes first (when there is one).
 */
export type DeliveryFaultAnswer =
  | "reset-before-effect"
  | "reset-after-effect"
  | "duplicate"
  | "out-of-order";

/** A fault as it hits one call or delivery. */
export interface Strike<Answer> {
  id: number;
  answer: Answer | undefined;
  latencyMs: number;
  answerLatencyMs: number;
  /** As the record names it. */
  label: string;
}

interface Armed {
  id: number;
  fault: NewFault;
  method: string | undefined;
  remaining: number;
  random: () => number;
  cancelTimer: () => void;
}

export class Faults {
  readonly #armed = new Map<number, Armed>();
  readonly #clock: Clock;
  /** Hears of faults that are armed, and of those that are over. */
  readonly #onChange: (what: "armed" | "over", id: number, fault: NewFault) => void;
  #nextId = 1;

  constructor(
    clock: Clock,
    onChange: (what: "armed" | "over", id: number, fault: NewFault) => void = () => {},
  ) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  add(fault: NewFault): Fault {
    const id = this.#nextId++;
    const isOpenEnded = fault.probability !== undefined || fault.forMs !== undefined;
    const armed: Armed = {
      id,
      fault,
      method: fault.on === "deliveries" ? undefined : fault.method?.toLowerCase(),
      remaining: fault.times ?? (isOpenEnded ? Number.POSITIVE_INFINITY : 1),
      random: seededRandom(fault.seed ?? id),
      cancelTimer: () => {},
    };
    this.#armed.set(id, armed);
    if (fault.forMs !== undefined)
      armed.cancelTimer = this.#clock.schedule(fault.forMs, () => this.clear(id));
    this.#onChange("armed", id, fault);
    return {
      id,
      get remaining() {
        return armed.remaining;
      },
      clear: () => this.clear(id),
    };
  }

  /** Ends one fault, or all. */
  clear(id?: number): void {
    for (const armed of id === undefined ? [...this.#armed.values()] : [this.#armed.get(id)])
      if (armed !== undefined) this.#end(armed);
  }

  /** Those still armed: for who looks in from outside. */
  list(): (NewFault & { id: number; remaining: number | null })[] {
    return [...this.#armed.values()].map(({ id, fault, remaining }) => ({
      ...fault,
      id,
      // JSON has no infinity.
      remaining: Number.isFinite(remaining) ? remaining : null,
    }));
  }

  /** The fault that this call meets, oldest first, used up by one; undefined when it meets none. */
  strikeCall(call: {
    botId: number;
    method: string;
    chatId: unknown;
  }): Strike<FaultAnswer> | undefined {
    for (const armed of this.#armed.values()) {
      const { fault } = armed;
      if (fault.on === "deliveries") continue;
      if (fault.botId !== undefined && fault.botId !== call.botId) continue;
      if (armed.method !== undefined && armed.method !== call.method.toLowerCase()) continue;
      if (fault.chatId !== undefined && String(fault.chatId) !== String(call.chatId)) continue;
      if (this.#hits(armed)) return strikeOf(armed, fault.answer);
    }
    return undefined;
  }

  /** The same for one try to deliver an update. `hasNext`: another waits behind it. */
  strikeDelivery(delivery: {
    botId: number;
    updateKind: string;
    chatId: number | undefined;
    hasNext: boolean;
  }): Strike<DeliveryFaultAnswer> | undefined {
    for (const armed of this.#armed.values()) {
      const { fault } = armed;
      if (fault.on !== "deliveries") continue;
      if (fault.answer === "out-of-order" && !delivery.hasNext) continue;
      if (fault.botId !== undefined && fault.botId !== delivery.botId) continue;
      if (fault.updateKind !== undefined && fault.updateKind !== delivery.updateKind) continue;
      if (fault.chatId !== undefined && fault.chatId !== delivery.chatId) continue;
      if (this.#hits(armed)) return strikeOf(armed, fault.answer);
    }
    return undefined;
  }

  #hits(armed: Armed): boolean {
    if (armed.fault.probability !== undefined && armed.random() >= armed.fault.probability)
      return false;
    armed.remaining -= 1;
    if (armed.remaining <= 0) this.#end(armed);
    return true;
  }

  #end(armed: Armed): void {
    if (!this.#armed.delete(armed.id)) return;
    armed.cancelTimer();
    this.#onChange("over", armed.id, armed.fault);
  }
}

function strikeOf<Answer>(armed: Armed, answer: Answer | undefined): Strike<Answer> {
  const { latencyMs = 0, answerLatencyMs = 0 } = armed.fault;
  return { id: armed.id, answer, latencyMs, answerLatencyMs, label: labelOf(armed.fault) };
}

function labelOf({ answer }: NewFault): string {
  if (answer === undefined) return "latency";
  if (typeof answer === "string") return answer;
  if ("hold" in answer) return "hold";
  if ("bytesPerSecond" in answer) return "slow";
  return "albumStopsAfter" in answer ? "album" : "answer";
}
