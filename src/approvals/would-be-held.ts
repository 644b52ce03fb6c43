import type { NewMessage } from "../outbound/index.ts";
import type { Queryable } from "../platform/index.ts";
import { findRuleFor } from "./find-rule.ts";
import { MESSAGE_KINDS } from "./rule-for.ts";

/**
 * Whether a message that was accepted already would have to wait, were it submitted as it is now: nobody
 * gets round a rule by changing what waits for its time. By which call it came is not kept, so rules for
 * any kind count.
 */
export async function wouldBeHeld(on: Queryable, message: NewMessage): Promise<boolean> {
  for (const kind of MESSAGE_KINDS) {
    if ((await findRuleFor(on, { message, kind })) !== null) return true;
  }
  return false;
}
