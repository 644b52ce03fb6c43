import { entityText } from "./entities.ts";
import { type Bot, type Chat, isPresent, type StoredMessage } from "./world.ts";

/**
 * Which bots hear of a message (Bot FAQ: What messages will my bot get?). In a group, a bot in
 * privacy mode gets commands meant for it, commands for nobody in particular, replies to it,
 * mentions of it, what was posted via it and service messages; an administrator, or a bot without privacy mode, gets all.
 * Bots never hear other bots.
 */
export function seesMessage(
  bot: Bot,
  chat: Chat,
  message: StoredMessage,
  fromBot: boolean,
): boolean {
  const status = chat.members.get(bot.id);
  if (!isPresent(status)) return false;
  if (message.from === bot.id && !isHeardByItsMaker(message)) return false;
  if (fromBot && message.service === undefined) return false;
  if (chat.type === "private") return true;
  if (chat.type === "channel") return status === "administrator";
  if (bot.canReadAllGroupMessages || status === "administrator") return true;
  if (message.service !== undefined || message.viaBot === bot.id) return true;
  if (message.replyTo !== undefined && chat.messages.get(message.replyTo)?.from === bot.id)
    return true;
  return (
    addresses(bot, message.text, message.entities) ||
    addresses(bot, message.caption, message.captionEntities)
  );
}

/** Of what a bot does itself it hears of pins and topics (telegram-bot-api: skipped updates). */
function isHeardByItsMaker({ service }: StoredMessage): boolean {
  return service?.kind === "pinned" || (service?.kind.startsWith("topic") ?? false);
}

function addresses(
  bot: Bot,
  text: string | undefined,
  entities: StoredMessage["entities"],
): boolean {
  if (text === undefined || entities === undefined) return false;
  const username = bot.username.toLowerCase();
  return entities.some((entity) => {
    const words = entityText(text, entity).toLowerCase();
    if (entity.type === "mention") return words === `@${username}`;
    if (entity.type !== "bot_command") return false;
    const addressee = words.split("@")[1];
    return addressee === undefined || addressee === username;
  });
}
