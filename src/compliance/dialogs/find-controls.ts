import type { Queryable } from "../../platform/index.ts";
import { searchRegister } from "../../register/index.ts";
import type { ControlOption, OpenRequest } from "./machine.ts";

/** Controls on a card. */
export const PAGE = 6;
/** Nobody turns more pages than these; whoever looks for something writes a part of it. */
const MAX_PAGES = 50;
/** Of the newest requests, so many are looked at. */
const LOOKED_AT = 50;
/** On a card. */
const REQUESTS = 3;

/** Asked of this person ($2), or of whoever of the workspace has it: nobody else is told of it. */
const ASKED_OF = (person: string) =>
  `(e.requested_of = ${person} OR e.requested_of IS NULL AND ${person}::uuid IS NOT NULL)`;

const REQUESTED = `
SELECT e.number, e.id, e.description, e.control_id FROM evidence e
WHERE e.workspace_id = $1 AND e.status = 'requested' AND ${ASKED_OF("$2")}
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

/**
 * Evidence that was asked of this person, or of whoever has it; the newest first, a few. `personId` null:
 * nobody of the workspace, and nothing is asked of them.
 */
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
WHERE e.workspace_id = $1 AND e.id = $3 AND e.status = 'requested' AND ${ASKED_OF("$2")}
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

/** Codes are compared as bytes. */
const ALL = `/* dialogs.controls */
SELECT c.id, c.code, c.title FROM controls c
WHERE c.workspace_id = $1 AND c.status <> 'deprecated'
ORDER BY c.code LIMIT $2 OFFSET $3`;

export interface FoundControls {
  page: number;
  options: ControlOption[];
  more: boolean;
}

/**
 * A page of the controls that evidence may be for: without a query those that somebody asked evidence
 * for, then all by code; with one, those that the search of the register finds. `on` is the engine's.
 */
export async function findControls(
  on: Queryable,
  {
    workspaceId,
    personId,
    query,
    page: wanted,
  }: { workspaceId: string; personId: string | null; query: string; page: number },
): Promise<FoundControls> {
  const page = Math.max(0, Math.min(wanted, MAX_PAGES - 1));
  const [limit, offset] = [PAGE + 1, page * PAGE];
  if (query !== "") {
    const found = await searchRegister(on, {
      workspaceId,
      query,
      kinds: ["control"],
      limit,
      offset,
    });
    const live = found.slice(0, PAGE).filter(({ status }) => status !== "deprecated");
    const options = live.map(({ id, code, title }) => ({ id, code, title }));
    return { page, options, more: isMore(found, page) };
  }
  const asked = await on.query<ControlOption>(OF_REQUESTS, [workspaceId, personId]);
  const rows = await on.query<ControlOption>(ALL, [workspaceId, limit, offset]);
  const known = new Set(asked.map(({ id }) => id));
  const rest = rows.slice(0, PAGE).filter(({ id }) => !known.has(id));
  return { page, options: [...(page === 0 ? asked : []), ...rest], more: isMore(rows, page) };
}

const isMore = (rows: readonly unknown[], page: number): boolean =>
  rows.length > PAGE && page < MAX_PAGES - 1;

const HOLD_CONTROL = `/* dialogs.hold-control */
SELECT 1 AS one FROM controls WHERE workspace_id = $1 AND id = $2 FOR KEY SHARE`;

/** False: it is gone. Until the transaction ends it is not removed. */
export const holdControl = async (
  tx: Queryable,
  workspaceId: string,
  controlId: string,
): Promise<boolean> => (await tx.query(HOLD_CONTROL, [workspaceId, controlId])).length > 0;
