/**
 * A local Telegram, Bot API half, and a page to chat on: what `npm start` shows, and what tests and
 * benchmarks talk to instead of api.telegram.org. People and groups are moved through the
 * `Sandbox` object (or `/sandbox/api/…` from another process); bots come over HTTP, as they would
 * to Telegram, and are held to its rules: parameters, wording of errors, privacy mode, rate limits,
 * order and repetition of webhook deliveries, and, on order, its worst days. What it does not simulate it refuses, and never
 * pretends. It knows nothing of the rest of the project.
 */
export { type Clock, ManualClock, systemClock } from "./clock.ts";
export { runSandbox } from "./command.ts";
export { SandboxError } from "./errors.ts";
export type { DeliveryFaultAnswer, FaultAnswer } from "./faults.ts";
export type * from "./person-actions.ts";
export type { RateWindow } from "./rate-limit.ts";
export type {
  CallEntry,
  DeliveryEntry,
  MessageEntry,
  OtherEntry,
  RecordEntry,
  RecordView,
  UpdateEntry,
} from "./record.ts";
export { startSandbox } from "./sandbox.ts";
export type * from "./sandbox-types.ts";
export { seededRandom } from "./seeded-random.ts";
export type * from "./telegram-objects.ts";
