import { SandboxError } from "./errors.ts";
import type { RateWindow } from "./rate-limit.ts";
import type { NewLimits, PaceLimits, SandboxLimits } from "./sandbox-types.ts";
import type { Chat } from "./world.ts";

const megabyte = 1024 * 1024;

/**
 * Documented limits, where there are any (Bot FAQ: My bot is hitting limits; Bot API: Sending
 * files). "One message a second, short bursts pass" is two windows: a burst of five, and one a
 * second over half a minute.
 */
export const defaultLimits: SandboxLimits = {
  bot: [{ limit: 30, windowMs: 1_000 }],
  paidBot: [{ limit: 1_000, windowMs: 1_000 }],
  chat: [
    { limit: 5, windowMs: 1_000 },
    { limit: 35, windowMs: 30_000 },
  ],
  group: [{ limit: 20, windowMs: 60_000 }],
  violationPenaltyMs: 1_000,
  downloadBytes: 20 * megabyte,
  uploadBytes: 50 * megabyte,
  photoBytes: 10 * megabyte,
  callbackAnswerMs: 15_000,
  inlineAnswerMs: 30_000,
  webhookTimeoutMs: 60_000,
  messagesPerChat: 10_000,
  newTokensPerMinute: 0,
};

/** What a server of one's own lifts (Bot API: Using a Local Bot API Server). */
export const localServerLimits: Pick<SandboxLimits, "downloadBytes" | "uploadBytes"> = {
  downloadBytes: Number.MAX_SAFE_INTEGER,
  uploadBytes: 2000 * megabyte,
};

const paces = ["bot", "paidBot", "chat", "group"] as const;

/**
 * The limits in force: for all, and overrides for one bot, one chat, or one bot in one chat. The
 * most special one that speaks of a pace decides it. A bot is told of none of this but by 429.
 */
export class Limits {
  readonly all: SandboxLimits;
  readonly #overrides = new Map<string, Partial<PaceLimits>>();

  constructor(all: SandboxLimits) {
    this.all = all;
  }

  /** @throws SandboxError when something other than a pace is to be set for a bot or chat alone */
  set({ botId, chatId, ...values }: NewLimits): void {
    if (botId === undefined && chatId === undefined) {
      for (const pace of paces)
        if (values[pace] === null) throw new SandboxError(`${pace}: an empty list means no limit`);
      Object.assign(this.all, withoutUndefined(values));
      return;
    }
    const key = keyOf(botId, chatId);
    const own = { ...this.#overrides.get(key) };
    for (const [name, value] of Object.entries(withoutUndefined(values))) {
      const pace = paces.find((each) => each === name);
      if (pace === undefined)
        throw new SandboxError(`${name} is one for all; only ${paces.join(", ")} can be set apart`);
      if (value === null) delete own[pace];
      else own[pace] = value as RateWindow[];
    }
    if (Object.keys(own).length === 0) this.#overrides.delete(key);
    else this.#overrides.set(key, own);
  }

  windows(pace: keyof PaceLimits, botId: number, chat: Chat): RateWindow[] {
    if (this.#overrides.size > 0)
      for (const key of [
        keyOf(botId, chat.id),
        keyOf(undefined, chat.id),
        keyOf(botId, undefined),
      ]) {
        const found = this.#overrides.get(key)?.[pace];
        if (found !== undefined) return found;
      }
    return this.all[pace];
  }

  /** As it stands, for who looks in from outside. */
  view(): { all: SandboxLimits; overrides: ({ key: string } & Partial<PaceLimits>)[] } {
    return {
      all: { ...this.all },
      overrides: [...this.#overrides].map(([key, own]) => ({ key, ...own })),
    };
  }
}

function keyOf(botId: number | undefined, chatId: number | undefined): string {
  return `bot ${botId ?? "any"}, chat ${chatId ?? "any"}`;
}

function withoutUndefined<Values extends object>(values: Values): Partial<Values> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<Values>;
}
