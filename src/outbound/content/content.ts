import type { InlineAnswer } from "./inline-answer.ts";

/**
 * What a message is where it is more than a text, as it stands in `outbound_messages.content`. The
 * text beside it is a caption, or an edit's new text.
 */
export type Content<File = FileRef> =
  | MediaContent<File>
  | { type: "album"; items: MediaContent<File>[] }
  | { type: "edit" | "delete" | "pin" | "unpin"; messageId: string }
  | { type: "chat-action"; action: ChatAction }
  | {
      type: "forward";
      /** A chat that the bot is in. */
      fromChatId: string;
      telegramMessageId: string;
      /** Without saying where it comes from. */
      asCopy?: boolean;
    }
  | InlineAnswer;

export interface MediaContent<File = FileRef> {
  type: "photo" | "document";
  file: File;
}

/**
 * Where a file comes from: an address that we download, what Telegram has of the same bot, or a file
 * of the workspace's evidence.
 */
export type FileRef = { url: string; name?: string } | { fileId: string } | EvidenceFileRef;

/** A file of evidence, as it was when the message was accepted: another content is not sent. */
export interface EvidenceFileRef {
  evidenceFileId: string;
  /** Under which it is sent. */
  name: string;
  /** Null: not known. */
  contentType: string | null;
  sizeBytes: number;
  /** In hex. */
  sha256: string;
}

/** Bot API: sendChatAction. */
export const CHAT_ACTIONS = [
  "typing",
  "upload_photo",
  "record_video",
  "upload_video",
  "record_voice",
  "upload_voice",
  "upload_document",
  "choose_sticker",
  "find_location",
  "record_video_note",
  "upload_video_note",
] as const;
export type ChatAction = (typeof CHAT_ACTIONS)[number];

/** Bot API: captions, after entities are parsed, in UTF-16 units. */
export const MAX_CAPTION = 1_024;
/** Bot API: sendMediaGroup. */
export const ALBUM_ITEMS = { min: 2, max: 10 } as const;
/** Bot API: sendChatAction, "the status is set for 5 seconds or less". */
export const CHAT_ACTION_SHOWN_MS = 5_000;
/**
 * Bot API: deleteMessage, "can only be deleted if it was sent less than 48 hours ago". Half an hour is
 * left for tries.
 */
export const MAX_DELETE_AFTER_S = 47.5 * 3_600;
/** Bot API: Sending files, by multipart upload. */
export const MAX_FILE_BYTES = { photo: 10 * 2 ** 20, document: 50 * 2 ** 20 } as const;

/** Our message that this one changes; null: it changes none. */
export function targetIdOf(content: Content | null | undefined): string | null {
  return content && "messageId" in content ? content.messageId : null;
}

/** Its files, in their order: those that are uploaded, and those that Telegram has. */
export function mediaOf<File>(content: Content<File> | null | undefined): MediaContent<File>[] {
  switch (content?.type) {
    case "photo":
    case "document":
      return [content];
    case "album":
      return content.items;
    default:
      return [];
  }
}

/** The same content with other words for its files. */
export function withFiles<From, To>(
  content: Content<From>,
  fileOf: (media: MediaContent<From>, n: number) => To,
): Content<To> {
  switch (content.type) {
    case "photo":
    case "document":
      return { type: content.type, file: fileOf(content, 0) };
    case "album": {
      const items = content.items.map((item, n) => ({ type: item.type, file: fileOf(item, n) }));
      return { type: "album", items };
    }
    default:
      return content;
  }
}

/** Whether files have to be had, and uploaded, when it is sent, which takes its time. */
export const bringsFiles = (content: Content | null | undefined): boolean =>
  mediaOf(content).some(({ file }) => !("fileId" in file));

/** SQL: `bringsFiles` of `outbound_messages m`. */
export const BRINGS_FILES = `(coalesce(jsonb_path_exists(m.content, '$.**.url'), false)
  OR coalesce(jsonb_path_exists(m.content, '$.**.evidenceFileId'), false))`;

/** Bot API: the methods that know `allow_paid_broadcast`. */
export const takesPayment = (content: Content | null | undefined): boolean =>
  content == null ||
  mediaOf(content).length > 0 ||
  (content.type === "forward" && !!content.asCopy);

/** How many messages Telegram counts it as. */
export const costOf = (content: Content | null | undefined): number =>
  content?.type === "album" ? content.items.length : 1;

/** SQL: `costOf` of `outbound_messages m`. */
export const COST = `CASE WHEN m.content ->> 'type' = 'album'
  THEN coalesce(jsonb_array_length(m.content -> 'items'), 1) ELSE 1 END`;

/** What else is asked of a message with a content. */
interface Asked {
  text?: string | undefined;
  content?: Content<unknown> | undefined;
  buttons?: unknown;
  deleteAfter?: number | undefined;
}

type Part = "text" | "buttons" | "deleteAfter";

/** What may stand beside each kind of content (Bot API: each method's parameters). */
const TAKES: Record<Content["type"], readonly Part[]> = {
  photo: ["text", "buttons", "deleteAfter"],
  document: ["text", "buttons", "deleteAfter"],
  album: ["text", "deleteAfter"],
  edit: ["text", "buttons"],
  delete: [],
  pin: [],
  unpin: [],
  "chat-action": [],
  forward: ["deleteAfter"],
  "inline-answer": [],
};

/** What of a message does not go together: where, and in which words. */
export function contentFaults(asked: Asked): { path: Part; message: string }[] {
  const { content, text } = asked;
  if (content === undefined) {
    return text === undefined ? [{ path: "text", message: "is needed where no content is" }] : [];
  }
  const { type } = content;
  const parts: Part[] = ["text", "buttons", "deleteAfter"];
  const faults = parts
    .filter((part) => asked[part] !== undefined && !TAKES[type].includes(part))
    .map((path) => ({ path, message: `does not go with a content of type ${type}` }));
  if (type === "edit" && text === undefined && asked.buttons === undefined) {
    faults.push({ path: "text", message: "an edit says a new text, or new buttons, or both" });
  }
  return faults;
}
