/**
 * Names of files as people's devices give them, made harmless: to show in a line of text, to save in a
 * folder of any system, to put into an archive. What somebody called a file is theirs to say, so all
 * that is a letter, a digit or a sign stays.
 */

/** What is known of a file besides its name. */
export interface NamedFile {
  /** document, photo, video, voice, … */
  kind: string;
  /** Bot API: `file_unique_id`; null: it does not come from Telegram. */
  uniqueId: string | null;
  contentType: string | null;
}

/** Of file systems, and of the column that keeps it: in UTF-8, so that it is as many characters at most. */
export const MAX_NAME_BYTES = 255;
/** More is looked at from both its ends only. */
const MAX_LOOKED_AT = 4_096;

/**
 * Controls, line breaks, halves of characters, and what cannot be seen or turns the direction of
 * writing: `evil\u202Efdp.exe` reads `evilexe.pdf`. The joiner of emoji stays.
 */
const UNSEEN = /(?!\u200D)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** Windows knows no file of such a name, whatever stands behind its first dot. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)\s*(?:\.|$)/i;
const EXTENSION = /\.[A-Za-z0-9]{1,16}$/;

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
 * A name that is safe to show and to save: one part of a path, of 1 to 255 bytes of UTF-8, without
 * controls, marks of direction, and what any system's file names cannot hold; its extension is kept.
 * Where nothing of it is left, or there was none, it is called after its kind and its unique id, e.g.
 * `photo_AQADBAADq.jpg`.
 */
export function safeName(name: string | null, file: NamedFile): string {
  const last =
    looksAt(name ?? "")
      .split(/[/\\]/)
      .at(-1) ?? "";
  const tidy = last
    .replace(UNSEEN, "")
    .normalize("NFC")
    .replace(/[<>:"|?*]/g, "_")
    .replace(/\s+/g, " ")
    .replace(/^[. \u200D]+|[. \u200D]+$/g, "");
  if (tidy === "") return ownName(file);
  return cut(DEVICE.test(tidy) ? `_${tidy}` : tidy);
}

function looksAt(name: string): string {
  if (name.length <= MAX_LOOKED_AT) return name;
  return name.slice(0, MAX_LOOKED_AT / 2) + name.slice(-MAX_LOOKED_AT / 2);
}

function ownName({ kind, uniqueId, contentType }: NamedFile): string {
  const plain = (text: string, most: number) => text.replace(/[^A-Za-z0-9_-]/g, "").slice(0, most);
  const id = plain(uniqueId ?? "", 100);
  const stem = `${plain(kind, 30) || "file"}${id === "" ? "" : `_${id}`}`;
  const extension = OF_TYPE[contentType ?? ""] ?? OF_KIND[kind];
  return extension === undefined ? stem : `${stem}.${extension}`;
}

/** By whole characters, before its extension. */
function cut(name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  const extension = EXTENSION.exec(name)?.[0] ?? "";
  let left = MAX_NAME_BYTES - extension.length;
  let stem = "";
  for (const character of name.slice(0, name.length - extension.length)) {
    left -= Buffer.byteLength(character);
    if (left < 0) break;
    stem += character;
  }
  return stem.replace(/[. \u200D]+$/, "") + extension;
}
