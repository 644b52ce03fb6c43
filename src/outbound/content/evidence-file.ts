import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { DownloadError } from "../../platform/index.ts";
import { UploadFile } from "../../telegram/index.ts";
import { CannotSend } from "./cannot-send.ts";
import type { EvidenceFileRef } from "./content.ts";

/** Files of evidence, as whoever wires this room hands them out. */
export interface EvidenceFiles {
  /**
   * Looks a file up, and whether it may be given out now; reads nothing yet. `messageId`: for what.
   * Throws `CannotSend` where it cannot be had for good, also while it is read. Anything else may pass.
   */
  open(file: { workspaceId: string; fileId: string; messageId: string }): Promise<OpenedEvidence>;
}

/** A file of evidence as it is now. */
export interface OpenedEvidence {
  sizeBytes: number;
  /** In hex. */
  sha256: string;
  /** Its bytes, from the beginning each time. */
  content(): AsyncIterable<Buffer>;
}

/** A file of evidence cannot be had now; perhaps later. */
export class EvidenceAway extends Error {
  override name = "EvidenceAway";
}

export interface EvidenceUpload {
  upload: UploadFile;
  /** Why it broke off when it was read; null: it did not. */
  broken(): CannotSend | EvidenceAway | null;
}

/**
 * A file of evidence on its way from the store to Telegram, in pieces, and on no disk in between. What
 * goes out is what the message was accepted with: the last piece waits until the SHA-256 of all of
 * them is right, and without it no server has the whole request.
 *
 * @param timeoutMs until it is found; for its bytes the call's own deadline counts
 * @throws CannotSend, EvidenceAway; DownloadError where the signal ends it
 */
export async function evidenceUpload(
  evidence: EvidenceFiles,
  file: EvidenceFileRef,
  {
    workspaceId,
    messageId,
    maxBytes,
    timeoutMs,
    signal,
  }: {
    workspaceId: string;
    messageId: string;
    maxBytes: number;
    timeoutMs: number;
    signal: AbortSignal;
  },
): Promise<EvidenceUpload> {
  const asked = { workspaceId, fileId: file.evidenceFileId, messageId };
  const opened = await inTime(evidence.open(asked), { timeoutMs, signal }).catch((error) => {
    throw error instanceof DownloadError ? error : causeOf(error);
  });
  const { name, contentType, sizeBytes, sha256 } = file;
  if (opened.sha256 !== sha256 || opened.sizeBytes !== sizeBytes) {
    const words = "The file of evidence is another by now than when the message was accepted.";
    throw new CannotSend("evidence-file-changed", words);
  }
  if (sizeBytes > maxBytes) {
    const words = `The file of evidence is larger than ${Math.floor(maxBytes / 2 ** 20)} MB.`;
    throw new CannotSend("evidence-file-too-large", words);
  }
  let broken: CannotSend | EvidenceAway | null = null;
  async function* pieces(): AsyncGenerator<Buffer> {
    try {
      yield* checked(opened.content(), sha256);
    } catch (error) {
      broken = causeOf(error);
      throw broken;
    }
  }
  const upload = new UploadFile({
    name,
    sizeBytes,
    contentType: contentType ?? undefined,
    open: () => Readable.from(pieces(), { objectMode: false }),
  });
  return { upload, broken: () => broken };
}

const causeOf = (error: unknown): CannotSend | EvidenceAway =>
  error instanceof CannotSend || error instanceof EvidenceAway ? error : away();

const away = () => new EvidenceAway("The file could not be read from the store of evidence.");

/** The pieces of `content`; the last one only where all of them have this SHA-256. */
async function* checked(content: AsyncIterable<Buffer>, sha256: string): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let last: Buffer | null = null;
  for await (const piece of content) {
    hash.update(piece);
    if (last !== null) yield last;
    last = piece;
  }
  if (hash.digest("hex") !== sha256) {
    const words = "The file's content in the store of evidence is not what was stored.";
    throw new CannotSend("evidence-file-damaged", words);
  }
  if (last !== null) yield last;
}

async function inTime<Result>(
  work: Promise<Result>,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<Result> {
  let stop = () => {};
  const ended = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(away()), timeoutMs);
    const abort = () => reject(new DownloadError("aborted", "The reading was ended."));
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work, ended]);
  } finally {
    stop();
  }
}
