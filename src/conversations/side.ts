import type { ChatPurpose } from "./chat-links.ts";
import { REQUEST_COMMANDS } from "./chat-request.ts";
import { isForBot, parseCommand } from "./command.ts";
import { isSaidByPeople } from "./parse-content.ts";
import type { TelegramMessage } from "./telegram-types.ts";

/** The two sides of a conversation. */
export type Side = "customer" | "team";

/** Posts of a channel that Telegram copies into its discussion group come from this account. */
const TELEGRAM_ITSELF = "777000";

/** Commands that need nobody: the bot answers them itself, and nothing is left to do. */
const ANSWERED_COMMANDS: ReadonlySet<string> = new Set(["start", ...REQUEST_COMMANDS]);

/** What else decides whose word a message is. */
export interface SideContext {
  purpose: ChatPurpose | null;
  botUsername: string | null;
  /** The writer is one of the workspace's people, and an agent. */
  isAgent: boolean;
}

/**
 * Whose word a message is that Telegram delivered; null: nobody's, and the queue does not look at it.
 * What bots, channels and Telegram say is nobody's, and so is what is said in a group that serves
 * compliance, or to another bot. A message "out" is a business account's own: the team's, unless the
 * account was offline (Bot API: is_from_offline), for greetings and away messages answer nothing.
 */
export function sideOf(
  message: TelegramMessage,
  direction: "in" | "out",
  { purpose, botUsername, isAgent }: SideContext,
): Side | null {
  const { chat, content, from } = message;
  if (!isSaidByPeople(content.kind)) return null;
  if (direction === "out") return message.isFromOffline ? null : "team";
  if (from === null || from.isBot || from.id === TELEGRAM_ITSELF) return null;
  if (chat.type === "channel" || purpose === "compliance") return null;
  if (content.kind === "text" && message.businessConnectionId === "") {
    const command = parseCommand(content.text ?? "");
    if (command && !isForBot(command, botUsername)) return null;
    if (command && ANSWERED_COMMANDS.has(command.name)) return null;
    // In a group it is answered by nobody.
    if (command?.name === "stop" && chat.type === "private") return null;
  }
  // With the bot itself an agent is alone; what they try there is as if a customer had.
  return isAgent && chat.type !== "private" ? "team" : "customer";
}
