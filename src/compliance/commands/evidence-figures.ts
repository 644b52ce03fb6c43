import type { Queryable } from "../../platform/index.ts";
import { MOST_COUNTED, type Within } from "../../register/index.ts";

export interface EvidenceFigures {
  handedIn: number;
  approved: number;
  rejected: number;
  /** Now, whenever it was handed in. */
  inReview: number;
}

const FIGURES = `/* compliance.evidence-within */
SELECT
  (SELECT count(*)::int FROM (
    SELECT FROM evidence_revisions
    WHERE workspace_id = $1 AND submitted_at >= $2 AND submitted_at < $3 AND number > 0 LIMIT $4
  ) t) AS "handedIn",
  count(*) FILTER (WHERE decision = 'approved')::int AS approved,
  count(*) FILTER (WHERE decision = 'rejected')::int AS rejected,
  (SELECT count(*)::int FROM (
    SELECT FROM evidence WHERE status = 'in_review' AND workspace_id = $1 LIMIT $4
  ) t) AS "inReview"
FROM (
  SELECT decision FROM evidence_revisions
  WHERE workspace_id = $1 AND decided_at >= $2 AND decided_at < $3 AND decided_at IS NOT NULL LIMIT $4
) d`;

/** What was handed in, and what was decided, within a time; each counted as reports count. */
export async function evidenceWithin(
  on: Queryable,
  { workspaceId, from, until }: Within,
): Promise<EvidenceFigures> {
  const params = [workspaceId, from, until, MOST_COUNTED + 1];
  const [row] = await on.query<EvidenceFigures>(FIGURES, params);
  return row ?? { handedIn: 0, approved: 0, rejected: 0, inReview: 0 };
}
