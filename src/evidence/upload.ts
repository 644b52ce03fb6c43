import { randomUUID } from "node:crypto";
import type { Database } from "../platform/index.ts";
import { contentTypeOf, headOf, isTaken } from "./download/content-type.ts";
import { type Scanner, ScannerAway } from "./download/scanner.ts";
import type { StoredContent } from "./insert-files.ts";
import { type EvidenceSettings, readSettings } from "./settings.ts";
import type { Begun, Vault } from "./vault.ts";
import { whileTouching } from "./while-touching.ts";

/** Why nothing of an upload is kept. */
export type UploadFault =
  | "too-large"
  | "empty"
  | "type-not-taken"
  | "not-scanned"
  /** The scanner does not answer now. */
  | "scanner-away";

export class UploadRefused extends Error {
  override name = "UploadRefused";
  readonly fault: UploadFault;

  constructor(fault: UploadFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** Content that is in the store, and in no evidence yet. */
export interface Received {
  /** Of the file that it is to be. */
  fileId: string;
  content: StoredContent;
  /** What a scanner found, in words; null: nothing. */
  quarantine: string | null;
}

export interface EvidenceUploads {
  /**
   * Takes content in, piece by piece. Who asked refers to it within the hour (`addUpload`); what nobody
   * refers to goes by itself. Throws `UploadRefused`, and what reading or storing throws.
   */
  receive(workspaceId: string, content: AsyncIterable<Uint8Array>): Promise<Received>;
}

export interface UploadsOptions {
  db: Database;
  vault: Pick<Vault, "begin" | "touch" | "keep" | "abandon">;
  /** Undefined: nobody looks at files. */
  scanner?: Scanner;
  /** So often the store is told that an upload goes on, in ms. Default 60 000. */
  touchMs?: number;
}

/** However large a file is; a scanner that says nothing is away much sooner (clamd.ts). */
const SCAN_MS = 1_800_000;

export function createUploads({ db, vault, scanner, touchMs }: UploadsOptions): EvidenceUploads {
  async function take(
    { storedFileId, part }: Begun,
    content: AsyncIterable<Uint8Array>,
    { maxBytes, contentTypes }: EvidenceSettings,
  ): Promise<Omit<Received, "fileId">> {
    let sizeBytes = 0;
    for await (const piece of content) {
      sizeBytes += piece.length;
      if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
      await part.append(piece);
    }
    if (sizeBytes === 0) throw new UploadRefused("empty", "The file is empty.");
    const contentType = await contentTypeOf(await headOf(part.read()));
    if (!isTaken(contentType, contentTypes)) {
      const detail = `Files of the type ${contentType} are not taken here, whatever their names say.`;
      throw new UploadRefused("type-not-taken", detail);
    }
    const quarantine = await lookAt(scanner, () => part.read());
    const kept = await vault.keep(storedFileId, part, { contentType });
    const { sha256 } = kept;
    return {
      content: { storedFileId: kept.storedFileId, contentType, sizeBytes, sha256 },
      quarantine,
    };
  }

  return {
    receive: async (workspaceId, content) => {
      const settings = await readSettings(db, workspaceId);
      const fileId = randomUUID();
      const begun = await vault.begin({ workspaceId, fileId });
      const { storedFileId, part } = begun;
      try {
        const taking = () => take(begun, content, settings);
        return { fileId, ...(await whileTouching(vault, storedFileId, taking, touchMs)) };
      } catch (error) {
        await vault.abandon(storedFileId, part).catch(() => {});
        throw error;
      }
    },
  };
}

export const tooLarge = (maxBytes: number) =>
  new UploadRefused("too-large", `A file has at most ${maxBytes} bytes in this workspace.`);

async function lookAt(
  scanner: Scanner | undefined,
  read: () => AsyncIterable<Uint8Array>,
): Promise<string | null> {
  if (scanner === undefined) return null;
  const verdict = await scanner.scan(read(), AbortSignal.timeout(SCAN_MS)).catch((error) => {
    if (!(error instanceof ScannerAway)) throw error;
    throw new UploadRefused(
      "scanner-away",
      "The virus scanner does not answer now; try again later.",
    );
  });
  if (verdict.is === "clean") return null;
  if (verdict.is === "infected") return `A scanner found ${verdict.finding} in it.`;
  throw new UploadRefused("not-scanned", "The scanner could not look at it.");
}
