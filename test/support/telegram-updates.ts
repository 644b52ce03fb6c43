/**
 * Updates for tests, in the shape Telegram sends them (Bot API: Update). Ids are numbers here, as
 * on the wire; what a test does not care about has a default.
 */
export const PERSON = 1001;
export const GROUP = -500;
export const SUPERGROUP = -1_000_000_000_500;
export const CHANNEL = -1_000_000_000_900;
/** 2026-01-01T00:00:00Z, in seconds. */
export const T0 = 1_767_225_600;

export type Wire = Record<string, unknown>;

export function user(id = PERSON, rest: Wire = {}): Wire {
  return { id, is_bot: false, first_name: `Person ${id}`, language_code: "en", ...rest };
}

export function privateChat(id = PERSON): Wire {
  return { id, type: "private", first_name: `Person ${id}` };
}

export function group(id = GROUP, rest: Wire = {}): Wire {
  return { id, type: id < -1_000_000_000_000 ? "supergroup" : "group", title: "Audit", ...rest };
}

/** A text message of a person in their private chat, unless `rest` says otherwise. */
export function message(messageId: number, text: string, rest: Wire = {}): Wire {
  const from = (rest.from ?? user()) as { id: number };
  return {
    message_id: messageId,
    date: T0 + messageId,
    chat: privateChat(from.id),
    from,
    text,
    ...rest,
  };
}

export function inGroup(messageId: number, text: string, rest: Wire = {}): Wire {
  return message(messageId, text, { chat: group(), ...rest });
}

/** An edit `afterS` seconds after T0. */
export function edited(original: Wire, text: string, afterS: number): Wire {
  return { ...original, text, edit_date: T0 + afterS };
}

export function pressed(data: string, rest: Wire = {}): Wire {
  return {
    id: "4382bfdwdsb323b2d9",
    from: user(),
    chat_instance: "1",
    data,
    message: { message_id: 7, date: T0, chat: privateChat(), text: "buttons" },
    ...rest,
  };
}

/** `my_chat_member` or `chat_member`. */
export function membership(status: string, rest: Wire = {}): Wire {
  const bot = { id: 77, is_bot: true, first_name: "Bot", username: "helio_bot" };
  return {
    chat: privateChat(),
    from: user(),
    date: T0,
    old_chat_member: { user: bot, status: "left" },
    new_chat_member: { user: bot, status },
    ...rest,
  };
}

/** The two news of a migration: in the group, and in the supergroup. */
export const leaving = {
  message: inGroup(9, "", { text: undefined, migrate_to_chat_id: SUPERGROUP }),
};
export const arriving = {
  message: message(1, "", {
    text: undefined,
    chat: group(SUPERGROUP),
    migrate_from_chat_id: GROUP,
  }),
};
