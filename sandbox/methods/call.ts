import type { UploadedFile } from "../bot-api-schema.ts";
import type { Core } from "../core.ts";
import { TooManyRequests } from "../errors.ts";
import { scopeKey } from "../rate-limit.ts";
import type { PaceLimits } from "../sandbox-types.ts";
import type { Bot, Chat } from "../world.ts";

/** One Bot API call whose parameters have been checked against the schema. */
export interface MethodCall {
  core: Core;
  bot: Bot;
  params: Record<string, unknown>;
  files: Map<string, UploadedFile>;
  /** Runs when the caller goes away before it was answered. */
  onGone(run: () => void): void;
  /** A fault lets an album go wrong after this many items. */
  albumFault?: { albumStopsAfter: number; retryAfterS: number };
}

/** Gives the answer's `result`, or throws a `BotApiRefusal`. */
export type Method = (call: MethodCall) => unknown;

// The schema has checked the types; these give them back to the compiler.

export function stringParam(call: MethodCall, name: string): string | undefined {
  const value = call.params[name];
  return typeof value === "string" ? value : undefined;
}

export function numberParam(call: MethodCall, name: string): number | undefined {
  const value = call.params[name];
  return typeof value === "number" ? value : undefined;
}

export function flagParam(call: MethodCall, name: string): boolean {
  return call.params[name] === true;
}

/** An object or array; the schema vouches for its shape. */
export function objectParam<Shape extends object>(
  call: MethodCall,
  name: string,
): Shape | undefined {
  const value = call.params[name];
  return typeof value === "object" && value !== null ? (value as Shape) : undefined;
}

/**
 * Counts messages that are about to appear in a chat, against the bot's pace, the chat's and, in
 * groups and channels, the group's.
 *
 * @throws TooManyRequests and counts nothing
 */
export function meter(call: MethodCall, chat: Chat, cost = 1): void {
  const { core, bot } = call;
  const windows = (pace: keyof PaceLimits) => core.limitRules.windows(pace, bot.id, chat);
  const scopes = [
    flagParam(call, "allow_paid_broadcast")
      ? { key: scopeKey.paidBot(bot.id), windows: windows("paidBot") }
      : { key: scopeKey.bot(bot.id), windows: windows("bot") },
    { key: scopeKey.chat(bot.id, chat.key), windows: windows("chat") },
  ];
  if (chat.type !== "private")
    scopes.push({ key: scopeKey.group(bot.id, chat.key), windows: windows("group") });
  const decision = core.rates.take(core.clock.now(), cost, scopes);
  if (!decision.allowed) throw new TooManyRequests(decision.retryAfterS, decision.violation);
}
