import { badRequest } from "../errors.ts";
import { renderBot } from "../render.ts";
import type { BotCommand } from "../telegram-objects.ts";
import { type Method, type MethodCall, objectParam, stringParam } from "./call.ts";

/** Methods about the bot itself: who it is, and what it says of itself. */

export const getMe: Method = ({ bot }) => ({
  ...renderBot(bot),
  can_join_groups: true,
  can_read_all_group_messages: bot.canReadAllGroupMessages,
  supports_inline_queries: bot.inline ?? false,
  can_connect_to_business: true,
  has_main_web_app: false,
});

/** Scope and language, as one key: Telegram keeps a list for each pair. */
function commandsKey(call: MethodCall): string {
  const scope = objectParam<{ type: string; chat_id?: number | string; user_id?: number }>(
    call,
    "scope",
  );
  const parts = [scope?.type ?? "default", scope?.chat_id ?? "", scope?.user_id ?? ""];
  return `${parts.join("/")}:${stringParam(call, "language_code") ?? ""}`;
}

/** Bot API: at most 100 commands of 1–32 `[a-z0-9_]`, descriptions of 1–256 characters. */
export const setMyCommands: Method = (call) => {
  const commands = objectParam<BotCommand[]>(call, "commands") ?? [];
  if (commands.length > 100) throw badRequest("too many commands specified");
  const stored = commands.map(({ command, description }) => {
    const name = command.replace(/^\//, "");
    if (!/^[a-z0-9_]{1,32}$/.test(name)) throw badRequest("BOT_COMMAND_INVALID");
    if (description.trim() === "" || description.length > 256)
      throw badRequest("BOT_COMMAND_DESCRIPTION_INVALID");
    return { command: name, description };
  });
  call.bot.commands.set(commandsKey(call), stored);
  return changed(call);
};

export const getMyCommands: Method = (call) => call.bot.commands.get(commandsKey(call)) ?? [];

export const deleteMyCommands: Method = (call) => {
  call.bot.commands.delete(commandsKey(call));
  return changed(call);
};

function changed(call: MethodCall): true {
  call.core.changed();
  call.core.record.add({ kind: "changed", what: "bots", botId: call.bot.id });
  return true;
}

function setText(field: string, limit: number): Method {
  return (call) => {
    const text = stringParam(call, field) ?? "";
    if (text.length > limit) throw badRequest(`bot ${field.replaceAll("_", " ")} is too long`);
    const key = `${field}:${stringParam(call, "language_code") ?? ""}`;
    if (text === "") call.bot.texts.delete(key);
    else call.bot.texts.set(key, text);
    return changed(call);
  };
}

function getText(field: string): Method {
  return (call) => {
    const language = stringParam(call, "language_code") ?? "";
    const text = call.bot.texts.get(`${field}:${language}`) ?? call.bot.texts.get(`${field}:`);
    return { [field]: text ?? (field === "name" ? call.bot.name : "") };
  };
}

export const setMyName = setText("name", 64);
export const getMyName = getText("name");
export const setMyDescription = setText("description", 512);
export const getMyDescription = getText("description");
export const setMyShortDescription = setText("short_description", 120);
export const getMyShortDescription = getText("short_description");
