import { isMigration, parseCommand, UPDATE_KINDS } from "../conversations/index.ts";

/**
 * Where an update belongs, decided without I/O from its outermost fields: its lane, and the group
 * that must be linked for it to be kept.
 */
export interface RoutedUpdate {
  /** The field that tells what happened: `message`, `callback_query`, … or `unknown`. */
  kind: string;
  lane: string;
  /** Somebody waits for an answer now: a command, a pressed button, a query. */
  urgent: boolean;
  /** The group, supergroup or channel it comes from; null for private chats and chatless kinds. */
  groupId: string | null;
  /** Kept though the group is not linked, without what others said: what linking itself needs. */
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

/** What a kind that Telegram may add is called; anything else is not from Telegram. */
const KIND_SHAPE = /^[a-z_]{1,64}$/;
/** The command, whom it is addressed to, and its code: what follows is talk. */
const LINK_COMMAND = /^\/link(?:@(\w{1,64}))?(?=\s|$)(?:\s+\S{1,64}(?=\s|$))?/i;

/** `username`: the bot's own; null where it is not known, and every addressee may be it. */
export function routeUpdate(
  update: Fields,
  connectorId: string,
  username: string | null = null,
): RoutedUpdate {
  const field = fieldOf(update);
  const body = field === undefined ? {} : (update[field] as Fields);
  const message = isFields(body.message) ? body.message : {};
  const chat = isFields(body.chat) ? body.chat : isFields(message.chat) ? message.chat : {};
  const chatId = idOf(chat.id);
  const from = isFields(body.from) ? body.from : isFields(body.user) ? body.user : {};
  const userId = idOf(from.id);
  const businessId =
    typeof body.business_connection_id === "string" ? body.business_connection_id : null;

  // A type that is not known yet is rather a group than somebody's own chat with the bot, and so is
  // what has a group's id.
  const isGroup = chatId !== null && (chat.type !== "private" || chatId.startsWith("-"));
  const migration = isGroup ? migrationOf(body, chatId) : null;
  const kind = field !== undefined && KIND_SHAPE.test(field) ? field : "unknown";
  return {
    kind,
    lane: `${connectorId}/${lanePart(kind, chatId, userId, businessId, pollIdOf(kind, body))}`,
    urgent: isQuery(kind) || isCommand(kind, body.text),
    groupId: isGroup ? chatId : null,
    neededForLinking:
      kind === "my_chat_member" || isLinkCommand(body.text, username) || migration !== null,
    migration,
  };
}

/** The field that ingest will read, or else the first that could be one. */
function fieldOf(update: Fields): string | undefined {
  const known = UPDATE_KINDS.find((name) => isFields(update[name]));
  if (known !== undefined) return known;
  return Object.keys(update).find((name) => name !== "update_id" && isFields(update[name]));
}

const LINKING_FIELDS = [
  "message_id",
  "date",
  "chat",
  "from",
  // In whose name: an anonymous administrator's account is not to be seen.
  "sender_chat",
  // Where the answer belongs.
  "message_thread_id",
  "is_topic_message",
  "migrate_to_chat_id",
  "migrate_from_chat_id",
  "old_chat_member",
  "new_chat_member",
];

/**
 * An update of a group that is not linked, reduced to what linking needs: no reply's text, no
 * caption, no file of people who have not agreed to anything. Of text, only the command and its code.
 */
export function reducedForLinking(update: Fields): Fields {
  const field = fieldOf(update);
  if (field === undefined) return { update_id: update.update_id };
  const body = update[field] as Fields;
  const kept = LINKING_FIELDS.filter((name) => body[name] !== undefined);
  const command = typeof body.text === "string" ? LINK_COMMAND.exec(body.text)?.[0] : undefined;
  return {
    update_id: update.update_id,
    [field]: {
      ...Object.fromEntries(kept.map((name) => [name, body[name]])),
      ...(command === undefined ? {} : { text: command }),
    },
  };
}

/** In a group, a command that is addressed to another bot is between others. */
function isLinkCommand(text: unknown, username: string | null): boolean {
  const match = typeof text === "string" ? LINK_COMMAND.exec(text) : null;
  if (match === null) return false;
  const addressee = match[1]?.toLowerCase();
  return addressee === undefined || username === null || addressee === username.toLowerCase();
}

/** Only new messages are answered: no edits, nothing of a channel or of a business account. */
const isCommand = (kind: string, text: unknown) =>
  kind === "message" && typeof text === "string" && parseCommand(text) !== undefined;

const isQuery = (kind: string) => kind === "callback_query" || kind === "inline_query";

/** Queries expire in seconds, so they go by user and never wait behind a chat's messages. */
function lanePart(
  kind: string,
  chatId: string | null,
  userId: string | null,
  businessId: string | null,
  pollId: string | null,
): string {
  if (pollId !== null) return `p${keyPart(pollId)}`;
  if (isQuery(kind)) return `u${userId ?? "-"}`;
  if (businessId !== null && chatId !== null) {
    return `b${keyPart(businessId)}/${chatId}`;
  }
  if (chatId !== null) return `c${chatId}`;
  return userId === null ? "x" : `u${userId}`;
}

/** A name that Telegram gave, as part of a lane's. */
function keyPart(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 64);
}

/** Bot API: Poll, as an update of its own: it has neither chat nor user. */
function pollIdOf(kind: string, body: Fields): string | null {
  return kind === "poll" && typeof body.id === "string" ? body.id : null;
}

/** Bot API: Message, `migrate_to_chat_id` in the old group, `migrate_from_chat_id` in the new one. */
function migrationOf(body: Fields, chatId: string): RoutedUpdate["migration"] {
  const to = idOf(body.migrate_to_chat_id);
  const from = idOf(body.migrate_from_chat_id);
  if (to !== null) return isMigration(chatId, to) ? { fromChatId: chatId, toChatId: to } : null;
  if (from === null || !isMigration(from, chatId)) return null;
  return { fromChatId: from, toChatId: chatId };
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
