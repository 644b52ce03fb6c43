import type { NewMessage } from "../outbound/index.ts";
import type { Queryable } from "../platform/index.ts";
import { findRuleFor } from "./find-rule.ts";
import type { Rule } from "./rule-for.ts";

/**
 * Whether a message that was accepted already would have to wait, were it submitted as it is now: nobody
 * gets round a rule by changing what waits for its time. By which call it came is not kept, so rules for
 * any kind count. Of what was approved only the priority can be another by now: rules that ask for one.
 */
export async function wouldBeHeld(
  on: Queryable,
  { message, isApproved }: { message: NewMessage; isApproved: boolean },
): Promise<boolean> {
  const among = ({ conditions }: Rule) => !isApproved || conditions.priorities !== undefined;
  return (await findRuleFor(on, { message, kind: null, among })) !== null;
}
