import { z } from "zod";
import { CHAT_PURPOSES } from "../../conversations/index.ts";
import { createLinkCode } from "../../people/index.ts";
import { defineRoute, workspaceOf } from "../route.ts";
import { found, idParams } from "./connectors.ts";

const DEFAULT_MINUTES = 30;
const MAX_MINUTES = 24 * 60;

export const linkCodeRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/connectors/:id/link-codes",
    auth: "workspace",
    scope: "manage",
    summary:
      "Makes a one-time code by which a person of the workspace links a group from within it, shown in this answer and never again.",
    params: idParams,
    body: z.strictObject({
      purpose: z.enum(CHAT_PURPOSES).optional(),
      expiresInMinutes: z.number().int().min(1).max(MAX_MINUTES).default(DEFAULT_MINUTES),
    }),
    success: {
      status: 201,
      schema: z.object({ code: z.string(), command: z.string(), expiresAt: z.string() }),
    },
    handler: async ({ db, services, principal, params, body }) => {
      const workspaceId = workspaceOf(principal);
      return db.transaction(async (tx) => {
        const { id: connectorId } = found(
          await services.connectors.get(workspaceId, params.id, tx),
        );
        const { purpose = null, expiresInMinutes } = body;
        const wanted = { workspaceId, connectorId, purpose, expiresInMinutes };
        const { code, expiresAt } = await createLinkCode(tx, wanted);
        return { status: 201, body: { code, command: `/link ${code}`, expiresAt } };
      });
    },
  }),
];
