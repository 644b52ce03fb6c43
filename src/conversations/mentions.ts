import { needsLink } from "./context.ts";
import type { ConversationKey, MessageKey, Scope } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import { versionOf } from "./interpret.ts";
import { chatKeyOf, contactKeyOf, conversationKeyOf, memberKeyOf, messageKeyOf } from "./keys.ts";

export interface ChatMention {
  scope: Scope;
  chatId: string;
}
export interface PersonMention {
  scope: Scope;
  userId: string;
}
export interface MemberMention {
  scope: Scope;
  chatId: string;
  userId: string;
}
export interface MessageMention {
  key: MessageKey;
  /** Times of the versions that updates carry, in seconds; 0: as first sent. */
  versionsAtS: Set<number>;
}

/** The rows a batch of updates may look at or change, each once. Pure. */
export interface Mentions {
  /** Groups and channels: they can migrate, so their rows are held while the batch is applied. */
  heldChats: Map<string, ChatMention>;
  privateChats: Map<string, ChatMention>;
  people: Map<string, PersonMention>;
  members: Map<string, MemberMention>;
  messages: Map<string, MessageMention>;
  /** Conversations that might be acknowledged. */
  conversations: Map<string, ConversationKey>;
}

export function mentionsOf(batch: readonly Incoming[]): Mentions {
  const mentions: Mentions = {
    heldChats: new Map(),
    privateChats: new Map(),
    people: new Map(),
    members: new Map(),
    messages: new Map(),
    conversations: new Map(),
  };
  for (const incoming of batch) add(mentions, incoming);
  return mentions;
}

function add(mentions: Mentions, { scope, update }: Incoming): void {
  const addChat = (chatId: string, held: boolean) => {
    const chats = held ? mentions.heldChats : mentions.privateChats;
    chats.set(chatKeyOf(scope, chatId), { scope, chatId });
  };
  const addPerson = (userId: string) =>
    mentions.people.set(contactKeyOf(scope, userId), { scope, userId });
  const addMember = (chatId: string, userId: string) => {
    addPerson(userId);
    mentions.members.set(memberKeyOf(scope, chatId, userId), { scope, chatId, userId });
  };

  const addMessage = (chatId: string, messageId: string, businessConnectionId: string) => {
    const key: MessageKey = { scope, chatId, messageId, businessConnectionId };
    const name = messageKeyOf(key);
    const mention = mentions.messages.get(name) ?? { key, versionsAtS: new Set() };
    mentions.messages.set(name, mention);
    return mention;
  };

  switch (update.kind) {
    case "message": {
      const { message, edited } = update;
      const held = needsLink(message.chat.type);
      addChat(message.chat.id, held);
      if (held && message.migrateToChatId) addChat(message.migrateToChatId, true);
      if (held && message.migrateFromChatId) addChat(message.migrateFromChatId, true);
      if (message.from) addPerson(message.from.id);
      for (const user of message.joined) addMember(message.chat.id, user.id);
      if (message.left) addMember(message.chat.id, message.left.id);
      const { businessConnectionId, pinnedMessageId } = message;
      const mention = addMessage(message.chat.id, message.messageId, businessConnectionId);
      mention.versionsAtS.add(versionOf(message, edited).versionAtS);
      if (pinnedMessageId !== null) {
        addMessage(message.chat.id, pinnedMessageId, businessConnectionId);
      }
      if (!held && !edited && message.businessConnectionId === "") {
        const conversation: ConversationKey = {
          scope,
          chatId: message.chat.id,
          threadId: (message.isTopicMessage && message.threadId) || "0",
          businessConnectionId: "",
        };
        mentions.conversations.set(conversationKeyOf(conversation), conversation);
      }
      return;
    }
    case "membership":
      addChat(update.chat.id, needsLink(update.chat.type));
      addMember(update.chat.id, update.user.id);
      return;
    case "callback":
      if (update.chat) addChat(update.chat.id, needsLink(update.chat.type));
      addPerson(update.user.id);
      return;
    case "inline-query":
      addPerson(update.user.id);
      return;
    case "join-request":
      addChat(update.chat.id, needsLink(update.chat.type));
      addMember(update.chat.id, update.user.id);
      return;
    case "reaction":
      addChat(update.chat.id, needsLink(update.chat.type));
      if (update.user) addPerson(update.user.id);
      return;
    case "deletion":
      addChat(update.chat.id, needsLink(update.chat.type));
      for (const id of update.messageIds) {
        addMessage(update.chat.id, id, update.businessConnectionId);
      }
      return;
    case "business-connection":
      addPerson(update.user.id);
      return;
    case "poll-answer":
      addPerson(update.voterId);
      return;
    case "other":
      if (update.userId !== undefined) addPerson(update.userId);
      return;
    case "poll":
      return;
  }
}
