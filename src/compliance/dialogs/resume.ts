import type { Queryable } from "../../platform/index.ts";
import type { Acting } from "./effects.ts";
import {
  type CollectionData,
  type CollectionState,
  emptyCollection,
} from "./machine-evidence-collection.ts";

const NUMBER = /^ev-?(\d{1,15})$/i;

/** Of `EV-17`; null: it is no such word. */
export const numberOf = (word: string): string | null => NUMBER.exec(word)?.[1] ?? null;

/** What somebody began, or is asked for, and has not submitted. `number > 0` is the index's own words. */
const FIND = `/* dialogs.resumable */
SELECT e.id, e.number::text, e.type, e.description, e.status, e.revision, c.id AS control_id, c.code,
  c.title, e.created_by <> ALL ($3::text[]) AS "isAsked"
FROM evidence e
LEFT JOIN controls c ON c.workspace_id = e.workspace_id AND c.id = e.control_id
WHERE e.workspace_id = $1 AND e.number = $2 AND e.number > 0
  AND e.status IN ('requested', 'draft', 'rejected')
  AND (e.created_by = ANY ($3::text[]) OR e.requested_of = $4
    OR e.status = 'requested' AND e.requested_of IS NULL AND $4::uuid IS NOT NULL)
FOR KEY SHARE OF e`;

interface Row {
  id: string;
  number: string;
  type: string;
  description: string;
  status: string;
  revision: number;
  control_id: string | null;
  code: string | null;
  title: string | null;
  isAsked: boolean;
}

export interface Resumed {
  evidenceId: string;
  state: CollectionState;
  data: CollectionData;
}

/** Where a dialog about it goes on; null: it is not theirs, or nothing is to be handed in. */
export async function findResumable(
  on: Queryable,
  workspaceId: string,
  number: string,
  { userId, personId }: Pick<Acting, "userId" | "personId">,
): Promise<Resumed | null> {
  const own = [`telegram:${userId}`, ...(personId === null ? [] : [`person:${personId}`])];
  const [row] = await on.query<Row>(FIND, [workspaceId, number, own, personId]);
  if (row === undefined) return null;
  const { id: evidenceId, type: evidenceType, description, isAsked } = row;
  const { control_id: controlId } = row;
  const control =
    controlId === null ? null : { id: controlId, code: row.code ?? "", title: row.title ?? "" };
  return {
    evidenceId,
    state: row.status === "draft" && row.revision > 0 ? "confirming" : "awaiting-file",
    data: { ...emptyCollection(), number: row.number, evidenceType, description, isAsked, control },
  };
}
