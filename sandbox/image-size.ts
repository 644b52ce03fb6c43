/** An image's type and size in pixels, read from its first bytes. */
export interface ImageInfo {
  contentType: "image/png" | "image/jpeg" | "image/gif" | "image/webp";
  width: number;
  height: number;
}

/** Undefined when the bytes are no PNG, JPEG, GIF or WebP with a readable header. */
export function readImage(bytes: Uint8Array): ImageInfo | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 24) return undefined;
  if (view.readUInt32BE(0) === 0x89504e47)
    return {
      contentType: "image/png",
      width: view.readUInt32BE(16),
      height: view.readUInt32BE(20),
    };
  if (view.toString("latin1", 0, 3) === "GIF")
    return { contentType: "image/gif", width: view.readUInt16LE(6), height: view.readUInt16LE(8) };
  if (view.toString("latin1", 0, 4) === "RIFF" && view.toString("latin1", 8, 12) === "WEBP")
    return readWebp(view);
  if (view.readUInt16BE(0) === 0xffd8) return readJpeg(view);
  return undefined;
}

function readWebp(view: Buffer): ImageInfo | undefined {
  if (view.length < 30) return undefined;
  const contentType = "image/webp";
  switch (view.toString("latin1", 12, 16)) {
    case "VP8 ":
      return {
        contentType,
        width: view.readUInt16LE(26) & 0x3fff,
        height: view.readUInt16LE(28) & 0x3fff,
      };
    case "VP8L": {
      const bits = view.readUInt32LE(21);
      return { contentType, width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
    }
    case "VP8X":
      return { contentType, width: view.readUIntLE(24, 3) + 1, height: view.readUIntLE(27, 3) + 1 };
    default:
      return undefined;
  }
}

/** Walks a JPEG's segments to its frame header (SOF0–SOF15, without DHT, JPG and DAC). */
function readJpeg(view: Buffer): ImageInfo | undefined {
  let at = 2;
  while (at + 9 < view.length) {
    if (view[at] !== 0xff) return undefined;
    const marker = view[at + 1] ?? 0;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return {
        contentType: "image/jpeg",
        height: view.readUInt16BE(at + 5),
        width: view.readUInt16BE(at + 7),
      };
    at += 2 + view.readUInt16BE(at + 2);
  }
  return undefined;
}
