import { isUtf8 } from "node:buffer";

/** A file that is no text in UTF-8. */
export class NotUtf8 extends Error {
  override name = "NotUtf8";
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** The text of a file, without its byte order mark. Throws `NotUtf8`, with the first line that is not. */
export function textOf(content: Uint8Array): string {
  if (isUtf16(content)) {
    throw new NotUtf8(1, "the file is in UTF-16: save it as UTF-8 (in Excel: CSV UTF-8)");
  }
  if (!isUtf8(content)) {
    throw new NotUtf8(
      firstStrangeLine(content),
      "holds what is no UTF-8: save the file as UTF-8 (in Excel: CSV UTF-8)",
    );
  }
  // Takes the mark away, too.
  return new TextDecoder().decode(content);
}

const isUtf16 = ([first, second]: Uint8Array) =>
  (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);

function firstStrangeLine(content: Uint8Array): number {
  let line = 1;
  for (let from = 0; ; line++) {
    const end = content.indexOf(10, from);
    if (end === -1 || !isUtf8(content.subarray(from, end))) return line;
    from = end + 1;
  }
}
