/**
 * What becomes of evidence: one table, and nothing else decides. A revision is what was handed in at one
 * time; the evidence's state is that of its newest one.
 */

export const EVIDENCE_STATES = [
  "requested",
  "draft",
  "in_review",
  "approved",
  "rejected",
  "expired",
] as const;
export type EvidenceState = (typeof EVIDENCE_STATES)[number];

export const EVIDENCE_EVENTS = ["file", "submit", "approve", "reject", "expire"] as const;
/** `file`: one is handed in. `expire`: the day is over until which it counts. */
export type EvidenceEvent = (typeof EVIDENCE_EVENTS)[number];

/** An event that a state does not name is refused in it. */
const MOVES: Record<EvidenceState, Partial<Record<EvidenceEvent, EvidenceState>>> = {
  requested: { file: "draft" },
  draft: { file: "draft", submit: "in_review" },
  in_review: { file: "draft", approve: "approved", reject: "rejected" },
  approved: { file: "draft", expire: "expired" },
  rejected: { file: "draft" },
  expired: { file: "draft" },
};

/** Where evidence stands. */
export interface Standing {
  state: EvidenceState;
  /** The newest revision; 0: nothing was handed in yet. */
  revision: number;
  /** The one that was approved and has not expired; it counts while a newer one is made. */
  approvedRevision: number | null;
}

/** Where it stands after the event; null: the event is refused. */
export function afterEvent(standing: Standing, event: EvidenceEvent): Standing | null {
  const { revision, approvedRevision } = standing;
  if (event === "expire") {
    if (approvedRevision === null) return null;
    const state = MOVES[standing.state].expire ?? standing.state;
    return { state, revision, approvedRevision: null };
  }
  const state = MOVES[standing.state][event];
  if (state === undefined) return null;
  if (event === "file")
    return { state, revision: placeOfFile(standing).revision, approvedRevision };
  if (revision === 0) return null;
  return { state, revision, approvedRevision: event === "approve" ? revision : approvedRevision };
}

/** Which revision a new file belongs to. */
export interface PlaceOfFile {
  revision: number;
  /**
   * `joins`: one that is being put together. `renumbers`: one that is being looked at, which has another
   * number from now on, so that nobody decides on what they have not seen. `opens`: a new one.
   */
  how: "joins" | "renumbers" | "opens";
}

export function placeOfFile({ state, revision }: Standing): PlaceOfFile {
  if (revision > 0 && state === "draft") return { revision, how: "joins" };
  return { revision: revision + 1, how: state === "in_review" ? "renumbers" : "opens" };
}
