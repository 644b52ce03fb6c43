import { z } from "zod";
import {
  createApiKey,
  KEY_SCOPES,
  type KeyScope,
  listApiKeys,
  revokeApiKey,
} from "../../connectors/index.ts";
import { Problem } from "../../platform/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { defineRoute, type Principal, pageOf, pageQuery, text, uuid } from "../route.ts";

const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(KEY_SCOPES)),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  lastUsedAt: z.string().nullable().describe("to the hour"),
});

const UUID_SHAPE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ofWorkspace = uuid.optional().describe("for the administrator: whose key it is");

const noWorkspace = () => new Problem(404, "Not found", "There is no such workspace.");

/** A key's own workspace, or the one that the administrator names. Throws `Problem` 400 or 404. */
export function keysOf(principal: Principal, named: string | undefined): string {
  if (principal.kind === "workspace") {
    if ((named ?? principal.workspaceId) !== principal.workspaceId) throw noWorkspace();
    return principal.workspaceId;
  }
  if (named !== undefined) return named;
  throw new Problem(400, "Invalid request", "Say which workspace: the administrator has none.", {
    errors: [{ path: "workspaceId", message: "required with ADMIN_TOKEN" }],
  });
}

export const keyRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/keys",
    auth: "either",
    scope: "manage",
    summary:
      "Makes an API key, shown in this answer and never again. A key grants no scope that it lacks, and no longer life than its own.",
    body: z.strictObject({
      name: text().trim().min(1).max(200),
      scopes: z
        .array(z.enum(KEY_SCOPES))
        .min(1)
        .max(KEY_SCOPES.length)
        .refine((scopes) => new Set(scopes).size === scopes.length, "names a scope twice"),
      expiresAt: z.iso
        .datetime({ offset: true })
        .refine((at) => Date.parse(at) > Date.now(), "is in the future")
        .optional(),
      workspaceId: ofWorkspace,
    }),
    success: { status: 201, schema: keySchema.extend({ apiKey: z.string() }) },
    handler: async ({ db, principal, body }) => {
      const key = await createApiKey(db, {
        workspaceId: keysOf(principal, body.workspaceId),
        name: body.name,
        scopes: body.scopes as KeyScope[],
        expiresAt: body.expiresAt === undefined ? null : new Date(body.expiresAt),
        grantedBy: principal.kind === "workspace" ? principal.keyId : null,
      });
      if (key === null) throw noWorkspace();
      return { status: 201, body: key };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/keys",
    auth: "either",
    scope: "manage",
    summary: "Lists the keys that were not revoked; the keys themselves are not kept.",
    query: z.strictObject({ ...pageQuery, workspaceId: ofWorkspace }),
    success: { status: 200, schema: pageOf(keySchema) },
    handler: async ({ db, principal, query }) => {
      const afterId = decodeCursor(query.cursor, UUID_SHAPE);
      const workspaceId = keysOf(principal, query.workspaceId);
      const page = { limit: query.limit + 1, afterId };
      const rows = await listApiKeys(db, workspaceId, page);
      const data = rows.slice(0, query.limit);
      const last = data.at(-1);
      const more = rows.length > query.limit && last !== undefined;
      return { status: 200, body: { data, nextCursor: more ? encodeCursor(last.id) : null } };
    },
  }),
  defineRoute({
    method: "delete",
    path: "/v1/keys/:id",
    auth: "either",
    scope: "manage",
    summary: "Revokes a key: every process refuses it within a second.",
    params: z.object({ id: uuid }),
    success: { status: 200, schema: z.object({ revoked: z.literal(true) }) },
    handler: async ({ db, principal, params }) => {
      const workspaceId = principal.kind === "workspace" ? principal.workspaceId : undefined;
      if (!(await revokeApiKey(db, { workspaceId, id: params.id }))) {
        throw new Problem(404, "Not found", "There is no such key.");
      }
      return { status: 200, body: { revoked: true } };
    },
  }),
];
