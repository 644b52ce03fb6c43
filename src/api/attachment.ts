import { safeFileName } from "../platform/index.ts";

/**
 * The head of an answer that is somebody's file. Its name and its type come from whoever sent it, and
 * may be made to break out of a header, to run in the reader's browser, or to be saved as what it is
 * not. So it is always an attachment, whatever it says it is, and nothing that opens it in a page gets
 * further than an empty sandbox.
 */
export interface Attachment {
  /** As the sender named it; null: it has no name. */
  name: string | null;
  /** As it is known here. */
  contentType: string | null;
  /** Null: nobody knows before it has ended. */
  sizeBytes: number | null;
}

const ANY_TYPE = "application/octet-stream";
/** RFC 6838: a type and a subtype, without parameters. */
const TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/i;

const NO_NAME = "file";
const MAX_NAME = 150;

/**
 * What to set on the answer, by lower-case names. What is said of the file is checked here: a type is one
 * without parameters, a name is `safeFileName` with at most 150 characters.
 */
export function attachmentHeaders({
  name,
  contentType,
  sizeBytes,
}: Attachment): Record<string, string> {
  const type = contentType?.trim() ?? "";
  return {
    "content-type": TYPE.test(type) ? type.toLowerCase() : ANY_TYPE,
    "content-disposition": dispositionOf(safeFileName(name ?? "", MAX_NAME) || NO_NAME),
    ...(sizeBytes === null ? {} : { "content-length": String(sizeBytes) }),
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-store",
  };
}

/**
 * RFC 6266: the name twice, for readers that know RFC 8187 and for those that know ASCII only. Percent
 * signs are none in the plain one, since some readers decode them.
 */
function dispositionOf(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]/gu, "_").replace(/[%"\\;]/g, "_");
  const encoded = encodeURIComponent(name).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
