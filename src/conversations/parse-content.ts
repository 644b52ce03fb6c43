import {
  asCount,
  asFields,
  asFilledText,
  asList,
  asText,
  asWording,
  type Fields,
} from "./fields.ts";
import { parseService } from "./parse-service.ts";
import { textOfChecklist, textOfRichMessage } from "./rich-message.ts";
import type { Media, MessageContent, MessageEntity } from "./telegram-types.ts";

/**
 * Kinds of messages with a file. `animation` comes before `document`, which Telegram sets as well
 * for clients that know no animations; `live_photo` before `photo` for the same reason.
 */
const FILE_KINDS = [
  "animation",
  "audio",
  "live_photo",
  "document",
  "sticker",
  "video",
  "video_note",
  "voice",
] as const;

/** What people send, besides text and files. */
const OTHER_CONTENT = [
  "rich_message",
  "paid_media",
  "story",
  "checklist",
  "contact",
  "dice",
  "game",
  "poll",
  "venue",
  "location",
  "invoice",
  "giveaway",
] as const;

/** In the order in which they tell what a message is. */
const CONTENT_KINDS = [...FILE_KINDS, "photo", ...OTHER_CONTENT];
const SAID_BY_PEOPLE: ReadonlySet<string> = new Set(["text", ...CONTENT_KINDS]);

/** True when somebody wrote or sent this, rather than Telegram reporting something. */
export function isSaidByPeople(kind: string): boolean {
  return SAID_BY_PEOPLE.has(kind);
}

/**
 * Content of a message (Bot API: Message). Contacts, places and payments are told by their kind
 * alone: what they hold stays in the raw update, but for phone numbers, which nothing keeps.
 */
export function parseContent(message: Fields): MessageContent {
  const media = parseMedia(message);
  const text = asText(message.text);
  return {
    kind: media?.kind ?? (text !== undefined ? "text" : kindOfRest(message)),
    text: text ?? asText(message.caption) ?? textOfRest(message),
    entities: parseEntities(text !== undefined ? message.entities : message.caption_entities),
    media,
  };
}

function kindOfRest(message: Fields): string {
  const isThere = (name: string) => message[name] !== undefined && message[name] !== null;
  return CONTENT_KINDS.find(isThere) ?? (parseService(message) === null ? "other" : "service");
}

function textOfRest(message: Fields): string | null {
  return textOfRichMessage(message.rich_message) ?? textOfChecklist(message.checklist);
}

function parseMedia(message: Fields): Media | null {
  for (const kind of FILE_KINDS) {
    const file = asFields(message[kind]);
    const media = file && parseFile(kind, file);
    if (media) return media;
  }
  return largestPhoto(message.photo);
}

/** Bot API: `photo` lists the same picture in several sizes. */
function largestPhoto(sizes: unknown): Media | null {
  let largest: Media | null = null;
  for (const size of asList(sizes)) {
    const file = asFields(size);
    const photo = file && parseFile("photo", file);
    if (photo && (largest === null || areaOf(photo) >= areaOf(largest))) largest = photo;
  }
  return largest;
}

const areaOf = ({ width = 0, height = 0 }: Media) => width * height;

function parseFile(kind: string, file: Fields): Media | null {
  const fileId = asFilledText(file.file_id);
  const fileUniqueId = asFilledText(file.file_unique_id);
  if (fileId === undefined || fileUniqueId === undefined) return null;
  const media: Media = { kind, fileId, fileUniqueId };
  const name = asWording(file.file_name) || undefined;
  const contentType = asFilledText(file.mime_type);
  const sizeBytes = asCount(file.file_size);
  const width = asCount(file.width ?? file.length);
  const height = asCount(file.height ?? file.length);
  const durationS = asCount(file.duration);
  if (name !== undefined) media.name = name;
  if (contentType !== undefined) media.contentType = contentType;
  if (sizeBytes !== undefined) media.sizeBytes = sizeBytes;
  if (width !== undefined) media.width = width;
  if (height !== undefined) media.height = height;
  if (durationS !== undefined) media.durationS = durationS;
  return media;
}

/** Plain fields are kept as they are, known or not; of a mentioned user the id. */
function parseEntities(value: unknown): MessageEntity[] | null {
  const entities: MessageEntity[] = [];
  for (const item of asList(value)) {
    const fields = asFields(item);
    if (fields === undefined || typeof fields.type !== "string") continue;
    const entity: MessageEntity = {};
    for (const [name, field] of Object.entries(fields)) {
      const storableName = asText(name) ?? name;
      if (typeof field === "string") entity[storableName] = asText(field) ?? field;
      else if (typeof field === "number" || typeof field === "boolean")
        entity[storableName] = field;
    }
    const userId = asFields(fields.user)?.id;
    if (typeof userId === "number" && Number.isSafeInteger(userId)) entity.userId = userId;
    entities.push(entity);
  }
  return entities.length > 0 ? entities : null;
}
