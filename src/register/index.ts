/**
 * register: frameworks, requirements, controls, risks, audits, findings, tasks and policies of a
 * workspace, by one description of what each holds; acceptances of risks; how well the workspace
 * complies, in counts that are kept while all of that changes; files of it, in and out; and the search
 * over those that people look for by words, evidence among them. Stands on people, audit and platform.
 */

export {
  type Acceptance,
  type AcceptancePlace,
  acceptRisk,
  listAcceptances,
} from "./acceptances.ts";
export {
  changeEntry,
  createEntry,
  type EntryKey,
  type EntryValue,
  type EntryValues,
  type EntryView,
  findEntry,
  type NewEntry,
  removeEntry,
} from "./entries.ts";
export { EntryRefused, type RefusalReason } from "./entry-refusals.ts";
export * from "./exchange/index.ts";
export { type FrameworkControls, frameworkControls } from "./framework-controls.ts";
export {
  CONTROL_STATUSES,
  type Field,
  KIND_NAMES,
  KINDS,
  type Kind,
  type KindName,
  kindNamed,
  SEVERITIES,
  TREATMENTS,
} from "./kinds.ts";
export { lineFault } from "./line-fault.ts";
export {
  DUE_BEFORE,
  type EntryFilter,
  type EntryPlace,
  entryFilters,
  listEntries,
} from "./list-entries.ts";
export { type FrameworkRef, nearFrameworks } from "./near-frameworks.ts";
export { type AuditUnderWay, auditsUnderWay, planAudit } from "./plan-audit.ts";
export {
  countAuditsUnderWay,
  MOST_COUNTED,
  recordedWithin,
  risksWithin,
  type Within,
} from "./report-figures.ts";
export { RISK_LEVELS, type RiskLevel, riskLevel } from "./score.ts";
export {
  type FoundEntry,
  MAX_FOUND,
  MAX_QUERY_LETTERS,
  type RegisterSearch,
  SEARCH_KINDS,
  type SearchKind,
  searchRegister,
} from "./search.ts";
export {
  type FrameworkScore,
  type RegisterSummary,
  readFrameworkScore,
  readSummary,
  type TopRisk,
  topRisks,
} from "./summary.ts";
