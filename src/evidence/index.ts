/**
 * evidence: what proves that controls work. Its files' content lies in the vault: each content once a
 * workspace, sealed with a key of its own, verified, kept as long as the workspace says and never
 * deleted while it is held.
 */
export {
  createClamd,
  createDownloadHandler,
  createDownloadHooks,
  type DownloadOptions,
  type FoundFile,
  type LargeFileSource,
  type OpenSource,
  type Scanner,
  ScannerAway,
  type ScanVerdict,
  type WantedFile,
} from "./download/index.ts";
export { safeName } from "./file-name.ts";
export { EvidenceHeld, evidenceRetention, removeFiles } from "./remove-files.ts";
export {
  type Begun,
  createVault,
  FileGivenUp,
  type Kept,
  type OpenedFile,
  UnknownStoredFile,
  type Vault,
} from "./vault.ts";
export { createVaultKeeper } from "./vault-keeper.ts";
export { STORED_FILES_SEALED_COLUMNS } from "./vault-rows.ts";
export { type FileFault, verifyVault } from "./vault-verify.ts";
