import type { Core } from "./core.ts";
import { SandboxError } from "./errors.ts";
import type { NewPoll, Vote } from "./person-actions.ts";
import { memberChat, messageIn } from "./places.ts";
import { announce } from "./post.ts";
import { renderPerson, renderPoll } from "./render.ts";
import { type Chat, newId, type StoredMessage, type StoredPoll } from "./world.ts";

/**
 * Polls. A bot hears of votes only in polls of its own: of each vote by name where the poll is not
 * anonymous, and of the poll as it then stands (Bot API: Poll, PollAnswer).
 */

export function newPoll(
  poll: NewPoll & { correctOptionIds?: number[]; isClosed?: boolean },
): StoredPoll {
  return {
    id: newId(),
    question: poll.question,
    options: poll.options.map((text, index) => ({ id: `${index + 1}`, text })),
    isAnonymous: poll.isAnonymous ?? true,
    allowsMultipleAnswers: poll.allowsMultipleAnswers ?? false,
    ...(poll.correctOptionIds !== undefined && { correctOptionIds: poll.correctOptionIds }),
    isClosed: poll.isClosed ?? false,
    votes: new Map(),
  };
}

/** Sent on, a poll begins anew. */
export function copyOfPoll(poll: StoredPoll): StoredPoll {
  return { ...poll, id: newId(), votes: new Map() };
}

export function vote(core: Core, cast: Vote): void {
  const chat = memberChat(core, cast, cast.from);
  const message = messageIn(chat, cast.messageId);
  const { poll } = message;
  if (poll === undefined) throw new SandboxError(`message ${message.id} is no poll`);
  if (poll.isClosed) throw new SandboxError(`poll ${poll.id} is closed`);
  const optionIds = [...new Set(cast.optionIds)];
  if (optionIds.some((option) => poll.options[option] === undefined))
    throw new SandboxError(`poll ${poll.id} has options 0 to ${poll.options.length - 1}`);
  if (optionIds.length > 1 && !poll.allowsMultipleAnswers)
    throw new SandboxError(`poll ${poll.id} takes one answer`);
  if (poll.correctOptionIds !== undefined && poll.votes.has(cast.from))
    throw new SandboxError(`user ${cast.from} has answered quiz ${poll.id} already`);
  if (optionIds.length === 0) poll.votes.delete(cast.from);
  else poll.votes.set(cast.from, optionIds);
  announce(core, chat, message, "voted");
  const botId = message.from;
  if (botId === undefined || !core.world.bots.has(botId)) return;
  if (!poll.isAnonymous)
    core.updatesOf(botId).push({
      poll_answer: {
        poll_id: poll.id,
        user: renderPerson(core.world.person(cast.from)),
        option_ids: optionIds,
        option_persistent_ids: optionIds.map((option) => poll.options[option]?.id ?? ""),
      },
    });
  core.updatesOf(botId).push({ poll: renderPoll(poll) });
}

/** Nobody votes any more; the poll's own bot hears how it ended. */
export function close(core: Core, chat: Chat, message: StoredMessage, poll: StoredPoll): void {
  poll.isClosed = true;
  announce(core, chat, message, "voted");
  if (message.from !== undefined && core.world.bots.has(message.from))
    core.updatesOf(message.from).push({ poll: renderPoll(poll) });
}
