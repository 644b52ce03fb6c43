/**
 * What an approver's word comes to: rules alone, over what is held while they are asked.
 *
 * Whoever submitted a message never decides on it. An edit is its editor's approval of the new text:
 * where one approval is needed it is enough, since two people have seen the text then; where two are,
 * somebody else has to approve it. Earlier approvals were of another text and count no more.
 */
export const APPROVAL_STATES = ["waiting", "approved", "rejected", "expired", "cancelled"] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** Why a word does not count. */
export type Refused = "not-approver" | "author" | "over" | "expired" | "changed" | "again";

/** What was said of a message as it was at that version. */
export interface Given {
  /** `key:<id>` or `person:<id>`. */
  approver: string;
  verdict: "approved" | "edited" | "rejected";
  /** SHA-256 of the message, in hex. */
  version: string;
}

export interface Standing {
  state: ApprovalState;
  /** Its time is over, whether somebody has written that down or not. */
  isDue: boolean;
  needed: number;
  /** Who submitted it, named as approvers are. */
  author: string | null;
  /** People who may decide; of keys their scope says so. */
  personIds: readonly string[];
  /** SHA-256 of the message as it is now, in hex. */
  version: string;
  given: readonly Given[];
}

/** Null: `approver`, who has seen `version`, may say something. */
export function refusalOf(
  standing: Standing,
  { approver, version }: { approver: string; version: string },
): Refused | null {
  const { state, author, personIds, given } = standing;
  const [kind, id = ""] = approver.split(":", 2);
  if (kind === "person" && !personIds.includes(id)) return "not-approver";
  if (approver === author) return "author";
  if (state === "expired") return "expired";
  if (state !== "waiting") return "over";
  if (standing.isDue) return "expired";
  if (version !== standing.version) return "changed";
  const isSaid = given.some((one) => one.approver === approver && one.version === version);
  return isSaid ? "again" : null;
}

/** How many more approvals the message needs as it is now. */
export function missing({
  needed,
  given,
  version,
}: Pick<Standing, "needed" | "given" | "version">): number {
  const approvers = given
    .filter((one) => one.version === version && one.verdict !== "rejected")
    .map(({ approver }) => approver);
  return Math.max(0, needed - new Set(approvers).size);
}

/** Where a word leads; of an edit `word.version` is the new one. */
export function afterWord(standing: Standing, word: Given): Standing {
  const next: Standing = { ...standing, version: word.version, given: [...standing.given, word] };
  if (word.verdict === "rejected") return { ...next, state: "rejected" };
  return missing(next) === 0 ? { ...next, state: "approved" } : next;
}
