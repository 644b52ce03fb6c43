/**
 * Where an update belongs, decided without I/O from its outermost fields: its lane, and the group
 * that must be linked for it to be kept.
 */
export interface RoutedUpdate {
  /** The update's one field besides `update_id`: `message`, `callback_query`, … or `unknown`. */
  kind: string;
  lane: string;
  /** The group, supergroup or channel it comes from; null for private chats and chatless kinds. */
  groupId: string | null;
  /** Kept though the group is not linked: what linking itself needs. */
  neededForLinking: boolean;
  /** A group's migration: its link moves to the new id. */
  migration: { fromChatId: string; toChatId: string } | null;
}

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** An id of Telegram as a decimal string (they fit 52 bits), or null. */
function idOf(value: unknown): string | null {
  return Number.isSafeInteger(value) ? String(value) : null;
}

const GROUP_TYPES = new Set(["group", "supergroup", "channel"]);
const LINK_COMMAND = /^\/link(@\w+)?(\s|$)/i;

export function routeUpdate(update: Fields, connectorId: string): RoutedUpdate {
  const kind =
    Object.keys(update).find((name) => name !== "update_id" && isFields(update[name])) ?? "unknown";
  const body = isFields(update[kind]) ? update[kind] : {};
  const message = isFields(body.message) ? body.message : {};
  const chat = isFields(body.chat) ? body.chat : isFields(message.chat) ? message.chat : {};
  const chatId = idOf(chat.id);
  const from = isFields(body.from) ? body.from : isFields(body.user) ? body.user : {};
  const userId = idOf(from.id);
  const businessId =
    typeof body.business_connection_id === "string" ? body.business_connection_id : null;

  const isGroup = chatId !== null && GROUP_TYPES.has(String(chat.type));
  const migration = isGroup ? migrationOf(body, chatId) : null;
  const isLinkCommand = typeof body.text === "string" && LINK_COMMAND.test(body.text);
  return {
    kind,
    lane: `${connectorId}/${lanePart(kind, chatId, userId, businessId)}`,
    groupId: isGroup ? chatId : null,
    neededForLinking: kind === "my_chat_member" || isLinkCommand || migration !== null,
    migration,
  };
}

/** Queries expire in seconds, so they go by user and never wait behind a chat's messages. */
function lanePart(
  kind: string,
  chatId: string | null,
  userId: string | null,
  businessId: string | null,
): string {
  if (kind === "callback_query" || kind === "inline_query") return `u${userId ?? "-"}`;
  if (businessId !== null && chatId !== null) {
    return `b${businessId.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 64)}/${chatId}`;
  }
  if (chatId !== null) return `c${chatId}`;
  return userId === null ? "x" : `u${userId}`;
}

/** Bot API: Message, `migrate_to_chat_id` in the old group, `migrate_from_chat_id` in the new one. */
function migrationOf(body: Fields, chatId: string): RoutedUpdate["migration"] {
  const to = idOf(body.migrate_to_chat_id);
  if (to !== null) return { fromChatId: chatId, toChatId: to };
  const from = idOf(body.migrate_from_chat_id);
  return from === null ? null : { fromChatId: from, toChatId: chatId };
}

/**
 * True when JSON text nests deeper than `limit`. One pass over the bytes, before anything parses:
 * nothing downstream ever recurses deeper than this.
 */
export function nestsDeeperThan(json: Buffer, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < json.length; index++) {
    const byte = json[index];
    if (inString) {
      if (byte === 0x5c) index++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) {
      inString = true;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > limit) return true;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
    }
  }
  return false;
}
