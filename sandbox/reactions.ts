import { type Core, unixTime } from "./core.ts";
import { SandboxError } from "./errors.ts";
import type { Reaction } from "./person-actions.ts";
import { memberChat, messageIn } from "./places.ts";
import { announce } from "./post.ts";
import { renderChat, renderPerson } from "./render.ts";
import type { Chat, StoredMessage } from "./world.ts";

/**
 * Emojis that people show of a message. A bot hears of them where it talks in private or is
 * administrator, and only if it asked for the kind; in channels, where nobody is named, it hears
 * the counts (Bot API: MessageReactionUpdated, MessageReactionCountUpdated).
 */

/** Bot API: ReactionTypeEmoji, the emojis there are. */
export const reactionEmojis = new Set(
  "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡".split(
    " ",
  ),
);

export function react(core: Core, reaction: Reaction): void {
  const chat = memberChat(core, reaction, reaction.from);
  const message = messageIn(chat, reaction.messageId);
  const emojis = [...new Set(reaction.emojis)];
  for (const emoji of emojis)
    if (!reactionEmojis.has(emoji)) throw new SandboxError(`${emoji} is no reaction of Telegram's`);
  if (message.service !== undefined)
    throw new SandboxError(`message ${message.id} is about the chat: nobody can react to it`);
  show(core, chat, message, reaction.from, emojis);
}

/** Shows exactly these emojis of somebody, person or bot. Of bots' reactions no bot hears. */
export function show(
  core: Core,
  chat: Chat,
  message: StoredMessage,
  memberId: number,
  emojis: string[],
): void {
  const { world } = core;
  message.reactions ??= new Map();
  const before = message.reactions.get(memberId) ?? [];
  if (JSON.stringify(before) === JSON.stringify(emojis)) return;
  if (emojis.length === 0) message.reactions.delete(memberId);
  else message.reactions.set(memberId, emojis);
  announce(core, chat, message, "reacted");
  const person = world.people.get(memberId);
  if (person === undefined) return;
  const common = {
    chat: renderChat(world, chat),
    message_id: message.id,
    date: unixTime(core),
  };
  const update =
    chat.type === "channel"
      ? { message_reaction_count: { ...common, reactions: counts(message.reactions) } }
      : {
          message_reaction: {
            ...common,
            user: renderPerson(person),
            old_reaction: before.map(typeOf),
            new_reaction: emojis.map(typeOf),
          },
        };
  for (const [id, status] of chat.members)
    if (world.bots.has(id) && (chat.type === "private" || status === "administrator"))
      core.updatesOf(id).push(update);
}

const typeOf = (emoji: string) => ({ type: "emoji", emoji });

function counts(reactions: Map<number, string[]>) {
  const totals = new Map<string, number>();
  for (const emoji of [...reactions.values()].flat())
    totals.set(emoji, (totals.get(emoji) ?? 0) + 1);
  return [...totals].map(([emoji, total]) => ({ type: typeOf(emoji), total_count: total }));
}
