import type { Scope } from "./effects.ts";
import type { TopicChange } from "./telegram-types.ts";

/** A fact of a topic with Telegram's time of it; null: nothing is known. */
export interface Dated<Value> {
  value: Value;
  atS: number;
}

/** What is known of a forum's topic: each fact by itself, the later word counts. */
export interface TopicFacts {
  scope: Scope;
  chatId: string;
  threadId: string;
  name: Dated<string> | null;
  closed: Dated<boolean> | null;
  hidden: Dated<boolean> | null;
}

/** What is known after `change`; of the same second the later arrival counts. */
export function withChange(facts: TopicFacts, change: TopicChange): TopicFacts {
  return {
    ...facts,
    name: later(facts.name, change.name, change.atS),
    closed: later(facts.closed, change.closed, change.atS),
    hidden: later(facts.hidden, change.hidden, change.atS),
  };
}

function later<Value>(
  known: Dated<Value> | null,
  value: Value | null,
  atS: number,
): Dated<Value> | null {
  if (value === null || (known !== null && known.atS > atS)) return known;
  return { value, atS };
}
