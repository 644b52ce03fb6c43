/**
 * approvals: messages that wait until somebody else has seen them. Rules say which; what waits is a row
 * of outbound without a job. `holdForApproval` asks, `decide` applies what approvers say, whether by API
 * or by a button in their chat (`createPressSink`), and the keeper ends what nobody decided. What was
 * approved is byte for byte what is sent: the database refuses every other change. Stands on outbound,
 * people, audit and platform.
 */
export { type ApprovalKeeper, createApprovalKeeper } from "./approval-keeper.ts";
export { type ApprovalView, findApproval, listApprovals } from "./approval-view.ts";
export { type Act, type Decided, decide } from "./decide.ts";
export { holdForApproval } from "./hold.ts";
export { APPROVAL_STATES, type ApprovalState, type Refused } from "./judge.ts";
export { createPressSink } from "./press-sink.ts";
export { type Conditions, MESSAGE_KINDS, type MessageKind } from "./rule-for.ts";
export {
  changeRule,
  createRule,
  findRule,
  listRules,
  type RuleView,
  removeRule,
  TooManyRules,
  UnknownChat,
} from "./rules.ts";
export { isWord } from "./words.ts";
export { wouldBeHeld } from "./would-be-held.ts";
