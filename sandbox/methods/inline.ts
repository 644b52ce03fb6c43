import { badRequest } from "../errors.ts";
import { answer, type InlineResult } from "../inline.ts";
import type { MessageEntity, ReplyMarkup } from "../telegram-objects.ts";
import { flagParam, type Method, numberParam, objectParam, stringParam } from "./call.ts";
import { messageText } from "./format.ts";
import { checkButtons } from "./reply-markup.ts";

interface GivenResult {
  id: string;
  type: string;
  title?: string;
  description?: string;
  reply_markup?: ReplyMarkup;
  input_message_content?: {
    message_text?: string;
    parse_mode?: string;
    entities?: MessageEntity[];
  };
}

const maxResults = 50;
const defaultCacheTimeS = 300;

/** Bot API: answerInlineQuery. Results whose message is text; others are refused. */
export const answerInlineQuery: Method = (call) => {
  const given = objectParam<GivenResult[]>(call, "results") ?? [];
  if (given.length > maxResults) throw badRequest("RESULTS_TOO_MUCH");
  const nextOffset = stringParam(call, "next_offset") ?? "";
  if (Buffer.byteLength(nextOffset) > 64) throw badRequest("NEXT_OFFSET_INVALID");
  if (new Set(given.map(({ id }) => id)).size < given.length)
    throw badRequest("RESULT_ID_DUPLICATE");
  const results = given.map(readResult);
  const button = objectParam<{ text: string; start_parameter?: string }>(call, "button");
  const isTaken = answer(call.core, call.bot.id, stringParam(call, "inline_query_id") ?? "", {
    results,
    nextOffset,
    ...(button !== undefined && { button }),
    cacheTimeS: Math.max(0, numberParam(call, "cache_time") ?? defaultCacheTimeS),
    isPersonal: flagParam(call, "is_personal"),
  });
  if (!isTaken)
    throw badRequest("query is too old and response timeout expired or query ID is invalid");
  return true;
};

function readResult(given: GivenResult): InlineResult {
  const idBytes = Buffer.byteLength(given.id);
  if (idBytes < 1 || idBytes > 64) throw badRequest("RESULT_ID_INVALID");
  const { message_text: text, parse_mode: mode, entities } = given.input_message_content ?? {};
  if (text === undefined)
    throw badRequest(
      `the sandbox does not simulate inline results of type ${given.type} without text`,
    );
  if (given.type === "article" && given.title?.trim() === "")
    throw badRequest("ARTICLE_TITLE_EMPTY");
  const replyMarkup = checkButtons(given.reply_markup);
  return {
    id: given.id,
    type: given.type,
    ...(given.title !== undefined && { title: given.title }),
    ...(given.description !== undefined && { description: given.description }),
    content: messageText(text, mode, entities),
    ...(replyMarkup !== undefined && { replyMarkup }),
  };
}
