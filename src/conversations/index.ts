/**
 * conversations: chats, contacts, conversations, messages, and how updates become them; the support
 * queue, which says whose turn it is in each; and the accounts that customers belong to.
 *
 * `createIngestHandler` is what the ingest pool runs; at its core is a pure function, `interpret`,
 * which says what an update changes. The outbound room tells what became of sending through
 * `recordOutgoing`, `recordOutgoingEdits`, `markDeleted`, `markUnreachable`, `markReachable` and `rekeyChat`; the
 * receiver asks which groups are linked; the API reads pages. What deserves an answer goes out through the `ReplySink` the ingest handler
 * is given. Who may talk to a bot is asked of the people room and applied here; sessions end by
 * themselves as long as somebody runs the `SessionCloser`.
 */

export {
  type AccountRule,
  type AccountRuleView,
  addAccountRule,
  listAccountRules,
  RuleTaken,
  removeAccountRule,
} from "./account-rules.ts";
export {
  type AccountView,
  createAccount,
  findAccount,
  listAccounts,
  removeAccount,
  renameAccount,
} from "./accounts.ts";
export { type ApprovalPress, isPressData, type PressSink } from "./approval-press.ts";
export { setBroadcastsAllowed } from "./broadcast-consent.ts";
export {
  CHAT_PURPOSES,
  type ChatPurpose,
  type LinkedChat,
  linkedChats,
  listLinkedChats,
  listLostChats,
  markReachable,
  markUnreachable,
  setChatLink,
} from "./chat-links.ts";
export { type ChatView, listChats } from "./chat-list.ts";
export {
  type Asked,
  type ChatRequest,
  type Handled,
  REQUEST_COMMANDS,
  REQUEST_DATA,
  type RequestSink,
} from "./chat-request.ts";
export { setChatTags } from "./chat-tags.ts";
export { parseCommand } from "./command.ts";
export { type ContactView, changeContact, findContact, listContacts } from "./contact-list.ts";
export { needsLink } from "./context.ts";
export { ChangedMeanwhile, changeConversation } from "./conversation-change.ts";
export { type ConversationEvent, listConversationEvents } from "./conversation-events.ts";
export { type ConversationFilter, listConversations } from "./conversation-list.ts";
export { type ConversationView, findConversation, type TopicView } from "./conversation-view.ts";
export { domainOf } from "./domain.ts";
export type { Scope } from "./effects.ts";
export { createIngestHandler, type IngestOptions } from "./ingest-handler.ts";
export { isMigration } from "./keys.ts";
export { type FileOfMessage, findFileOfMessage } from "./message-file.ts";
export { listMessages, type MessageView, type PollView } from "./message-list.ts";
export { recordOutgoing, type SentMessage } from "./outgoing.ts";
export {
  type EditedMessage,
  forgetVanished,
  markDeleted,
  recordOutgoingEdits,
} from "./outgoing-changes.ts";
export { InvalidCursor, type Page, type PageRequest } from "./paging.ts";
export { UPDATE_KINDS } from "./parse-update.ts";
export { mayWriteTo } from "./private-chat.ts";
export {
  CONVERSATION_STATUSES,
  type ConversationStatus,
  ImpossibleChange,
  type QueueChange,
} from "./queue-status.ts";
export { type ChatMove, moveChatLink, rekeyChat } from "./rekey-chat.ts";
export type { InlineButton, InlineResult, Reply, ReplyButton, ReplySink } from "./reply.ts";
export {
  createSessionCloser,
  type SessionCloser,
  type SessionCloserOptions,
} from "./session-closer.ts";
export { listSessions, type SessionView } from "./session-list.ts";
export { createSnoozeKeeper, type SnoozeKeeper } from "./snoozes.ts";
export { type Durations, type SupportTimes, supportTimes } from "./support-times.ts";
export type {
  ChatType,
  Media,
  MessageEntity,
  Reaction,
  SentPlace,
  Service,
} from "./telegram-types.ts";
export { type Place, placeOfUpdate, type TracedMessage, traceMessages } from "./trace.ts";
