import { FileNotGiven, findFiles, type GivenFile, givenFile } from "../evidence/index.ts";
import {
  type Content,
  type EvidenceFileRef,
  type FileRef,
  MAX_FILE_BYTES,
  type MediaContent,
  mediaOf,
  withFiles,
} from "../outbound/index.ts";
import { Problem, type Queryable } from "../platform/index.ts";
import { type Principal, workspaceOf } from "./route.ts";

/** A file as a message's body names it. */
export type AskedFile =
  | Exclude<FileRef, EvidenceFileRef>
  | {
      evidenceFileId: string;
      /** Default: its own. */
      name?: string;
    };

/** Which files of evidence a content names. */
export const evidenceFilesIn = (content: Content<AskedFile> | undefined): string[] =>
  mediaOf(content).flatMap(({ file }) =>
    "evidenceFileId" in file ? [file.evidenceFileId.toLowerCase()] : [],
  );

/**
 * A content with its files of evidence as they are now: name, type, size and SHA-256 go with the message,
 * so that what was accepted, or approved, is what is sent.
 *
 * Throws `Problem`: 403 where the key may not read evidence, 422 for a file that cannot be sent; one
 * of another workspace is none.
 */
export async function withCarriedFiles(
  on: Queryable,
  principal: Principal,
  content: Content<AskedFile> | undefined,
): Promise<Content | undefined> {
  if (content === undefined) return undefined;
  const fileIds = evidenceFilesIn(content);
  if (fileIds.length > 0) mustRead(principal);
  const workspaceId = workspaceOf(principal);
  const found = fileIds.length === 0 ? [] : await findFiles(on, { workspaceId, fileIds });
  return withFiles(content, (media, n): FileRef => {
    const { file } = media;
    if (!("evidenceFileId" in file)) return file;
    const id = file.evidenceFileId.toLowerCase();
    try {
      const kept = found.find((one) => one.id === id);
      if (kept === undefined) throw new NotCarried("This workspace's evidence has no such file.");
      return carried(givenFile(kept), media, file.name);
    } catch (error) {
      if (!(error instanceof FileNotGiven || error instanceof NotCarried)) throw error;
      throw cannotSend(content, n, error.message);
    }
  });
}

function mustRead(principal: Principal): void {
  if (principal.kind !== "workspace" || principal.scopes.includes("read")) return;
  const detail = `To send files of evidence a key needs the scope read, too; this one has ${principal.scopes.join(", ")}.`;
  throw new Problem(403, "Not allowed", detail);
}

/** The file may be given out, or is none, and cannot go with a message all the same. */
class NotCarried extends Error {}

/** Throws `NotCarried` for what Telegram would not take. */
function carried(
  { id, name, contentType, sizeBytes, sha256 }: GivenFile,
  { type }: MediaContent<AskedFile>,
  called: string | undefined,
): EvidenceFileRef {
  const maxBytes = MAX_FILE_BYTES[type];
  if (sizeBytes > maxBytes) {
    const most = Math.floor(maxBytes / 2 ** 20);
    const words = `The file has ${sizeBytes} bytes; a ${type} has at most ${most} MB.`;
    throw new NotCarried(words);
  }
  if (sizeBytes === 0) throw new NotCarried("The file is empty.");
  if (type === "photo" && contentType !== null && !contentType.startsWith("image/")) {
    const words = `The file is no image (${contentType}): send it as a document.`;
    throw new NotCarried(words);
  }
  return { evidenceFileId: id, name: called ?? name, contentType, sizeBytes, sha256 };
}

function cannotSend(content: Content<AskedFile>, n: number, message: string): Problem {
  const item = content.type === "album" ? `items.${n}.` : "";
  const path = `content.${item}file.evidenceFileId`;
  const errors = [{ path, message }];
  return new Problem(422, "File cannot be sent", message, { errors });
}
