import { recordAudit } from "../audit/index.ts";
import type { Database } from "../platform/index.ts";
import { SealedFileError } from "../storage/index.ts";
import { findFiles, type KeptFile } from "./evidence-view.ts";
import { UnknownStoredFile, type Vault } from "./vault.ts";

/**
 * Which files of evidence are given out: to whoever reads them by the API, and to chats, in messages
 * that carry them.
 */

/**
 * quarantined  a scanner found something in it
 * not-stored   it could not be stored, or is still on its way
 * gone         its content is not kept any more, or it never was
 * damaged      its content in the store is not what was stored
 */
export type NotGivenReason = "quarantined" | "not-stored" | "gone" | "damaged";

/** A file's content is not given out. The words are for who wants it. */
export class FileNotGiven extends Error {
  override name = "FileNotGiven";
  readonly reason: NotGivenReason;

  constructor(reason: NotGivenReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** A file whose content may be given out. */
export interface GivenFile extends Omit<KeptFile, "state" | "error"> {
  sizeBytes: number;
  /** In hex. */
  sha256: string;
  storedFileId: string;
}

/** @throws FileNotGiven for any file whose content may not be given out */
export function givenFile(kept: KeptFile): GivenFile {
  const { state, error, storedFileId, sizeBytes, sha256, ...file } = kept;
  if (state === "quarantined") {
    const words = "The file is in quarantine: a scanner found something in it.";
    throw new FileNotGiven("quarantined", words);
  }
  if (state === "failed") {
    throw new FileNotGiven("not-stored", `The file could not be stored. ${error ?? ""}`.trim());
  }
  if (state !== "stored") throw new FileNotGiven("not-stored", "The file is on its way.");
  if (storedFileId === null || sizeBytes === null || sha256 === null) {
    const words = "The file's content was kept long enough, and has gone.";
    throw new FileNotGiven("gone", words);
  }
  return { ...file, storedFileId, sizeBytes, sha256 };
}

/** A file of evidence that a message carries, as it is now. */
export interface FileToSend {
  sizeBytes: number;
  /** In hex. */
  sha256: string;
  /**
   * Its bytes, from the beginning each time. That they are given out is in the audit log before the
   * first of them. Throws `FileNotGiven` where they are damaged; anything else may pass.
   */
  content(): AsyncIterable<Buffer>;
}

/** Throws `FileNotGiven`; anything else may pass. */
export type GiveOut = (asked: {
  workspaceId: string;
  fileId: string;
  messageId: string;
}) => Promise<FileToSend>;

/** `db` works as the engine: the workspace is in every statement. */
export function createGiveOut({
  db,
  vault,
}: {
  db: Database;
  vault: Pick<Vault, "open">;
}): GiveOut {
  return async ({ workspaceId, fileId, messageId }) => {
    const [found] = await findFiles(db, { workspaceId, fileIds: [fileId] });
    if (found === undefined) {
      throw new FileNotGiven("gone", "The file is gone, with the evidence that it was of.");
    }
    const { evidenceId, storedFileId, sizeBytes, sha256 } = givenFile(found);
    const open = () => vault.open({ workspaceId, storedFileId }).catch(asNotGiven);
    // Whether there is an object is asked before anything leaves; it is read later.
    const first = await open();
    let isFirst = true;
    let isOnRecord = false;
    async function* content(): AsyncGenerator<Buffer> {
      const opened = isFirst ? first : await open();
      isFirst = false;
      if (!isOnRecord) {
        const details = { fileId, messageId };
        const given = { action: "evidence.file_sent", subjectId: evidenceId, details } as const;
        await recordAudit(db, { workspaceId, ...given });
        isOnRecord = true;
      }
      try {
        yield* opened.content;
      } catch (error) {
        asNotGiven(error);
      }
    }
    return { sizeBytes, sha256, content };
  };
}

/** Throws what an error of the vault means. */
function asNotGiven(error: unknown): never {
  if (error instanceof SealedFileError) {
    const words = "The file's content in the store is damaged.";
    throw new FileNotGiven("damaged", words);
  }
  // Removed in this moment.
  if (error instanceof UnknownStoredFile) {
    throw new FileNotGiven("gone", "The file's content has just been removed.");
  }
  throw error;
}
