import type { Core } from "./core.ts";
import { webhookInfo } from "./methods/index.ts";
import { renderBot, renderMessage, renderPerson } from "./render.ts";
import type { WebhookInfo } from "./sandbox-types.ts";
import type {
  BotCommand,
  ChatType,
  MemberStatus,
  TelegramMessage,
  TelegramUser,
} from "./telegram-objects.ts";
import { type Chat, isPresent } from "./world.ts";

/** All there is, as the chat page needs it: no tokens, and of each chat only its last message. */
export interface Overview {
  users: (TelegramUser & { deactivated: boolean })[];
  bots: (TelegramUser & {
    privacy: boolean;
    webhook: WebhookInfo;
    description: string;
    /** By scope: `default`, `all_private_chats`, `all_group_chats`. */
    commands: Record<string, BotCommand[]>;
    blockedBy: number[];
    inline: boolean;
  })[];
  chats: {
    key: string;
    id: number;
    type: ChatType;
    title?: string;
    botId?: number;
    members: { id: number; status: MemberStatus }[];
    topics: { id: number; name: string }[];
    /** Message ids, newest last. */
    pinned?: number[];
    joinRequests: number[];
    migratedTo?: number;
    lastMessage?: TelegramMessage;
  }[];
  lastSeq: number;
}

export function overview(core: Core): Overview {
  const { world } = core;
  return {
    users: [...world.people.values()].map((person) => ({
      ...renderPerson(person),
      deactivated: person.deactivated,
    })),
    bots: [...world.bots.values()].map((bot) => ({
      ...renderBot(bot),
      privacy: !bot.canReadAllGroupMessages,
      webhook: webhookInfo(bot, core.updatesOf(bot.id)),
      description: bot.texts.get("description:") ?? "",
      commands: Object.fromEntries(
        ["default", "all_private_chats", "all_group_chats"].flatMap((scope) => {
          const commands = bot.commands.get(`${scope}//:`);
          return commands === undefined ? [] : [[scope, commands]];
        }),
      ),
      inline: bot.inline ?? false,
      blockedBy: [...bot.contacts].filter(([, is]) => is === "blocked").map(([id]) => id),
    })),
    // Of an account that a bot looks after, the page shows nothing: it is one bot's and one person's.
    chats: [...world.chats.values()].filter(isShown).map((chat) => {
      const last = [...chat.messages.keys()].at(-1);
      const lastMessage = last === undefined ? undefined : chat.messages.get(last);
      return {
        key: chat.key,
        id: chat.id,
        type: chat.type,
        ...(chat.title !== undefined && { title: chat.title }),
        ...(chat.botId !== undefined && { botId: chat.botId }),
        members: [...chat.members]
          .filter(([, status]) => isPresent(status))
          .map(([id, status]) => ({ id, status })),
        topics: [...chat.topics].map(([id, name]) => ({ id, name })),
        ...(chat.pinned !== undefined && { pinned: chat.pinned }),
        joinRequests: [...(chat.joinRequests?.keys() ?? [])],
        ...(chat.migratedTo !== undefined && { migratedTo: chat.migratedTo }),
        ...(lastMessage !== undefined && {
          lastMessage: renderMessage(world, chat, lastMessage, 0),
        }),
      };
    }),
    lastSeq: core.record.lastSeq,
  };
}

function isShown(chat: Chat): boolean {
  return chat.businessUserId === undefined;
}
