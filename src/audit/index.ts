/**
 * audit: what was done, by whom, and who looked at people's data. `recordAudit` writes an entry in the
 * transaction of the change it records; `actAs`, called at the door, says who acts. A moment later the
 * sealer puts the entries into a hash chain a workspace (or whoever reads them together with what they
 * tell of: `sealAllSeen`), which `verifyChain` recomputes and `exportChain` hands out. Stands on platform alone, so that every room above it can record.
 */
export { ACTOR_KINDS, type Actor, actAs } from "./acting.ts";
export {
  AUDIT_ACTION_NAMES,
  AUDIT_ACTIONS,
  type AuditAction,
  type AuditValue,
  INSTALLATION,
  type NewAuditEntry,
} from "./actions.ts";
export { defineAuditMetrics } from "./audit-metrics.ts";
export type { AuditEntry, Head, SealedEntry } from "./chain.ts";
export { type EntriesAbout, entriesAbout } from "./entries-about.ts";
export { type ChainPiece, EXPORT_FORMAT, exportChain } from "./export-chain.ts";
export { AUDIT_SEALED_COLUMNS } from "./head.ts";
export {
  type AuditFilter,
  type AuditPlace,
  type ListedEntry,
  listEntries,
} from "./list-entries.ts";
export { type RecordAudit, recordAudit } from "./record.ts";
export { sealAllSeen } from "./seal-waiting.ts";
export { type AuditSealer, type AuditSealerOptions, startAuditSealer } from "./sealer.ts";
export { type ChainVerdict, verifyChain, verifyChains } from "./verify.ts";
