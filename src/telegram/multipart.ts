import { randomBytes } from "node:crypto";
import { UploadFile } from "./types.ts";

/** A call's parameters as a form with files, ready to be written (RFC 7578). */
export interface MultipartBody {
  contentType: string;
  /** Of the whole body, to the byte. */
  sizeBytes: number;
  /** Piece by piece. Throws where a file is not as long as it was said to be. */
  chunks(): AsyncGenerator<Buffer>;
  /**
   * True once the last piece was asked for: before that no server can have the whole body, and so
   * none can have done what it asks for.
   */
  readonly isWhole: boolean;
}

interface Part {
  head: Buffer;
  content: Buffer | UploadFile;
}

const CRLF = "\r\n";

/** Whether any parameter is a file, or an item of an album with one. */
export function hasFiles(params: Record<string, unknown>): boolean {
  return Object.values(params).some(
    (value) => value instanceof UploadFile || (Array.isArray(value) && value.some(hasMedia)),
  );
}

/**
 * Files stand under their parameter's name; those of an album under names of their own, to which its
 * items refer (`attach://`). Everything else that is no plain value is JSON, as the Bot API has it.
 */
export function multipartOf(params: Record<string, unknown>): MultipartBody {
  const boundary = randomBytes(24).toString("hex");
  const parts = partsOf(params, boundary);
  const tail = Buffer.from(`--${boundary}--${CRLF}`);
  const sizeBytes = parts.reduce(
    (sum, { head, content }) => sum + head.length + lengthOf(content) + CRLF.length,
    tail.length,
  );
  let isWhole = false;
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    sizeBytes,
    get isWhole() {
      return isWhole;
    },
    chunks: async function* () {
      for (const { head, content } of parts) {
        yield head;
        if (content instanceof UploadFile) yield* contentOf(content);
        else yield content;
        yield Buffer.from(CRLF);
      }
      isWhole = true;
      yield tail;
    },
  };
}

function partsOf(params: Record<string, unknown>, boundary: string): Part[] {
  const files: Part[] = [];
  const attach = (file: UploadFile): string => {
    const name = `file${files.length}`;
    files.push(filePart(boundary, name, file));
    return `attach://${name}`;
  };
  const fields = Object.entries(params).flatMap(([name, value]): Part[] => {
    if (value === undefined || value === null) return [];
    if (value instanceof UploadFile) return [filePart(boundary, name, value)];
    const plain = Array.isArray(value) ? value.map((item) => attached(item, attach)) : value;
    const text = typeof plain === "object" ? JSON.stringify(plain) : String(plain);
    return [{ head: headOf(boundary, name), content: Buffer.from(text) }];
  });
  return [...fields, ...files];
}

function hasMedia(item: unknown): item is { media: UploadFile } {
  return (item as { media?: unknown } | null)?.media instanceof UploadFile;
}

const attached = (item: unknown, attach: (file: UploadFile) => string): unknown =>
  hasMedia(item) ? { ...item, media: attach(item.media) } : item;

const filePart = (boundary: string, name: string, file: UploadFile): Part => ({
  head: headOf(boundary, name, file),
  content: file,
});

function headOf(boundary: string, name: string, content?: UploadFile): Buffer {
  const file =
    content === undefined
      ? ""
      : `; filename="${fileNameOf(content.name)}"${CRLF}content-type: ${typeOf(content)}`;
  return Buffer.from(
    `--${boundary}${CRLF}content-disposition: form-data; name="${name}"${file}${CRLF}${CRLF}`,
  );
}

/** RFC 6838: a type and a subtype, without parameters. What is anything else is bytes. */
const TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/i;

const typeOf = ({ contentType = "" }: UploadFile): string =>
  TYPE.test(contentType) ? contentType : "application/octet-stream";

/** Somebody else's text in a header: nothing in it may end the line, the name, or the path. */
function fileNameOf(name: string): string {
  const plain = name
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu, "")
    .replace(/["\\/]/g, "_")
    .trim();
  return [...plain].slice(-100).join("") || "file";
}

const lengthOf = (content: Buffer | UploadFile): number =>
  content instanceof UploadFile ? content.sizeBytes : content.length;

async function* contentOf(file: UploadFile): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of file.open() as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > file.sizeBytes) break;
    yield chunk;
  }
  if (bytes !== file.sizeBytes) throw new Error("a file is not as long as it was said to be");
}
