import { type LinkedChat, listLostChats } from "../conversations/index.ts";
import type { Queryable } from "../platform/index.ts";
import type { ConnectorRow } from "./connector-row.ts";

/** What would surprise a team lead about a connector, and what to do: read off its row. */
export function standingWarnings(row: ConnectorRow, isPolling: boolean): string[] {
  const warnings: string[] = [];
  if (!row.can_read_all_group_messages) warnings.push(PRIVACY);
  if (row.status === "active" && row.webhook_url === null && !isPolling) {
    warnings.push(UNREGISTERED);
  }
  return warnings;
}

/** Named in a warning; the list of chats shows all of them. */
const MAX_NAMED = 5;

/** The same of a connector's linked chats: those where it was put out, or may not write. */
export async function chatWarnings(db: Queryable, row: ConnectorRow): Promise<string[]> {
  const scope = { workspaceId: row.workspace_id, connectorId: row.id };
  return wordsOfLost(await listLostChats(db, scope, MAX_NAMED + 1));
}

/** Pure. `chats`: one more than are named, if there are more. */
export function wordsOfLost(chats: readonly LinkedChat[]): string[] {
  if (chats.length === 0) return [];
  const named = chats.slice(0, MAX_NAMED).map(({ chatId, title }) => title ?? chatId);
  const all = chats.length > MAX_NAMED ? `${named.join(", ")} and others` : named.join(", ");
  return [
    `The bot was put out of linked chats, or may not write there: ${all}. Add it again as an administrator, or end their links.`,
  ];
}

const PRIVACY =
  "Privacy mode is on: in groups this bot sees only commands, replies to it and mentions. " +
  "To let it see every message, turn privacy off with @BotFather (/setprivacy), then remove the " +
  "bot from each group and add it again, or make it an administrator there.";

const UNREGISTERED =
  "Its webhook is not registered at the moment, so no messages come in: Telegram keeps them for a " +
  "day. It is tried again by itself within two minutes; if this stays, test the connection.";
