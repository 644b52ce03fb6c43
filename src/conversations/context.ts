import { type AccessContext, advanceAccess, emptyAccess } from "./access-context.ts";
import type { ChatPurpose } from "./chat-links.ts";
import { mayBeAsked } from "./chat-request.ts";
import type { Effect, Scope } from "./effects.ts";
import { chatKeyOf, contactKeyOf, conversationKeyOf, memberKeyOf, messageKeyOf } from "./keys.ts";
import type { SessionState } from "./session-rule.ts";
import type {
  ChatType,
  MemberStatus,
  MessageContent,
  TelegramChat,
  TelegramUser,
} from "./telegram-types.ts";
import { versionKeyOf } from "./version.ts";

/**
 * What `interpret` may know about the world: the rows that a batch of updates touches, as they are
 * after the updates before. Loaded once a batch, then carried from one update to the next by
 * `advance`, so that a batch comes to the same end as its updates one by one.
 */
export interface Context {
  chats: Map<string, ChatState>;
  /** Groups that became supergroups: the new id, by the old one's key. */
  successors: Map<string, string>;
  contacts: Map<string, ContactState>;
  members: Map<string, { status: MemberStatus; sinceS: number }>;
  /** Keys of the conversations whose person has been told that messages arrive. */
  acknowledged: Set<string>;
  /** Keys of the conversations in which somebody may be answering a question in words. */
  asked: Set<string>;
  messages: Map<string, MessageState>;
  /** Bots' usernames by connector id, for commands addressed to one bot. */
  botUsernames: Map<string, string>;
  access: AccessContext;
  /** Telegram accounts of the workspace's agents, by contact key. */
  agents: Set<string>;
  /** The newest session of each conversation that has had one. */
  sessions: Map<string, SessionState>;
}

export interface ChatState {
  type: ChatType | null;
  title: string | null;
  username: string | null;
  isForum: boolean;
  linked: boolean;
  purpose: ChatPurpose | null;
  /** Telegram's time of the bot's last known change of membership; 0: none known. */
  reachableAtS: number;
}

export interface ContactState {
  user: TelegramUser;
  updatedAtMs: number;
}

export interface MessageState {
  /** Time of the newest version; 0: as first sent. */
  versionAtS: number;
  content: MessageContent;
  /** Keys (version.ts) of the versions in the history that the batch may meet again. */
  history: Set<string>;
}

export function emptyContext(): Context {
  return {
    chats: new Map(),
    successors: new Map(),
    contacts: new Map(),
    members: new Map(),
    acknowledged: new Set(),
    asked: new Set(),
    messages: new Map(),
    botUsernames: new Map(),
    access: emptyAccess(),
    agents: new Set(),
    sessions: new Map(),
  };
}

/** A group turns into a supergroup once; a longer chain is followed this far. */
export const MAX_MIGRATIONS = 4;

export type Successors = ReadonlyMap<string, string>;

/** The chat that goes on where this one was: itself, or what it migrated to. */
export function currentChatId(successors: Successors, scope: Scope, chatId: string): string {
  let current = chatId;
  for (let step = 0; step < MAX_MIGRATIONS; step++) {
    const next = successors.get(chatKeyOf(scope, current));
    if (next === undefined) break;
    current = next;
  }
  return current;
}

/** Private chats need no link; in all others somebody must have asked for it. */
export function needsLink(type: ChatType): boolean {
  return type !== "private";
}

/** Brings `context` to where `effects` lead, in place. */
export function advance(context: Context, effects: readonly Effect[]): void {
  for (const effect of effects) advanceBy(context, effect);
}

function advanceBy(context: Context, effect: Effect): void {
  switch (effect.type) {
    case "chat-seen": {
      const key = chatKeyOf(effect.scope, effect.chat.id);
      context.chats.set(key, { ...stateOf(context, key), ...detailsOf(effect.chat) });
      return;
    }
    case "chat-reachability": {
      const key = chatKeyOf(effect.scope, effect.chatId);
      context.chats.set(key, { ...stateOf(context, key), reachableAtS: effect.atS });
      return;
    }
    case "chat-migrated": {
      const fromKey = chatKeyOf(effect.scope, effect.fromChatId);
      const toKey = chatKeyOf(effect.scope, effect.toChatId);
      const from = stateOf(context, fromKey);
      const to = stateOf(context, toKey);
      if (!context.successors.has(fromKey)) {
        const purpose = (from.linked ? from.purpose : null) ?? to.purpose;
        context.chats.set(toKey, { ...to, linked: to.linked || from.linked, purpose });
      }
      context.chats.set(fromKey, { ...from, linked: false });
      context.successors.set(fromKey, effect.toChatId);
      return;
    }
    case "contact-seen":
      context.contacts.set(contactKeyOf(effect.scope, effect.user.id), {
        user: effect.user,
        updatedAtMs: effect.atMs,
      });
      return;
    case "member-changed":
      context.members.set(memberKeyOf(effect.scope, effect.chatId, effect.userId), {
        status: effect.status,
        sinceS: effect.sinceS,
      });
      return;
    case "message-stored":
      context.messages.set(messageKeyOf(effect.message.key), {
        ...effect.message.version,
        history: new Set(),
      });
      return;
    case "message-edited": {
      const state = context.messages.get(messageKeyOf(effect.key));
      const history = new Set(state?.history).add(versionKeyOf(effect.previous));
      context.messages.set(messageKeyOf(effect.key), { ...effect.version, history });
      return;
    }
    case "version-kept":
      context.messages.get(messageKeyOf(effect.key))?.history.add(versionKeyOf(effect.version));
      return;
    case "conversation-acknowledged":
      context.acknowledged.add(conversationKeyOf(effect.conversation));
      return;
    case "session-moved":
      context.sessions.set(conversationKeyOf(effect.conversation), effect.step.state);
      return;
    case "chat-requested": {
      const key = mayBeAsked(effect.request);
      if (key !== null) context.asked.add(key);
      return;
    }
    case "chat-link-changed": {
      const key = chatKeyOf(effect.scope, effect.chatId);
      const chat = stateOf(context, key);
      const purpose = effect.purpose ?? chat.purpose;
      context.chats.set(key, { ...chat, linked: effect.linked, purpose });
      advanceAccess(context.access, effect);
      return;
    }
    case "person-link-offered":
    case "person-link-declined":
    case "person-bound":
    case "refusal-noted":
      advanceAccess(context.access, effect);
      return;
    // Nothing is decided by these: the later word counts, by its time, where they are written.
    case "message-deleted":
    case "message-pinned":
    case "reactions-changed":
    case "topic-changed":
    case "poll-counted":
    case "poll-answered":
    case "business-connection-changed":
    case "broadcasts-allowed":
    case "update-forgotten":
    case "approval-pressed":
    case "reply":
      return;
  }
}

export function detailsOf(
  chat: TelegramChat,
): Pick<ChatState, "type" | "title" | "username" | "isForum"> {
  return { type: chat.type, title: chat.title, username: chat.username, isForum: chat.isForum };
}

function stateOf(context: Context, key: string): ChatState {
  return (
    context.chats.get(key) ?? {
      type: null,
      title: null,
      username: null,
      isForum: false,
      linked: false,
      purpose: null,
      reachableAtS: 0,
    }
  );
}
