import { badRequest } from "../errors.ts";
import { close, newPoll } from "../polls.ts";
import { renderPoll } from "../render.ts";
import type { ReplyMarkup } from "../telegram-objects.ts";
import { flagParam, type Method, meter, numberParam, objectParam, stringParam } from "./call.ts";
import { common, deliver } from "./new-message.ts";
import { checkMarkup } from "./reply-markup.ts";
import { chatFor, chatToSendTo } from "./target.ts";

/** Bot API: sendPoll. Question 1–300, 2–12 options of 1–100 characters; a quiz has its answers. */
export const sendPoll: Method = (call) => {
  const chat = chatToSendTo(call);
  const question = (stringParam(call, "question") ?? "").trim();
  if (question === "") throw badRequest("poll question must be non-empty");
  if (question.length > 300) throw badRequest("poll question length must not exceed 300");
  const options = (objectParam<(string | { text: string })[]>(call, "options") ?? []).map(
    (option) => (typeof option === "string" ? option : option.text).trim(),
  );
  if (options.length < 2) throw badRequest("poll must have at least 2 option");
  if (options.length > 12) throw badRequest("poll can't have more than 12 options");
  if (options.includes("")) throw badRequest("poll options must be non-empty");
  if (options.some((option) => option.length > 100))
    throw badRequest("poll options length must not exceed 100");
  const isQuiz = stringParam(call, "type") === "quiz";
  const correctOptionIds = objectParam<number[]>(call, "correct_option_ids");
  if (
    isQuiz &&
    (correctOptionIds === undefined ||
      correctOptionIds.length === 0 ||
      correctOptionIds.some((option) => options[option] === undefined))
  )
    throw badRequest("wrong correct option ID specified");
  const isAnonymous = call.params.is_anonymous !== false;
  if (chat.type === "channel" && !isAnonymous)
    throw badRequest("non-anonymous polls can't be sent to channel chats");
  const draft = common(call, chat);
  meter(call, chat);
  return deliver(call, chat, {
    ...draft,
    poll: newPoll({
      question,
      options,
      isAnonymous,
      allowsMultipleAnswers: flagParam(call, "allows_multiple_answers"),
      isClosed: flagParam(call, "is_closed"),
      ...(isQuiz && correctOptionIds !== undefined && { correctOptionIds }),
    }),
  });
};

export const stopPoll: Method = (call) => {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  const message = chat.messages.get(numberParam(call, "message_id") ?? -1);
  if (message?.poll === undefined) throw badRequest("message with poll to stop not found");
  const isOwn = message.from === call.bot.id || chat.type === "channel";
  if (!isOwn) throw badRequest("poll can't be stopped");
  if (message.poll.isClosed) throw badRequest("poll has already been closed");
  const markup = checkMarkup(objectParam<ReplyMarkup>(call, "reply_markup"), chat);
  if (markup === undefined) delete message.replyMarkup;
  else message.replyMarkup = markup;
  close(call.core, chat, message, message.poll);
  return renderPoll(message.poll);
};
