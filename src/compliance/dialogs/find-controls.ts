import type { Queryable } from "../../platform/index.ts";
import type { ControlOption, OpenRequest } from "./machine.ts";

/** Controls on a card. */
export const PAGE = 6;
/** Nobody turns more pages than these; whoever looks for something writes a part of it. */
const MAX_PAGES = 50;
/** Of the newest requests, so many are looked at. */
const LOOKED_AT = 50;
/** On a card. */
const REQUESTS = 3;

/** Asked of this person, or of nobody in particular. */
const REQUESTED = `
SELECT e.number, e.id, e.description, e.control_id FROM evidence e
WHERE e.workspace_id = $1 AND e.status = 'requested'
  AND (e.requested_of = $2 OR e.requested_of IS NULL)
ORDER BY e.number DESC LIMIT ${LOOKED_AT}`;

const OPEN_REQUESTS = `/* dialogs.open-requests */
SELECT r.number::text, r.id, r.description, c.id AS control_id, c.code, c.title
FROM (${REQUESTED}) r
LEFT JOIN controls c ON c.workspace_id = $1 AND c.id = r.control_id
ORDER BY r.number DESC LIMIT ${REQUESTS}`;

interface RequestRow {
  number: string;
  id: string;
  description: string;
  control_id: string | null;
  code: string | null;
  title: string | null;
}

const requestOf = ({
  number,
  id,
  description,
  control_id,
  code,
  title,
}: RequestRow): OpenRequest => ({
  number,
  id,
  description,
  control: control_id === null ? null : { id: control_id, code: code ?? "", title: title ?? "" },
});

/** Evidence that was asked of this person, or of whoever has it; the newest first, a few. */
export async function openRequests(
  on: Queryable,
  { workspaceId, personId }: { workspaceId: string; personId: string | null },
): Promise<OpenRequest[]> {
  const rows = await on.query<RequestRow>(OPEN_REQUESTS, [workspaceId, personId]);
  return rows.map(requestOf);
}

/** FOR KEY SHARE: what a dialog is about is not removed before it says so. */
const REQUEST = `/* dialogs.open-request */
SELECT e.number::text, e.id, e.description, c.id AS control_id, c.code, c.title
FROM evidence e
LEFT JOIN controls c ON c.workspace_id = e.workspace_id AND c.id = e.control_id
WHERE e.workspace_id = $1 AND e.id = $3 AND e.status = 'requested'
  AND (e.requested_of = $2 OR e.requested_of IS NULL)
FOR KEY SHARE OF e`;

/** Null: it is not asked for any more, or of somebody else. */
export async function findRequest(
  on: Queryable,
  { workspaceId, personId, id }: { workspaceId: string; personId: string | null; id: string },
): Promise<OpenRequest | null> {
  const [row] = await on.query<RequestRow>(REQUEST, [workspaceId, personId, id]);
  return row === undefined ? null : requestOf(row);
}

const OF_REQUESTS = `/* dialogs.controls-of-requests */
SELECT c.id, c.code, c.title
FROM (SELECT DISTINCT r.control_id FROM (${REQUESTED}) r WHERE r.control_id IS NOT NULL) r
JOIN controls c ON c.workspace_id = $1 AND c.id = r.control_id AND c.status <> 'deprecated'
ORDER BY c.code LIMIT ${PAGE}`;

/** Codes are compared as bytes, so that those with a beginning are a range of the index. */
const BY_CODE = `/* dialogs.controls-by-code */
SELECT c.id, c.code, c.title FROM controls c
WHERE c.workspace_id = $1 AND c.code >= $2 AND c.code < $2 || chr(1114111)
  AND c.status <> 'deprecated'
ORDER BY c.code LIMIT $3 OFFSET $4`;

export interface FoundControls {
  page: number;
  options: ControlOption[];
  more: boolean;
}

/**
 * A page of the controls that evidence may be for: those somebody asked evidence for come first; with a
 * query, those whose code begins so, in the case it is written in or in capitals.
 */
export async function findControls(
  on: Queryable,
  {
    workspaceId,
    personId,
    query,
    page,
  }: { workspaceId: string; personId: string | null; query: string; page: number },
): Promise<FoundControls> {
  const at = Math.max(0, Math.min(page, MAX_PAGES - 1));
  const asked =
    query === ""
      ? await on.query<ControlOption>(OF_REQUESTS, [workspaceId, personId])
      : ([] as ControlOption[]);
  const byCode = async (beginning: string) =>
    on.query<ControlOption>(BY_CODE, [workspaceId, beginning, PAGE + 1, at * PAGE]);
  const exact = await byCode(query);
  const rows = exact.length > 0 || query === "" ? exact : await byCode(query.toUpperCase());
  const known = new Set(asked.map(({ id }) => id));
  const first = at === 0 ? asked : [];
  const rest = rows.slice(0, PAGE).filter(({ id }) => !known.has(id));
  return { page: at, options: [...first, ...rest], more: rows.length > PAGE && at < MAX_PAGES - 1 };
}

const HOLD_CONTROL = `/* dialogs.hold-control */
SELECT 1 AS one FROM controls WHERE workspace_id = $1 AND id = $2 FOR KEY SHARE`;

/** False: it is gone. Until the transaction ends it is not removed. */
export const holdControl = async (
  tx: Queryable,
  workspaceId: string,
  controlId: string,
): Promise<boolean> => (await tx.query(HOLD_CONTROL, [workspaceId, controlId])).length > 0;
