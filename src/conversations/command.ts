/** A command as the Bot API defines it: 1–32 of `[a-z0-9_]`, perhaps addressed to one bot. */
export interface Command {
  /** Lower case, without the slash. */
  name: string;
  /** Lower case, without the @; null: whoever listens. */
  addressee: string | null;
}

const COMMAND = /^\/([a-z0-9_]{1,32})(?:@([a-z0-9_]{1,64}))?(?=\s|$)/i;

/** The command that `text` starts with. */
export function parseCommand(text: string): Command | undefined {
  const match = COMMAND.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { name: match[1].toLowerCase(), addressee: match[2]?.toLowerCase() ?? null };
}

/**
 * Whether a command is meant for this bot. Usernames ignore case; as long as the bot's own is not
 * known, an addressed command is somebody else's.
 */
export function isForBot(command: Command, botUsername: string | null): boolean {
  return command.addressee === null || command.addressee === botUsername?.toLowerCase();
}
