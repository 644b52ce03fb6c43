import type { ServerResponse } from "node:http";
import type { Clock } from "./clock.ts";

/** How a file's content goes to whoever fetches it by its link. */

/** A file that somebody fetches: where from, and what is in it. */
export interface FetchedFile {
  path: string;
  content: Uint8Array;
}

const PIECES_A_SECOND = 10;

/** All of it. */
export function writeFile(response: ServerResponse, file: FetchedFile): void {
  if (response.destroyed) return;
  writeHead(response, file);
  response.end(file.content);
}

/** Half of it, then nothing: what a download looks like when the line breaks. */
export function writeHalf(response: ServerResponse, file: FetchedFile): void {
  writeHead(response, file);
  const half = file.content.subarray(0, file.content.length >> 1);
  response.write(half, () => response.socket?.resetAndDestroy());
}

/** All of it in pieces, at a rate; resolves at its end, or when the caller is gone. */
export async function writeSlowly(
  response: ServerResponse,
  file: FetchedFile,
  { clock, bytesPerSecond }: { clock: Clock; bytesPerSecond: number },
): Promise<void> {
  if (response.destroyed) return;
  writeHead(response, file);
  const { content } = file;
  const pieceBytes = Math.ceil(bytesPerSecond / PIECES_A_SECOND);
  for (let at = 0; at < content.length && !response.destroyed; at += pieceBytes) {
    response.write(content.subarray(at, at + pieceBytes));
    await new Promise<void>((resolve) => {
      clock.schedule(1_000 / PIECES_A_SECOND, resolve);
    });
  }
  if (!response.destroyed) response.end();
}

function writeHead(response: ServerResponse, { path, content }: FetchedFile): void {
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    "content-length": content.length,
    "content-disposition": `attachment; filename="${path.split("/").at(-1) ?? "file"}"`,
  });
}
