import { type BotApi, BotApiError } from "../telegram/index.ts";

/** Bot API: BotCommand. */
export interface BotCommand {
  command: string;
  description: string;
}

/** Bot API: setMyCommands. What is not said of a list counts where no other is closer. */
export interface CommandList {
  /** Bot API: BotCommandScope. Default: everywhere. */
  scope?: { type: "all_private_chats" | "all_group_chats" };
  /** Two letters. Default: whatever people speak. */
  languageCode?: string;
  commands: BotCommand[];
}

const CALL_TIMEOUT_MS = 15_000;

/** Answers a warning where Telegram does not take them, and asks no further: the bot works without. */
export async function setCommandLists(
  api: BotApi,
  lists: readonly CommandList[],
  { signal }: { signal?: AbortSignal } = {},
): Promise<string[]> {
  try {
    for (const { scope, languageCode, commands } of lists) {
      const where = {
        ...(scope === undefined ? {} : { scope }),
        ...(languageCode === undefined ? {} : { language_code: languageCode }),
      };
      await api.call(
        "setMyCommands",
        { commands, ...where },
        { timeoutMs: CALL_TIMEOUT_MS, signal },
      );
    }
    return [];
  } catch (error) {
    if (!(error instanceof BotApiError)) throw error;
    return [`The command menu could not be set: ${error.description}.`];
  }
}
