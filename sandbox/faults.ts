import type { Fault, NewFault } from "./sandbox-types.ts";

/**
 * Failures on order: the next `times` calls that match meet one. "After effect" is the nasty kind,
 * where Telegram did it and the caller never hears so.
 */
export type FaultAnswer =
  | {
      status: number;
      error_code?: number;
      description?: string;
      parameters?: { retry_after?: number; migrate_to_chat_id?: number };
    }
  | "hang"
  | "reset-before-effect"
  | "reset-after-effect"
  | "5xx-after-effect";

interface Armed {
  id: number;
  match: { botId?: number; method?: string; chatId?: number };
  remaining: number;
  answer: FaultAnswer;
}

export class Faults {
  readonly #armed = new Map<number, Armed>();
  #nextId = 1;

  add(fault: NewFault): Fault {
    const armed: Armed = {
      id: this.#nextId++,
      match: {
        ...(fault.botId !== undefined && { botId: fault.botId }),
        ...(fault.method !== undefined && { method: fault.method.toLowerCase() }),
        ...(fault.chatId !== undefined && { chatId: fault.chatId }),
      },
      remaining: fault.times ?? 1,
      answer: fault.answer,
    };
    this.#armed.set(armed.id, armed);
    const clear = () => void this.#armed.delete(armed.id);
    return {
      id: armed.id,
      get remaining() {
        return armed.remaining;
      },
      clear,
    };
  }

  clear(id?: number): void {
    if (id === undefined) this.#armed.clear();
    else this.#armed.delete(id);
  }

  /** The fault that this call meets, oldest first, used up by one; undefined when it meets none. */
  strike(call: { botId: number; method: string; chatId: unknown }): FaultAnswer | undefined {
    for (const armed of this.#armed.values()) {
      const { botId, method, chatId } = armed.match;
      if (botId !== undefined && botId !== call.botId) continue;
      if (method !== undefined && method !== call.method.toLowerCase()) continue;
      if (chatId !== undefined && String(chatId) !== String(call.chatId)) continue;
      armed.remaining -= 1;
      if (armed.remaining <= 0) this.#armed.delete(armed.id);
      return armed.answer;
    }
    return undefined;
  }
}
