import { advance, type Context, emptyContext } from "../../src/conversations/context.ts";
import type { Effect, Scope } from "../../src/conversations/effects.ts";
import { type Incoming, interpret } from "../../src/conversations/interpret.ts";
import { chatKeyOf } from "../../src/conversations/keys.ts";
import { parseUpdate } from "../../src/conversations/parse-update.ts";

/** Interpreting without a database: a context in memory, carried from update to update. */

export const SCOPE: Scope = { workspaceId: "w", connectorId: "c" };
const RECEIVED_AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export function incoming(update: unknown): Incoming {
  return {
    scope: SCOPE,
    jobId: "1",
    receivedAtMs: RECEIVED_AT_MS,
    update: parseUpdate(update),
  };
}

/** Carries a context through updates; answers the effects of each. */
export function world(context: Context = emptyContext()) {
  return {
    context,
    take: (update: unknown): Effect[] => {
      const effects = interpret(incoming(update), context);
      advance(context, effects);
      return effects;
    },
  };
}

export function withLinked(...chatIds: number[]) {
  const one = world();
  for (const id of chatIds) {
    one.context.chats.set(chatKeyOf(SCOPE, String(id)), {
      type: null,
      title: null,
      username: null,
      isForum: false,
      linked: true,
      purpose: null,
      reachableAtS: 0,
    });
  }
  one.context.botUsernames.set("c", "Helio_Bot");
  return one;
}

export const types = (effects: Effect[]) => effects.map((effect) => effect.type);
export const said = (effects: Effect[]) =>
  effects.flatMap((effect) => (effect.type === "reply" ? [effect.reply] : []));
export const asked = (effects: Effect[]) =>
  effects.flatMap((effect) => (effect.type === "chat-requested" ? [effect.request] : []));
