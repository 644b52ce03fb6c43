/**
 * storage: where files lie, and how they are sealed. Objects by key in a folder or in S3, whole or not
 * at all; a format that encrypts and authenticates a file piece by piece; files that are being written,
 * resumed after a crash. It knows keys, bytes and data keys; whose file it is, and for how long it is
 * kept, is for others to say.
 */

import type { StorageConfig } from "../platform/index.ts";
import { openLocalStorage } from "./local-storage.ts";
import type { Storage } from "./storage.ts";

export { lockPart, openPartFile, type PartFile, PartInUse, partFolder } from "./part-file.ts";
export { openFile, type ReadSealed } from "./sealed-file.ts";
export {
  FILE_KEY_BYTES,
  type FileSeal,
  SealedFileError,
  sealedSizeBytes,
} from "./sealed-piece.ts";
export {
  type Storage,
  StoredFileMissing,
  StoredFileRefused,
  type StoredObject,
} from "./storage.ts";

/** Opens what STORAGE_URL names. The client of S3 is loaded only where it is needed. */
export async function openStorage(config: StorageConfig): Promise<Storage> {
  if (config.kind === "local") return openLocalStorage(config.folder);
  const { openS3Storage } = await import("./s3-storage.ts");
  return openS3Storage(config);
}
