/**
 * content: what a message is where it is more, or other, than a text: photos, documents, albums,
 * edits, deletions, pins, chat actions, forwards, answers to what people look for while they type, and
 * notices that vanish. What of each may stand
 * beside what, the call that it is, its files on their way, and what an error means for it.
 */
export { CannotSend } from "./cannot-send.ts";
export {
  ALBUM_ITEMS,
  BRINGS_FILES,
  bringsFiles,
  CHAT_ACTION_SHOWN_MS,
  CHAT_ACTIONS,
  COST,
  type Content,
  contentFaults,
  costOf,
  type EvidenceFileRef,
  type FileRef,
  MAX_CAPTION,
  MAX_DELETE_AFTER_S,
  MAX_FILE_BYTES,
  type MediaContent,
  mediaOf,
  takesPayment,
  targetIdOf,
  withFiles,
} from "./content.ts";
export { contentCall, contentMethod } from "./content-call.ts";
export { asCourtesy, contentResult } from "./content-result.ts";
export type { EvidenceFiles, OpenedEvidence } from "./evidence-file.ts";
export { type FileSource, type OpenFile, urlSource } from "./file-source.ts";
export { FILES_MS, FileTaker, type TakenFiles } from "./take-files.ts";
export { type FoundTarget, findTarget, TARGET, type Target } from "./target.ts";
export {
  type CarriedOut,
  type DeletionView,
  deletionOf,
  enqueueDeletions,
  recordDeletions,
  undeletable,
} from "./vanish.ts";
