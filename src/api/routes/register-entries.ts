import { z } from "zod";
import { isLockTimeout, Problem } from "../../platform/index.ts";
import {
  changeEntry,
  createEntry,
  DUE_BEFORE,
  type EntryPlace,
  EntryRefused,
  type EntryView,
  findEntry,
  KINDS,
  type Kind,
  listEntries,
  type RefusalReason,
  removeEntry,
} from "../../register/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { entryChange, entryQuery, entrySchema, newEntry } from "../entry-shape.ts";
import { madeOnce } from "../idempotency.ts";
import { defineRoute, pageOf, type Route, uuid, workspaceOf } from "../route.ts";

/** Calls about what the register holds: the same five for each kind, made from its description. */

export const entryParams = z.object({ id: uuid });

export const noEntry = (kind: Kind["name"]) =>
  new Problem(404, "Not found", `This workspace has no such ${kind}.`);

const ANSWERS: Record<RefusalReason, { status: number; title: string }> = {
  "code-taken": { status: 409, title: "Code taken" },
  stale: { status: 409, title: "Changed meanwhile" },
  "still-needed": { status: 409, title: "Still needed" },
  "unknown-reference": { status: 422, title: "Unknown reference" },
  contradiction: { status: 422, title: "Contradiction" },
};

/**
 * Of a change. An import holds what it changes for seconds: who waited for it with a connection each
 * would leave none to those who bring updates.
 */
export const CHANGE = { lockTimeoutMs: 2_000 };

const underWay = () =>
  new Problem(503, "Unavailable", "An import is changing the same entries; try again shortly.", {
    headers: { "retry-after": "5" },
  });

/** What the register refuses, as it is answered. */
export async function orProblem<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (isLockTimeout(error)) throw underWay();
    if (!(error instanceof EntryRefused)) throw error;
    const { message, paths } = error;
    const { status, title } = ANSWERS[error.reason];
    const errors = paths.length === 0 ? undefined : paths.map((path) => ({ path, message }));
    throw new Problem(status, title, message, { errors });
  }
}

const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const BY_ID = new RegExp(`^${UUID}$`);
const BY_DUE = new RegExp(`^[0-9]{4}-[0-9]{2}-[0-9]{2} ${UUID}$`);

/** A page behind the cursor that the page before gave out, by id or by what is due first. */
function placeOf(cursor: string | undefined, byDue: boolean): EntryPlace | undefined {
  const place = decodeCursor(cursor, byDue ? BY_DUE : BY_ID);
  if (place === undefined || !byDue) return place === undefined ? undefined : { id: place };
  const [dueOn, id = ""] = place.split(" ");
  return { id, dueOn };
}

function pageOfEntries(entries: EntryView[], limit: number, byDue: boolean) {
  const data = entries.slice(0, limit);
  const last = data.at(-1);
  if (entries.length <= limit || last === undefined) return { data, nextCursor: null };
  return { data, nextCursor: encodeCursor(byDue ? `${last.dueOn} ${last.id}` : last.id) };
}

const within = ({ codeWithin }: Kind) => codeWithin ?? "workspace";

function routesOf(kind: Kind): Route[] {
  const { name, plural } = kind;
  const path = `/v1/${plural}`;
  const schema = entrySchema(kind);
  return [
    defineRoute({
      method: "post",
      path,
      auth: "workspace",
      scope: "manage",
      summary: `Adds a ${name} to the register. Its code is its own in the ${within(kind)}.`,
      body: newEntry(kind),
      success: { status: 201, schema },
      handler: ({ db, principal, body, idempotency }) => {
        const workspaceId = workspaceOf(principal);
        const key = idempotency && { workspaceId, ...idempotency };
        const made = db.transaction(
          (tx) =>
            madeOnce(tx, key, () => createEntry(tx, { workspaceId, kind: name, values: body })),
          CHANGE,
        );
        return orProblem(made);
      },
    }),
    defineRoute({
      method: "get",
      path,
      auth: "workspace",
      scope: "read",
      summary: `Lists the workspace's ${plural}.`,
      query: entryQuery(kind),
      success: { status: 200, schema: pageOf(schema) },
      handler: async ({ db, principal, query: { limit, cursor, filter } }) => {
        const byDue = filter[DUE_BEFORE] !== undefined;
        const entries = await listEntries(db, {
          workspaceId: workspaceOf(principal),
          kind: name,
          filter,
          after: placeOf(cursor, byDue),
          limit: limit + 1,
        });
        return { status: 200, body: pageOfEntries(entries, limit, byDue) };
      },
    }),
    defineRoute({
      method: "get",
      path: `${path}/:id`,
      auth: "workspace",
      scope: "read",
      summary: `One ${name}.`,
      params: entryParams,
      success: { status: 200, schema },
      handler: async ({ db, principal, params: { id } }) => {
        const entry = await findEntry(db, { workspaceId: workspaceOf(principal), kind: name, id });
        if (entry === null) throw noEntry(name);
        return { status: 200, body: entry };
      },
    }),
    defineRoute({
      method: "patch",
      path: `${path}/:id`,
      auth: "workspace",
      scope: "manage",
      summary: `Changes what is given of a ${name}; null empties a field, a list takes the place of the one before.`,
      params: entryParams,
      body: entryChange(kind),
      success: { status: 200, schema },
      handler: async ({ db, principal, params: { id }, body }) => {
        const key = { workspaceId: workspaceOf(principal), kind: name, id };
        const entry = await orProblem(db.transaction((tx) => changeEntry(tx, key, body), CHANGE));
        if (entry === null) throw noEntry(name);
        return { status: 200, body: entry };
      },
    }),
    defineRoute({
      method: "delete",
      path: `${path}/:id`,
      auth: "workspace",
      scope: "manage",
      summary: `Removes a ${name} that no other entry stands on.`,
      params: entryParams,
      success: { status: 200, schema: z.object({ removed: z.literal(true) }) },
      handler: async ({ db, principal, params: { id } }) => {
        const key = { workspaceId: workspaceOf(principal), kind: name, id };
        const removed = await orProblem(db.transaction((tx) => removeEntry(tx, key), CHANGE));
        if (!removed) throw noEntry(name);
        return { status: 200, body: { removed: true } };
      },
    }),
  ];
}

export const registerEntryRoutes = KINDS.flatMap(routesOf);
