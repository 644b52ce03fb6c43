import type { SandboxLimits } from "./sandbox-types.ts";

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
  webhookTimeoutMs: 60_000,
  messagesPerChat: 10_000,
};
