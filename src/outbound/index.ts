/**
 * outbound: what is to be sent, in which order and at what pace, and what became of it. One drain
 * a bot, order per chat; the Bot API itself is behind the telegram room, the lanes behind jobs.
 */
export { createCallGate, type DirectCall } from "./call-gate.ts";
export { type Cancelled, cancelMessage } from "./cancel.ts";
export { createConnectorSends } from "./connector-sends.ts";
export {
  ALBUM_ITEMS,
  CannotSend,
  CHAT_ACTION_SHOWN_MS,
  CHAT_ACTIONS,
  type Content,
  contentFaults,
  costOf,
  type DeletionView,
  type EvidenceFileRef,
  type EvidenceFiles,
  type FileRef,
  type FileSource,
  type FoundTarget,
  findTarget,
  MAX_CAPTION,
  MAX_DELETE_AFTER_S,
  MAX_FILE_BYTES,
  type MediaContent,
  mediaOf,
  type OpenedEvidence,
  type OpenFile,
  withFiles,
} from "./content/index.ts";
export { createExpiryKeeper, type ExpiryKeeper } from "./expiry.ts";
export { type FormattedMessage, formatMessage } from "./formatted-message.ts";
export { createOutboundHooks } from "./hooks.ts";
export {
  listOutbound,
  type MessageFilter,
  type MessagePage,
  type MessagePlace,
} from "./message-list.ts";
export { type MessageTrace, traceMessage } from "./message-trace.ts";
export { getMessage, type MessageView } from "./message-view.ts";
export {
  type Button,
  MESSAGE_STATES,
  type MessageState,
  type NewMessage,
  PRIORITIES,
  PRIORITY_NUMBERS,
  type Priority,
  priorityNamed,
} from "./new-message.ts";
export { createOutboundHandler, type OutboundOptions } from "./outbound-handler.ts";
export { buttonsShownBy } from "./own-message.ts";
export type { PaceLimits } from "./pace.ts";
export { listPaidSends, type PaidDay } from "./paid-sends.ts";
export {
  ImpossibleReplacement,
  type Replaced,
  type Replacement,
  replaceMessage,
} from "./replace.ts";
export { createReplySink } from "./reply-sink.ts";
export { NotUnknown, resolveMessage, VERDICTS, type Verdict } from "./resolve.ts";
export { outboundRetentionRules } from "./retention.ts";
export { type SendFigures, sendFigures } from "./send-figures.ts";
export {
  enqueueSends,
  insertMessages,
  type JobSink,
  rewriteMessage,
  type Sendable,
  submitMessages,
} from "./submit.ts";
export {
  type BroadcastKey,
  cancelBroadcastSends,
  type TakenBack,
  takeBackBroadcastSends,
} from "./take-back.ts";
export {
  type FormattedText,
  MAX_PART_ENTITIES,
  MAX_PART_LENGTH,
  MAX_TEXT_LENGTH,
  type MessageEntity,
  parseText,
  TEXT_FORMATS,
  TextError,
  type TextFormat,
} from "./text/index.ts";
export { type MessageRef, NotWaiting } from "./waiting-message.ts";
export { type Waiting, whyWaiting } from "./why-waiting.ts";
