/**
 * broadcasts: one text to many chats. A broadcast is accepted with its recipients in a few statements,
 * however many they are; a feeder makes messages of them, a few seconds' worth at a time, so that a
 * pause holds at once and the queue stays short. Stands on outbound, which sends; who wants no
 * broadcasts, and how chats are tagged, is the conversations room's to write.
 */

export {
  type BroadcastCounts,
  type BroadcastState,
  type BroadcastView,
  getBroadcast,
  type ListedBroadcast,
  listBroadcasts,
} from "./broadcast-view.ts";
export {
  type BroadcastAction,
  changeBroadcast,
  ImpossibleBroadcastChange,
} from "./change-broadcast.ts";
export {
  type BroadcastText,
  createBroadcast,
  type NewBroadcast,
  TooManyRecipients,
} from "./create-broadcast.ts";
export { type BroadcastFeeder, createBroadcastFeeder } from "./feeder.ts";
export {
  listRecipients,
  RECIPIENT_PLACE,
  RECIPIENT_STATES,
  type RecipientState,
  type RecipientView,
} from "./recipient-list.ts";
export { MAX_RECIPIENTS, type Segment } from "./recipients.ts";
export { broadcastRetentionRules } from "./retention.ts";
export { awaitApproval, sampleOf } from "./sample.ts";
