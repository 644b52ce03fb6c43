/**
 * Names of files as people's devices give them, made harmless: to show in a line of text, to save in a
 * folder of any system, to put into an archive or a header. What somebody called a file is theirs to
 * say, so all that is a letter, a digit or a sign stays.
 */

/** Of file systems, in UTF-8: so that it is as many characters at most. */
export const MAX_FILE_NAME_BYTES = 255;
/** More is looked at from both its ends only. */
const MAX_LOOKED_AT = 4_096;

/**
 * What cannot be seen, halves of characters, and what turns the direction of writing:
 * `evil\u202Efdp.exe` reads `evilexe.pdf`. The joiner between two signs of one emoji stays.
 */
const UNSEEN =
  /(?!(?<=[\uFE0F\p{Emoji_Modifier}\p{Extended_Pictographic}])\u200D(?=\p{Extended_Pictographic}))[\p{C}\p{Zl}\p{Zp}]/gu;
/** Windows knows no file of such a name, whatever stands behind its first dot. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)\s*(?:\.|$)/i;
const EXTENSION = /\.[A-Za-z0-9]{1,16}$/;

/**
 * A name that is safe to show and to save: one part of a path, of at most 255 bytes of UTF-8 and
 * `maxCharacters`, without controls, marks of direction, and what any system's file names cannot hold;
 * neither hidden nor a way up; its extension is kept. Empty where nothing of it is left.
 */
export function safeFileName(name: string, maxCharacters = MAX_FILE_NAME_BYTES): string {
  const last = looksAt(name).split(/[/\\]/).at(-1) ?? "";
  const tidy = last
    .replace(UNSEEN, "")
    .normalize("NFC")
    .replace(/[<>:"|?*]/g, "_")
    .replace(/\s+/g, " ")
    .replace(/^[. ]+|[. ]+$/g, "");
  return cut(DEVICE.test(tidy) ? `_${tidy}` : tidy, maxCharacters);
}

function looksAt(name: string): string {
  if (name.length <= MAX_LOOKED_AT) return name;
  return name.slice(0, MAX_LOOKED_AT / 2) + name.slice(-MAX_LOOKED_AT / 2);
}

/** By whole characters, before its extension. */
function cut(name: string, maxCharacters: number): string {
  const characters = [...name];
  if (Buffer.byteLength(name) <= MAX_FILE_NAME_BYTES && characters.length <= maxCharacters) {
    return name;
  }
  const extension = EXTENSION.exec(name)?.[0] ?? "";
  const most = Math.min(maxCharacters, characters.length) - extension.length;
  let bytesLeft = MAX_FILE_NAME_BYTES - extension.length;
  let stem = "";
  for (const character of characters.slice(0, most)) {
    bytesLeft -= Buffer.byteLength(character);
    if (bytesLeft < 0) break;
    stem += character;
  }
  // Not the half of an emoji either.
  return stem.replace(/[. \u200D]+$/, "") + extension;
}
