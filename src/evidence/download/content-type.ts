import { fileTypeFromBuffer } from "file-type";

/** So much of a file's beginning tells what it is; archives are not unpacked for it. */
const HEAD_BYTES = 65_536;

export const UNKNOWN_TYPE = "application/octet-stream";

/** The beginning of some content. Stops reading there. */
export async function headOf(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of content) {
    parts.push(part);
    bytes += part.length;
    if (bytes >= HEAD_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, HEAD_BYTES);
}

/**
 * What content is by its first bytes, whatever its name and its sender say: a MIME type. Of content that
 * is several things at once it is the one whose mark stands first. Never throws.
 */
export async function contentTypeOf(head: Buffer): Promise<string> {
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  if (found !== undefined) return found.mime;
  // A zip whose first entry is longer than what is looked at.
  if (head.subarray(0, 4).equals(Buffer.from("PK\x03\x04", "latin1"))) return "application/zip";
  return isText(head) ? "text/plain" : UNKNOWN_TYPE;
}

/** UTF-8 throughout, but for a last character that was cut, and no controls but those of lines. */
function isText(head: Buffer): boolean {
  if (head.length === 0) return false;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return !/[^\P{Cc}\t\n\f\r]/u.test(text);
  } catch {
    return false;
  }
}

/** `accepted`: types, or all of a kind, e.g. `image/*`; none: any. */
export function isTaken(type: string, accepted: readonly string[]): boolean {
  if (accepted.length === 0) return true;
  const kind = type.slice(0, type.indexOf("/") + 1);
  return accepted.some((one) => {
    const wanted = one.toLowerCase();
    return wanted === type || wanted === `${kind}*` || wanted === "*/*";
  });
}
