import { safeFileName } from "../platform/index.ts";

/** What is known of a file besides its name. */
export interface NamedFile {
  /** document, photo, video, voice, … */
  kind: string;
  /** Bot API: `file_unique_id`; null: it does not come from Telegram. */
  uniqueId: string | null;
  contentType: string | null;
}

const OF_TYPE: Record<string, string> = {
  "application/pdf": "pdf",
  "application/zip": "zip",
  "audio/mpeg": "mp3",
  "audio/mp4": "m4a",
  "audio/ogg": "ogg",
  "image/gif": "gif",
  "image/heic": "heic",
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/webp": "webp",
  "text/plain": "txt",
  "video/mp4": "mp4",
  "video/quicktime": "mov",
  "video/webm": "webm",
};
/** Kinds of messages whose files come without a name, and mostly without a type. */
const OF_KIND: Record<string, string> = {
  photo: "jpg",
  live_photo: "jpg",
  voice: "ogg",
  audio: "mp3",
  video: "mp4",
  video_note: "mp4",
  animation: "mp4",
};

/**
 * The name that a file is kept under: `safeFileName`, and where nothing of it is left, or there was none,
 * its kind and its unique id, e.g. `photo_AQADBAADq.jpg`. 1 to 255 bytes of UTF-8.
 */
export const keptName = (name: string | null, file: NamedFile): string =>
  safeFileName(name ?? "") || ownName(file);

function ownName({ kind, uniqueId, contentType }: NamedFile): string {
  const plain = (text: string, most: number) => text.replace(/[^A-Za-z0-9_-]/g, "").slice(0, most);
  const id = plain(uniqueId ?? "", 100);
  const stem = `${plain(kind, 30) || "file"}${id === "" ? "" : `_${id}`}`;
  const extension = OF_TYPE[contentType ?? ""] ?? OF_KIND[kind];
  return extension === undefined ? stem : `${stem}.${extension}`;
}
