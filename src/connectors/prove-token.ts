import { Problem } from "../platform/index.ts";
import { type BotApi, BotApiError } from "../telegram/index.ts";

/** A bot's own account (Bot API: User, as getMe answers it). */
export interface Me {
  id: number;
  username?: string;
  can_read_all_group_messages?: boolean;
}

/** What a bot's token looks like: anything else is not worth asking Telegram about. */
export const BOT_TOKEN_SHAPE = /^[0-9]{3,20}:[A-Za-z0-9_-]{10,100}$/;

/** True when Telegram says that it does not know the token (any more). */
export const isRefusal = (error: unknown): boolean =>
  error instanceof BotApiError && (error.kind === "unauthorized" || error.kind === "not-found");

/** The token is refused: by getMe, or since. `what` says what that means for the connector. */
export const tokenRefused = (what: string) =>
  new Problem(
    422,
    "Token refused",
    `Telegram refuses this bot token. Copy it again from @BotFather; ${what}.`,
    { errors: [{ path: "botToken", message: "refused by Telegram" }] },
  );

/** Bot API: getMe. Throws `Problem` 422 when the token is refused. */
export async function proveToken(api: BotApi): Promise<Me> {
  try {
    return await api.call<Me>("getMe", {}, { timeoutMs: 10_000 });
  } catch (error) {
    if (isRefusal(error)) throw tokenRefused("nothing was stored");
    throw telegramProblem(error, "The token could not be checked");
  }
}

/** A failure of Telegram's as an answer; any other error as it is. */
export function telegramProblem(error: unknown, what: string): unknown {
  if (!(error instanceof BotApiError)) return error;
  return new Problem(
    502,
    "Telegram did not do it",
    `${what}: ${error.description}. Nothing was stored; try again.`,
  );
}
