/** What Bot API 10 lets a bot mark text up as (Bot API: MessageEntity); what Telegram finds by itself is not among it. */
export type EntityType =
  | "bold"
  | "italic"
  | "underline"
  | "strikethrough"
  | "spoiler"
  | "blockquote"
  | "expandable_blockquote"
  | "code"
  | "pre"
  | "text_link"
  | "text_mention"
  | "custom_emoji"
  | "date_time";

/** A marked up stretch of text, in Telegram's own words, as it is stored and sent. */
export interface MessageEntity {
  type: EntityType;
  /** In UTF-16 units, as JavaScript counts. */
  offset: number;
  /** In UTF-16 units. */
  length: number;
  /** text_link. */
  url?: string;
  /** text_mention. */
  user?: { id: number };
  /** pre. */
  language?: string;
  /** custom_emoji. */
  custom_emoji_id?: string;
  /** date_time. */
  unix_time?: number;
  date_time_format?: string;
}

/** What a stretch of text is, wherever it stands. */
export type Mark = Omit<MessageEntity, "offset" | "length">;

/** Entities lie within the text, sorted by offset, the longer first; of two that meet one holds the other. */
export interface FormattedText {
  text: string;
  entities: MessageEntity[];
}

/** Bot API: they may hold any other, and be held by any, but for code. */
const STYLES: ReadonlySet<EntityType> = new Set([
  "bold",
  "italic",
  "underline",
  "strikethrough",
  "spoiler",
]);
const QUOTES: ReadonlySet<EntityType> = new Set(["blockquote", "expandable_blockquote"]);
const CODE: ReadonlySet<EntityType> = new Set(["code", "pre"]);

export const isStyle = (type: EntityType) => STYLES.has(type);
export const isQuote = (type: EntityType) => QUOTES.has(type);
export const isCode = (type: EntityType) => CODE.has(type);

/** What means something only as a whole: half of a link is another link. */
export const isWhole = (type: EntityType) =>
  type === "text_link" ||
  type === "text_mention" ||
  type === "custom_emoji" ||
  type === "date_time";
