import type { Standing } from "./states.ts";
import { isSame, type Who } from "./who.ts";

/** What somebody says of evidence, and of which revision. */
export interface Said {
  decision: "approved" | "rejected";
  /** The one that they have seen. */
  revision: number;
  by: Who;
}

/** What is decided on. */
export interface InReview {
  standing: Standing;
  /** Whoever handed in any of it. */
  senders: readonly Who[];
  /** Files whose content is here, and those that are still on their way. */
  stored: number;
  waiting: number;
  /** Its last day is over, and nobody says another one: it would end as soon as it was approved. */
  isOver: boolean;
}

export type DecisionRefused =
  /** Nobody approves what they handed in. */
  | "own"
  /** It is not being looked at: somebody has decided, or nobody has submitted it. */
  | "not-in-review"
  /** There is a newer revision than the one that was seen. */
  | "superseded"
  /** A file of it is not here yet, or none of it is. */
  | "incomplete"
  /** Its last day is over already. */
  | "over"
  /** The workspace has no such evidence. */
  | "unknown";

/** Why nothing comes of it; null: it is decided. Pure. */
export function refusalOf(
  { standing, senders, stored, waiting, isOver }: InReview,
  { decision, revision, by }: Said,
): DecisionRefused | null {
  if (revision !== standing.revision) return "superseded";
  if (standing.state !== "in_review") return "not-in-review";
  if (decision === "rejected") return null;
  if (senders.some((sender) => isSame(sender, by))) return "own";
  if (stored === 0 || waiting > 0) return "incomplete";
  return isOver ? "over" : null;
}
