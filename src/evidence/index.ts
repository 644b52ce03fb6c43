/**
 * evidence: what proves that controls work: asked for, handed in, looked at, approved, expired; and its
 * files. What becomes of it is one table (`states.ts`); every change holds the evidence's row, writes its
 * entry in the audit log, and is the caller's transaction's. Who may is asked by whoever calls, but for
 * one thing: nobody approves what they handed in. Files come by `takeFiles`, which leaves their download to
 * jobs, or by `createUploads`; a pack hands all of it to somebody outside. Stands on jobs, people, audit,
 * storage and platform.
 */
export {
  changeEvidence,
  createEvidence,
  describe,
  type EvidenceChange,
  LastDayStands,
  type NewEvidence,
  removeEvidence,
  setControl,
  unknownField,
} from "./change-evidence.ts";
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
export {
  type EvidenceFileView,
  type EvidenceFilter,
  type EvidenceView,
  FILE_STATES,
  type FileState,
  findEvidence,
  findFile,
  findFiles,
  type KeptFile,
  listEvidence,
} from "./evidence-view.ts";
export { createEvidenceExpiry, type EvidenceExpiry } from "./expiry.ts";
export {
  createGiveOut,
  FileNotGiven,
  type FileToSend,
  type GivenFile,
  type GiveOut,
  givenFile,
  type NotGivenReason,
} from "./give-out.ts";
export { type HoldView, listHolds, placeHold, releaseHold } from "./holds.ts";
export type { DecisionRefused } from "./judge.ts";
export {
  createPacks,
  type PackAsked,
  type PackFault,
  type PackPlan,
  PackRefused,
  type Packs,
} from "./pack/index.ts";
export { type Provenance, readProvenance, TooManyFiles } from "./provenance.ts";
export { EvidenceHeld, evidenceRetention, removeFiles } from "./remove-files.ts";
export {
  type Decided,
  type Decision,
  decide,
  type SubmitRefused,
  type Submitted,
  submitForReview,
} from "./review.ts";
export {
  changeSettings,
  DEFAULT_SETTINGS,
  type EvidenceSettings,
  MORE_KINDS,
  readSettings,
} from "./settings.ts";
export { EVIDENCE_STATES, type EvidenceState } from "./states.ts";
export {
  addUpload,
  type FilesTaken,
  type JobSink,
  type NewFile,
  type TakenFile,
  takeFiles,
} from "./take-files.ts";
export {
  createUploads,
  type EvidenceUploads,
  type Received,
  type UploadFault,
  UploadRefused,
} from "./upload.ts";
export {
  type Begun,
  createVault,
  FileGivenUp,
  type Kept,
  type OpenedFile,
  UnknownStoredFile,
  type Vault,
} from "./vault.ts";
export { createPartsKeeper, createVaultKeeper } from "./vault-keeper.ts";
export { dropOldParts } from "./vault-parts.ts";
export { STORED_FILES_SEALED_COLUMNS } from "./vault-rows.ts";
export { sweepVault } from "./vault-sweep.ts";
export { type FileFault, verifyVault } from "./vault-verify.ts";
export { linksFile, placeFile, type WrittenFile, type WrittenPlace } from "./written-files.ts";
