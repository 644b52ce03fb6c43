import { badRequest } from "../errors.ts";
import { reactionEmojis, show } from "../reactions.ts";
import { type Method, numberParam, objectParam } from "./call.ts";
import { chatFor } from "./target.ts";

/** Bot API: setMessageReaction. A bot shows one emoji at most; none takes it away. */
export const setMessageReaction: Method = (call) => {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  const message = chat.messages.get(numberParam(call, "message_id") ?? -1);
  if (message === undefined) throw badRequest("message to react not found");
  if (message.service !== undefined) throw badRequest("message can't be reacted");
  const given = objectParam<{ type: string; emoji?: string }[]>(call, "reaction") ?? [];
  if (given.length > 1) throw badRequest("REACTIONS_TOO_MANY");
  const emojis = given.map(({ type, emoji }) => {
    if (type !== "emoji" || emoji === undefined || !reactionEmojis.has(emoji))
      throw badRequest("REACTION_INVALID");
    return emoji;
  });
  show(call.core, chat, message, call.bot.id, emojis);
  return true;
};
