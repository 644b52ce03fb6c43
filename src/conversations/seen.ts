import { type ChatState, type Context, detailsOf } from "./context.ts";
import type { Effect, Scope } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import { chatKeyOf, contactKeyOf, memberKeyOf } from "./keys.ts";
import type { MemberStatus, TelegramChat, TelegramUser } from "./telegram-types.ts";

/** What any update shows of chats, people and who is where: effects only for what is news. */

export function chatSeen(scope: Scope, chat: TelegramChat, context: Context): Effect[] {
  const known = context.chats.get(chatKeyOf(scope, chat.id));
  return known && hasDetails(known, chat) ? [] : [{ type: "chat-seen", scope, chat }];
}

function hasDetails(known: ChatState, chat: TelegramChat): boolean {
  const { type, title, username, isForum } = detailsOf(chat);
  return (
    known.type === type &&
    known.title === title &&
    known.username === username &&
    known.isForum === isForum
  );
}

/** Details of people, where they are newer than what is known. */
export function contactsSeen(
  incoming: Incoming,
  users: TelegramUser[],
  context: Context,
): Effect[] {
  const { scope, receivedAtMs } = incoming;
  const effects: Effect[] = [];
  const seen = new Set<string>();
  for (const user of users) {
    const known = context.contacts.get(contactKeyOf(scope, user.id));
    if (seen.has(user.id) || (known && known.updatedAtMs > receivedAtMs)) continue;
    seen.add(user.id);
    if (known && isSameUser(known.user, user)) continue;
    effects.push({ type: "contact-seen", scope, user, atMs: receivedAtMs });
  }
  return effects;
}

function isSameUser(a: TelegramUser, b: TelegramUser): boolean {
  return (
    a.firstName === b.firstName &&
    a.lastName === b.lastName &&
    a.username === b.username &&
    a.languageCode === b.languageCode &&
    a.isBot === b.isBot
  );
}

export function memberChange(
  scope: Scope,
  chatId: string,
  user: TelegramUser,
  status: MemberStatus,
  sinceS: number,
  context: Context,
): Effect[] {
  const known = context.members.get(memberKeyOf(scope, chatId, user.id));
  if (known && known.sinceS > sinceS) return [];
  if (known && known.sinceS === sinceS && known.status === status) return [];
  return [{ type: "member-changed", scope, chatId, userId: user.id, status, sinceS }];
}
