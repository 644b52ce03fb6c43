import { z } from "zod";
import { listEntries, recordAudit } from "../../audit/index.ts";
import {
  changeEvidence,
  createEvidence,
  EVIDENCE_STATES,
  findEvidence,
  LastDayStands,
  listEvidence,
  listHolds,
  readProvenance,
  removeEvidence,
  TooManyFiles,
} from "../../evidence/index.ts";
import { Problem } from "../../platform/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { claimKey, storeAnswer } from "../idempotency.ts";
import {
  type Answer,
  authorOf,
  defineRoute,
  pageOf,
  pageQuery,
  text,
  uuid,
  workspaceOf,
} from "../route.ts";
import {
  day,
  evidenceSchema,
  holdSchema,
  noEvidence,
  orUnknownReference,
  evidenceParams as params,
} from "./evidence-shape.ts";

const NUMBER_SHAPE = /^[1-9][0-9]{0,17}$/;
/** Entries of the audit log that are shown beside what the rows say. */
const MAX_ENTRIES = 200;

const type = text().trim().min(1).max(100);
const description = text().max(4_000);

export const evidenceRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/evidence",
    auth: "workspace",
    scope: "read",
    summary: "Lists the workspace's evidence, the newest first.",
    query: z.strictObject({
      status: z.enum(EVIDENCE_STATES).optional(),
      controlId: uuid.optional(),
      ...pageQuery,
    }),
    success: { status: 200, schema: pageOf(evidenceSchema) },
    handler: async ({ db, principal, query: { limit, cursor, ...filter } }) => {
      const workspaceId = workspaceOf(principal);
      const before = decodeCursor(cursor, NUMBER_SHAPE);
      const page = { limit: limit + 1, before };
      const rows = await listEvidence(db, { workspaceId, ...filter }, page);
      const data = rows.slice(0, limit);
      const last = data.at(-1);
      const more = rows.length > limit && last !== undefined;
      const details = { ...filter, count: data.length };
      await recordAudit(db, { workspaceId, action: "evidence.listed", details });
      const nextCursor = more ? encodeCursor(last.code.replace("EV-", "")) : null;
      return { status: 200, body: { data, nextCursor } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/evidence/:id",
    auth: "workspace",
    scope: "read",
    summary: "One piece of evidence, with the files of its newest revision and its legal holds.",
    params,
    success: { status: 200, schema: evidenceSchema.extend({ holds: z.array(holdSchema) }) },
    handler: async ({ db, principal, params: { id } }) => {
      const workspaceId = workspaceOf(principal);
      const evidence = await findEvidence(db, { workspaceId, id });
      if (evidence === null) throw noEvidence();
      const holds = await listHolds(db, { workspaceId, evidenceId: id });
      await recordAudit(db, { workspaceId, action: "evidence.viewed", subjectId: id });
      return { status: 200, body: { ...evidence, holds } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/evidence/:id/provenance",
    auth: "workspace",
    scope: "read",
    summary:
      "How it came to be: of every revision who, when, from which chat and message, which files with their hashes, who decided what; and what the audit log says of it.",
    params,
    success: { status: 200, schema: z.record(z.string(), z.unknown()) },
    handler: async ({ db, principal, params: { id } }) => {
      const workspaceId = workspaceOf(principal);
      const [provenance] = await readProvenance(db, workspaceId, [id]).catch((error) => {
        if (!(error instanceof TooManyFiles)) throw error;
        throw new Problem(409, "Too much at once", error.message);
      });
      if (provenance === undefined) throw noEvidence();
      const filter = { workspaceId, subjectId: id };
      const entries = await listEntries(db, filter, { limit: MAX_ENTRIES });
      await recordAudit(db, { workspaceId, action: "evidence.viewed", subjectId: id });
      return { status: 200, body: { ...provenance, entries } };
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/evidence",
    auth: "workspace",
    scope: "manage",
    summary: "Asks for evidence, perhaps of a person and until a day.",
    body: z.strictObject({
      type: type.default("document"),
      description: description.default(""),
      controlId: uuid.optional(),
      requestedOf: uuid.optional().describe("a person of the workspace"),
      dueOn: day.optional(),
      expiresOn: day.optional().describe("the last day on which it will count"),
    }),
    success: { status: 201, schema: evidenceSchema },
    handler: ({ db, principal, body, idempotency }) => {
      const workspaceId = workspaceOf(principal);
      const createdBy = authorOf(principal);
      const made = db.transaction(async (tx): Promise<Answer> => {
        const key = idempotency && { workspaceId, ...idempotency };
        const known = key && (await claimKey(tx, key));
        if (known) return known;
        const asked = { workspaceId, status: "requested", createdBy, ...body } as const;
        const { id } = await createEvidence(tx, asked);
        const answer = { status: 201, body: await findEvidence(tx, { workspaceId, id }) };
        if (key) await storeAnswer(tx, key, answer);
        return answer;
      });
      return orUnknownReference(made);
    },
  }),
  defineRoute({
    method: "patch",
    path: "/v1/evidence/:id",
    auth: "workspace",
    scope: "manage",
    summary: "Changes what is said of evidence; null takes it away. Its files and states stay.",
    params,
    body: z.strictObject({
      type: type.optional(),
      description: description.optional(),
      controlId: uuid.nullable().optional(),
      requestedOf: uuid.nullable().optional(),
      dueOn: day.nullable().optional(),
      expiresOn: day.nullable().optional(),
    }),
    success: { status: 200, schema: evidenceSchema },
    handler: async ({ db, principal, params: { id }, body }) => {
      const workspaceId = workspaceOf(principal);
      const changed = db
        .transaction(async (tx) => {
          const isThere = await changeEvidence(tx, { workspaceId, evidenceId: id }, body);
          return isThere ? findEvidence(tx, { workspaceId, id }) : null;
        })
        .catch((error) => {
          if (!(error instanceof LastDayStands)) throw error;
          const detail =
            "It was approved until a day: only another approval makes it count longer.";
          throw new Problem(409, "Not changed", detail);
        });
      const evidence = await orUnknownReference(changed);
      if (evidence === null) throw noEvidence();
      return { status: 200, body: evidence };
    },
  }),
  defineRoute({
    method: "delete",
    path: "/v1/evidence/:id",
    auth: "workspace",
    scope: "manage",
    summary:
      "Removes evidence to which nothing was handed in yet, and which nobody holds; other evidence stays: 409.",
    params,
    success: { status: 200, schema: z.object({ removed: z.literal(true) }) },
    handler: async ({ db, principal, params: { id } }) => {
      const workspaceId = workspaceOf(principal);
      const key = { workspaceId, evidenceId: id };
      const evidence = await db.transaction(async (tx) =>
        (await removeEvidence(tx, key)) ? "removed" : findEvidence(tx, { workspaceId, id }),
      );
      if (evidence === "removed") return { status: 200, body: { removed: true } };
      if (evidence === null) throw noEvidence();
      const why = evidence.held
        ? "It is under a legal hold."
        : "Something was handed in already: that stays on record.";
      throw new Problem(409, "Not removed", why);
    },
  }),
];
