import type { FaultKind } from "./fault.ts";

/** Of something that has no name here: a mistake of ours, or of the database. */
type Unknown = "unknown";
/** What becomes of a file beside what keeps it from being fetched. */
type Afterwards = "harmful" | "given-up" | "content-gone";

export type FileFaultKind = FaultKind | Unknown | Afterwards;

/** Why a file is not here, as its row keeps it (jsonb): each who reads of it does so in their language. */
export interface FileFault {
  kind: FileFaultKind;
  /** What its words name: the most bytes that are taken, the type of its content, what a scanner found. */
  about?: string | number;
}
