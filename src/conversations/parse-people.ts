import { asFields, asFilledText, asId, asText, type Fields } from "./fields.ts";
import { CHAT_TYPES, type TelegramChat, type TelegramUser } from "./telegram-types.ts";

/**
 * Bot API: Chat; undefined without id or with a type that does not exist yet. A private chat has the
 * person's id: what calls itself private under a group's id might be a group that nobody linked.
 */
export function parseChat(json: unknown): TelegramChat | undefined {
  const chat = asFields(json);
  const id = asId(chat?.id);
  const type = CHAT_TYPES.find((known) => known === chat?.type);
  if (chat === undefined || id === undefined || type === undefined) return undefined;
  if (type === "private" && Number(id) <= 0) return undefined;
  const title = type === "private" ? fullName(chat) : (asFilledText(chat.title) ?? null);
  const username = asFilledText(chat.username) ?? null;
  return { id, type, title, username, isForum: chat.is_forum === true };
}

function fullName(person: Fields): string | null {
  const names = [asFilledText(person.first_name), asFilledText(person.last_name)];
  return names.filter((name) => name !== undefined).join(" ") || null;
}

/** Bot API: User; undefined without id. */
export function parseUser(json: unknown): TelegramUser | undefined {
  const user = asFields(json);
  const id = asId(user?.id);
  if (user === undefined || id === undefined) return undefined;
  return {
    id,
    isBot: user.is_bot === true,
    firstName: asText(user.first_name) ?? "",
    lastName: asFilledText(user.last_name) ?? null,
    username: asFilledText(user.username) ?? null,
    languageCode: asFilledText(user.language_code) ?? null,
  };
}
