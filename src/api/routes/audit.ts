import { z } from "zod";
import {
  AUDIT_ACTION_NAMES,
  type AuditPlace,
  INSTALLATION,
  listEntries,
  recordAudit,
} from "../../audit/index.ts";
import { Problem } from "../../platform/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { defineRoute, type Principal, pageOf, pageQuery, text, uuid } from "../route.ts";

const time = z.iso.datetime({ offset: true });

const entrySchema = z.object({
  workspaceId: z.string().nullable().describe("null: of the whole installation"),
  id: z.string(),
  at: z.string(),
  actorKind: z.enum(["api_key", "admin", "system", "telegram_user"]),
  actorId: z.string(),
  action: z.string(),
  subjectKind: z.string(),
  subjectId: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
  requestId: z.string().nullable().describe("the x-request-id of the answer to that call"),
  number: z.number().nullable().describe("its place in the chain; null for about a second"),
  previous: z.string().nullable().describe("the hash of the entry before it"),
  hash: z.string().nullable().describe("SHA-256 of the canonical JSON (RFC 8785) of all the rest"),
});

const PLACE_SHAPE = /^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \d{1,19}$/;

function placeOf(cursor: string | undefined): AuditPlace | undefined {
  const [at, id] = decodeCursor(cursor, PLACE_SHAPE)?.split(" ") ?? [];
  return at === undefined || id === undefined ? undefined : { at, id };
}

/** A workspace's key sees its own log; the administrator the installation's, or that of a workspace. */
function chainOf(principal: Principal, named: string | undefined): string {
  if (principal.kind === "admin") return named ?? INSTALLATION;
  if ((named ?? principal.workspaceId) === principal.workspaceId) return principal.workspaceId;
  throw new Problem(404, "Not found", "There is no such workspace.");
}

export const auditRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/audit",
    auth: "either",
    scope: "audit",
    summary:
      "The audit log, newest first: what was done, by whom, and who looked at people's data. The administrator sees the installation's own without `workspaceId`.",
    query: z.strictObject({
      action: z.enum(AUDIT_ACTION_NAMES).optional(),
      actorId: text().min(1).max(200).optional().describe("a key's id, a door, a process"),
      subjectId: text().min(1).max(400).optional(),
      from: time.optional(),
      to: time.optional().describe("before this time"),
      workspaceId: uuid.optional().describe("for the administrator"),
      ...pageQuery,
    }),
    success: { status: 200, schema: pageOf(entrySchema) },
    handler: async ({ db, principal, query }) => {
      const { limit, cursor, workspaceId: named, ...filter } = query;
      const workspaceId = chainOf(principal, named);
      const page = { limit: limit + 1, before: placeOf(cursor) };
      const rows = await listEntries(db, { workspaceId, ...filter }, page);
      const data = rows.slice(0, limit);
      const last = data.at(-1);
      const more = rows.length > limit && last !== undefined;
      // Whom and what somebody looked for is not kept: it may be anything that they typed.
      const { action, from, to } = filter;
      const details = { action, from, to, count: data.length };
      await recordAudit(db, { workspaceId, action: "audit.listed", details });
      return {
        status: 200,
        body: { data, nextCursor: more ? encodeCursor(`${last.at} ${last.id}`) : null },
      };
    },
  }),
];
