import { renderMessage } from "../render.ts";
import type { TelegramMessage } from "../telegram-objects.ts";
import type { Chat, StoredMessage } from "../world.ts";
import type { MethodCall } from "./call.ts";

/** A message as the caller sees it, with the connection it was reached by. */
export function shownTo(call: MethodCall, chat: Chat, message: StoredMessage): TelegramMessage {
  const connectionId = call.params.business_connection_id;
  return {
    ...renderMessage(call.core.world, chat, message, call.bot.id),
    ...(typeof connectionId === "string" && { business_connection_id: connectionId }),
  };
}
