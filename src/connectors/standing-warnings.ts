import type { ConnectorRow } from "./connector-row.ts";

/** What would surprise a team lead about a connector, and what to do: read off its row. */
export function standingWarnings(row: ConnectorRow): string[] {
  const warnings: string[] = [];
  if (!row.can_read_all_group_messages) warnings.push(PRIVACY);
  if (row.status === "active" && row.webhook_url === null) warnings.push(UNREGISTERED);
  return warnings;
}

const PRIVACY =
  "Privacy mode is on: in groups this bot sees only commands, replies to it and mentions. " +
  "To let it see every message, turn privacy off with @BotFather (/setprivacy), then remove the " +
  "bot from each group and add it again, or make it an administrator there.";

const UNREGISTERED =
  "Its webhook is not registered at the moment, so no messages come in: Telegram keeps them for a " +
  "day. It is tried again by itself within two minutes; if this stays, test the connection.";
