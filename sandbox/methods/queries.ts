import { badRequest } from "../errors.ts";
import { flagParam, type Method, stringParam } from "./call.ts";

/** Bot API: answerCallbackQuery. Too late, or for another bot's query, it is an error. */
export const answerCallbackQuery: Method = (call) => {
  const { core, bot } = call;
  const id = stringParam(call, "callback_query_id") ?? "";
  const text = stringParam(call, "text");
  const query = core.callbacks.get(id);
  const inTime =
    query !== undefined && core.clock.now() - query.atMs <= core.limits.callbackAnswerMs;
  if (query?.botId !== bot.id || !inTime)
    throw badRequest("query is too old and response timeout expired or query ID is invalid");
  if (text !== undefined && text.length > 200) throw badRequest("MESSAGE_TOO_LONG");
  core.record.add({
    kind: "callbackAnswer",
    botId: bot.id,
    userId: query.userId,
    callbackQueryId: id,
    ...(text !== undefined && { text }),
    showAlert: flagParam(call, "show_alert"),
  });
  return true;
};
