/**
 * storage: where files lie, and how they are sealed. Objects by key in a folder or in S3, whole or not
 * at all; a format that encrypts and authenticates a file piece by piece. It knows keys, bytes and data
 * keys; whose file it is, and for how long it is kept, is for others to say.
 */

import { openLocalStorage } from "./local-storage.ts";
import type { Storage } from "./storage.ts";
import type { StorageConfig } from "./storage-url.ts";

export {
  FILE_KEY_BYTES,
  type FileSeal,
  openFile,
  type ReadSealed,
  SealedFileError,
  sealedSizeBytes,
  sealFile,
} from "./sealed-file.ts";
export { type Storage, StoredFileMissing, type StoredObject } from "./storage.ts";
export { parseStorageUrl, type StorageConfig } from "./storage-url.ts";

/** Opens what STORAGE_URL names. The client of S3 is loaded only where it is needed. */
export async function openStorage(config: StorageConfig): Promise<Storage> {
  if (config.kind === "local") return openLocalStorage(config.folder);
  const { openS3Storage } = await import("./s3-storage.ts");
  return openS3Storage(config);
}
