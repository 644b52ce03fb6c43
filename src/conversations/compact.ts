import type { ApprovalPress } from "./approval-press.ts";
import type { ChatRequest } from "./chat-request.ts";
import type {
  ConversationKey,
  Effect,
  MessageKey,
  MessageVersion,
  Scope,
  StoredMessage,
} from "./effects.ts";
import { chatKeyOf, contactKeyOf, conversationKeyOf, memberKeyOf, messageKeyOf } from "./keys.ts";
import { type OfferedTurn, offeredMessages, offeredTurn } from "./offered-turns.ts";
import type { Turn } from "./queue-status.ts";
import type { Reply } from "./reply.ts";
import { type SessionMove, withStep } from "./session-rule.ts";
import type { MemberStatus, TelegramChat, TelegramUser } from "./telegram-types.ts";
import { type TopicFacts, withChange } from "./topics.ts";

type Of<Type extends Effect["type"]> = Extract<Effect, { type: Type }>;

export interface ChatChange {
  scope: Scope;
  chatId: string;
  chat: TelegramChat | null;
  reachability: { reachable: boolean; atS: number } | null;
}

export interface ConversationChange {
  key: ConversationKey;
  contactUserId: string | null;
  lastMessageAtS: number;
  acknowledgedAtMs: number | null;
  /** What was said by either side, in order. */
  turns: Turn[];
  /** All that is new in it was denied. */
  denied: boolean;
  session: SessionMove | null;
}

export interface MemberChange {
  scope: Scope;
  chatId: string;
  userId: string;
  status: MemberStatus;
  sinceS: number;
}

/** The rows a batch of effects comes to: one a key, because an upsert must not hit a row twice. */
export interface Changes {
  /** Done first; everything else speaks of chats by the ids they have afterwards. */
  migrations: Array<{ scope: Scope; fromChatId: string; toChatId: string }>;
  chats: ChatChange[];
  contacts: Array<{ scope: Scope; user: TelegramUser; atMs: number }>;
  conversations: ConversationChange[];
  /** In the order of their effects. */
  messages: StoredMessage[];
  /** New versions of messages stored before. */
  edits: Array<{ key: MessageKey; version: MessageVersion }>;
  /** Versions for the history, of messages old and new. */
  history: Array<{ key: MessageKey; version: MessageVersion }>;
  members: MemberChange[];
  deletions: Array<Of<"message-deleted">>;
  pins: Array<Of<"message-pinned">>;
  reactions: Array<Of<"reactions-changed">>;
  topics: TopicFacts[];
  polls: Array<Of<"poll-counted">>;
  pollAnswers: Array<Of<"poll-answered">>;
  businessConnections: Array<Of<"business-connection-changed">>;
  replies: Reply[];
  /** Of approvers' buttons, in their order. */
  presses: ApprovalPress[];
  /** In their order. */
  requests: ChatRequest[];
  /** Of messages that requests are made of; not among the turns of `conversations`. */
  offeredTurns: OfferedTurn[];
}

/** Sums up effects, which come in the order in which they take place. Pure. */
export function compact(effects: readonly Effect[]): Changes {
  const migratedTo = new Map<string, string>();
  const migrations: Changes["migrations"] = [];
  for (const effect of effects) {
    if (effect.type !== "chat-migrated") continue;
    const key = chatKeyOf(effect.scope, effect.fromChatId);
    if (migratedTo.has(key)) continue;
    migratedTo.set(key, effect.toChatId);
    migrations.push(effect);
  }
  /** Where a chat is when the batch is over (interpret lets no migration lead back). */
  const finalChatId = (scope: Scope, chatId: string): string => {
    let current = chatId;
    for (;;) {
      const next = migratedTo.get(chatKeyOf(scope, current));
      if (next === undefined) return current;
      current = next;
    }
  };

  const chats = new Map<string, ChatChange>();
  const contacts = new Map<string, Changes["contacts"][number]>();
  const conversations = new Map<string, ConversationChange>();
  const messages = new Map<string, StoredMessage>();
  const edits = new Map<string, Changes["edits"][number]>();
  const members = new Map<string, MemberChange>();
  const deletions = new Map<string, Of<"message-deleted">>();
  const pins = new Map<string, Of<"message-pinned">>();
  const reactions = new Map<string, Of<"reactions-changed">>();
  const topics = new Map<string, TopicFacts>();
  const polls = new Map<string, Of<"poll-counted">>();
  const pollAnswers = new Map<string, Of<"poll-answered">>();
  const businessConnections = new Map<string, Of<"business-connection-changed">>();
  const history: Changes["history"] = [];
  const replies: Reply[] = [];
  const presses: ApprovalPress[] = [];
  const requests: ChatRequest[] = [];
  const offered = offeredMessages(effects);
  const offeredTurns: OfferedTurn[] = [];

  const chatChange = (scope: Scope, chatId: string): ChatChange => {
    const key = chatKeyOf(scope, chatId);
    const change = chats.get(key) ?? { scope, chatId, chat: null, reachability: null };
    chats.set(key, change);
    return change;
  };
  const inFinalChat = (key: ConversationKey): ConversationKey =>
    migratedTo.size === 0 ? key : { ...key, chatId: finalChatId(key.scope, key.chatId) };

  for (const effect of effects) {
    switch (effect.type) {
      case "chat-migrated":
        break;
      case "chat-seen":
        chatChange(effect.scope, effect.chat.id).chat = effect.chat;
        break;
      case "chat-reachability":
        chatChange(effect.scope, effect.chatId).reachability = effect;
        break;
      case "contact-seen":
        contacts.set(contactKeyOf(effect.scope, effect.user.id), effect);
        break;
      case "member-changed": {
        const chatId = finalChatId(effect.scope, effect.chatId);
        const key = memberKeyOf(effect.scope, chatId, effect.userId);
        const known = members.get(key);
        // Two chats that became one may both tell of a member.
        if (known && known.sinceS > effect.sinceS) break;
        members.set(key, { ...effect, chatId });
        break;
      }
      case "message-stored": {
        const { message, contactUserId } = effect;
        const conversation = inFinalChat(message.conversation);
        messages.set(messageKeyOf(message.key), { ...message, conversation });
        const key = conversationKeyOf(conversation);
        const request = offered.get(messageKeyOf(message.key));
        const turns = turnOf(message, conversation);
        if (request !== undefined && turns.length > 0) {
          const about = { key: conversation, message, contactUserId, turns };
          offeredTurns.push(offeredTurn(request, about));
        }
        const known = conversations.get(key);
        conversations.set(key, {
          key: conversation,
          contactUserId: known?.contactUserId ?? contactUserId,
          lastMessageAtS: Math.max(known?.lastMessageAtS ?? 0, message.sentAtS),
          acknowledgedAtMs: known?.acknowledgedAtMs ?? null,
          turns: [...(known?.turns ?? []), ...(request === undefined ? turns : [])],
          denied: (known?.denied ?? true) && message.denied === true,
          session: known?.session ?? null,
        });
        break;
      }
      case "message-edited": {
        const key = messageKeyOf(effect.key);
        history.push({ key: effect.key, version: effect.previous });
        const fresh = messages.get(key);
        if (fresh) messages.set(key, { ...fresh, version: effect.version });
        else edits.set(key, effect);
        break;
      }
      case "version-kept":
        history.push(effect);
        break;
      case "message-deleted": {
        const key = messageKeyOf(effect.key);
        if (!deletions.has(key)) deletions.set(key, effect);
        break;
      }
      case "message-pinned":
        keepLatest(pins, messageKeyOf(effect.key), effect, effect.atS, (pin) => pin.atS);
        break;
      case "reactions-changed": {
        const key = `${messageKeyOf(effect.key)}/${effect.actorId}`;
        keepLatest(reactions, key, effect, effect.atS, (known) => known.atS);
        break;
      }
      case "topic-changed": {
        const { scope, threadId } = effect;
        const chatId = finalChatId(scope, effect.chatId);
        const key = `${chatKeyOf(scope, chatId)}/${threadId}`;
        const unknown = { scope, chatId, threadId, name: null, closed: null, hidden: null };
        topics.set(key, withChange(topics.get(key) ?? unknown, effect.change));
        break;
      }
      case "poll-counted": {
        const key = chatKeyOf(effect.scope, effect.pollId);
        polls.set(key, withCounts(polls.get(key), effect));
        break;
      }
      case "poll-answered": {
        const key = `${chatKeyOf(effect.scope, effect.pollId)}/${effect.voterId}`;
        keepLatest(pollAnswers, key, effect, effect.atMs, (known) => known.atMs);
        break;
      }
      case "business-connection-changed": {
        const key = chatKeyOf(effect.scope, effect.connectionId);
        keepLatest(businessConnections, key, effect, effect.atMs, (known) => known.atMs);
        break;
      }
      case "conversation-acknowledged": {
        const known = conversations.get(conversationKeyOf(inFinalChat(effect.conversation)));
        if (known) known.acknowledgedAtMs ??= effect.atMs;
        break;
      }
      case "session-moved": {
        const known = conversations.get(conversationKeyOf(effect.conversation));
        if (known) known.session = withStep(known.session, effect.step);
        break;
      }
      case "reply":
        replies.push(effect.reply);
        break;
      case "approval-pressed":
        presses.push(effect.press);
        break;
      case "chat-requested":
        requests.push(effect.request);
        break;
    }
  }
  return {
    migrations,
    chats: [...chats.values()],
    contacts: [...contacts.values()],
    conversations: [...conversations.values()],
    messages: [...messages.values()],
    edits: [...edits.values()],
    history,
    members: [...members.values()],
    deletions: [...deletions.values()],
    pins: [...pins.values()],
    reactions: [...reactions.values()],
    topics: [...topics.values()],
    polls: [...polls.values()],
    pollAnswers: [...pollAnswers.values()],
    businessConnections: [...businessConnections.values()],
    replies,
    presses,
    requests,
    offeredTurns,
  };
}

/** A supergroup counts its messages anew: those of the group that it was lie before its first. */
function turnOf(message: StoredMessage, { chatId }: ConversationKey): Turn[] {
  const { side, key, sentAtS, fromUserId } = message;
  if (side === null) return [];
  const place = { atS: sentAtS, messageId: key.chatId === chatId ? key.messageId : "0" };
  return [{ side, place, userId: side === "customer" ? fromUserId : null }];
}

/** Of the same time, what came later. */
function keepLatest<Value>(
  kept: Map<string, Value>,
  key: string,
  value: Value,
  at: number,
  atOf: (known: Value) => number,
): void {
  const known = kept.get(key);
  if (known === undefined || atOf(known) <= at) kept.set(key, value);
}

function withCounts(
  known: Of<"poll-counted"> | undefined,
  news: Of<"poll-counted">,
): Of<"poll-counted"> {
  if (known === undefined) return news;
  const isNewer = known.live === news.live ? known.atMs <= news.atMs : news.live;
  const newest = isNewer ? news : known;
  const closed = known.counts.closed || news.counts.closed;
  return { ...newest, asked: news.asked ?? known.asked, counts: { ...newest.counts, closed } };
}
