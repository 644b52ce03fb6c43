import { DownloadFault } from "./fault.ts";
import type { OpenSource } from "./source.ts";

/** What takes the bytes: a part of the store's. */
export interface Sink {
  /** What is in it already. */
  readonly sizeBytes: number;
  append(content: Uint8Array): Promise<void>;
}

/** Whether what is here of a file may be the beginning of what Telegram has now: only by its size. */
export function mayResume(
  receivedBytes: number,
  nowBytes: number | null,
  before: { announcedBytes: number | null; claimedBytes: number | null },
): boolean {
  if (receivedBytes === 0) return true;
  const thenBytes = before.announcedBytes ?? before.claimedBytes;
  return nowBytes !== null && nowBytes === thenBytes && receivedBytes <= nowBytes;
}

/** Throws `DownloadFault` for what is not taken, as far as its size is known. */
export function checkSize(sizeBytes: number | null, maxBytes: number): void {
  if (sizeBytes === null) return;
  if (sizeBytes === 0) throw new DownloadFault("empty");
  if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
}

const tooLarge = (maxBytes: number) => new DownloadFault("too-large", { about: maxBytes });

export interface ReceiveLimits {
  /** As Telegram said; null: it did not. */
  expectedBytes: number | null;
  maxBytes: number;
  /** Told after each piece, in bytes of the file. Throws where nobody wants the rest. */
  note(receivedBytes: number): void;
}

/**
 * Appends what comes to what is there, one piece at a time. Where the source begins before that, what is
 * here already is passed over. Throws `DownloadFault` unless the file is then exactly as long as Telegram
 * says.
 */
export async function receive(
  source: OpenSource,
  sink: Sink,
  { expectedBytes, maxBytes, note }: ReceiveLimits,
): Promise<void> {
  const sizes = [expectedBytes, source.sizeBytes].filter((size) => size !== null);
  const [size = null] = sizes;
  for (const one of sizes) checkSize(one, maxBytes);
  if (sizes.some((one) => one !== size)) throw changed(`${sizes.join(" and then ")} bytes`);
  let toPass = sink.sizeBytes - source.from;
  if (toPass < 0) throw changed("a gap");
  let received = sink.sizeBytes;
  for await (const piece of source.content) {
    const fresh = piece.subarray(Math.min(toPass, piece.length));
    toPass -= piece.length - fresh.length;
    if (fresh.length === 0) continue;
    received += fresh.length;
    if (received > maxBytes) throw tooLarge(maxBytes);
    if (size !== null && received > size) throw changed(`more than ${size} bytes`);
    await sink.append(fresh);
    note(received);
  }
  if (toPass > 0 || (size !== null && received !== size)) {
    throw changed(`${received - toPass} of ${size} bytes`);
  }
}

const changed = (detail: string) => new DownloadFault("changed", { detail });
