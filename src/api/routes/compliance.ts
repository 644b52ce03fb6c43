import { z } from "zod";
import {
  type AcceptancePlace,
  acceptRisk,
  findEntry,
  listAcceptances,
  readFrameworkScore,
  readSummary,
} from "../../register/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { entryVersion } from "../entry-shape.ts";
import { madeOnce } from "../idempotency.ts";
import { authorOf, defineRoute, pageOf, pageQuery, text, workspaceOf } from "../route.ts";
import { CHANGE, entryParams, noEntry, orProblem } from "./register-entries.ts";

/** Calls about how the workspace stands: its scores, and the risks it lives with. */

const score = z.number().nullable().describe("0 to 100; null: there are no requirements");

const summarySchema = z.object({
  score: score.describe("of the requirements of all frameworks together"),
  frameworks: z
    .array(z.object({ id: z.string(), code: z.string(), title: z.string(), score }))
    .describe("by code, at most 100"),
  criticalIssues: z.number().describe("open findings whose severity is critical"),
  openTasks: z.number(),
  risks: z
    .object({
      total: z.number(),
      critical: z.number(),
      high: z.number(),
      medium: z.number(),
      low: z.number(),
      unassessed: z.number(),
    })
    .describe("those that are open"),
  updatedAt: z.string().describe("when something of the register last changed"),
});

const scoreSchema = z.object({
  score,
  requirements: z.number(),
  met: z.number().describe("requirements whose controls are all active"),
  withoutControls: z.number().describe("requirements without any control that counts"),
});

const acceptanceSchema = z.object({
  id: z.string(),
  riskId: z.string(),
  acceptedBy: z.string(),
  reason: z.string(),
  score: z.number().nullable().describe("the risk's, at that time"),
  validUntil: z.string().nullable(),
  acceptedAt: z.string(),
});

const today = () => new Date().toISOString().slice(0, 10);

const PLACE =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]{8,15}[+-][0-9:]{2,9} [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function placeOf(cursor: string | undefined): AcceptancePlace | undefined {
  const place = decodeCursor(cursor, PLACE);
  if (place === undefined) return undefined;
  const at = place.lastIndexOf(" ");
  return { at: place.slice(0, at), id: place.slice(at + 1) };
}

export const complianceRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/compliance",
    auth: "workspace",
    scope: "read",
    summary: "How the workspace stands: scores, critical issues, open tasks and risks.",
    success: { status: 200, schema: summarySchema },
    handler: async ({ db, principal }) => {
      const { updatedAt, ...summary } = await readSummary(db, workspaceOf(principal));
      return { status: 200, body: { ...summary, updatedAt: updatedAt.toISOString() } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/frameworks/:id/score",
    auth: "workspace",
    scope: "read",
    summary: "A framework's score, and what it is made of.",
    params: entryParams,
    success: { status: 200, schema: scoreSchema },
    handler: async ({ db, principal, params: { id } }) => {
      const workspaceId = workspaceOf(principal);
      const made = await readFrameworkScore(db, { workspaceId, id });
      if (made === null) throw noEntry("framework");
      return { status: 200, body: made };
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/risks/:id/acceptances",
    auth: "workspace",
    scope: "manage",
    summary:
      "Accepts a risk as it now is: its treatment is `accept` from then on. An acceptance is never changed nor removed.",
    params: entryParams,
    body: z.strictObject({
      reason: text().trim().min(1).max(2_000),
      validUntil: z.iso
        .date()
        .refine((day) => day >= today(), { message: "is today or later" })
        .nullable()
        .default(null)
        .describe("the last day on which it holds"),
      version: entryVersion,
    }),
    success: { status: 201, schema: acceptanceSchema },
    handler: ({ db, principal, params, body, idempotency }) => {
      const workspaceId = workspaceOf(principal);
      const key = idempotency && { workspaceId, ...idempotency };
      const accepted = { workspaceId, riskId: params.id, by: authorOf(principal), ...body };
      const made = db.transaction(
        (tx) =>
          madeOnce(tx, key, async () => {
            const acceptance = await acceptRisk(tx, accepted);
            if (acceptance === null) throw noEntry("risk");
            return acceptance;
          }),
        CHANGE,
      );
      return orProblem(made);
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/risks/:id/acceptances",
    auth: "workspace",
    scope: "read",
    summary: "Lists who accepted a risk, the oldest first.",
    params: entryParams,
    query: z.strictObject(pageQuery),
    success: { status: 200, schema: pageOf(acceptanceSchema) },
    handler: async ({ db, principal, params: { id }, query: { limit, cursor } }) => {
      const workspaceId = workspaceOf(principal);
      const after = placeOf(cursor);
      if ((await findEntry(db, { workspaceId, kind: "risk", id })) === null) throw noEntry("risk");
      const asked = { limit, after };
      const { data, next } = await listAcceptances(db, { workspaceId, riskId: id }, asked);
      const nextCursor = next === null ? null : encodeCursor(`${next.at} ${next.id}`);
      return { status: 200, body: { data, nextCursor } };
    },
  }),
];
