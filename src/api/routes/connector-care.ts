import { z } from "zod";
import { defineRoute, workspaceOf } from "../route.ts";
import { botToken, connectorSchema, found, idParams } from "./connectors.ts";

/** What is done about a connector once it is there. */
export const connectorCareRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/connectors/:id/token",
    auth: "workspace",
    summary:
      "Replaces the bot's token at once: the old one is forgotten, the webhook registered anew.",
    params: idParams,
    body: z.strictObject({ botToken }),
    success: { status: 200, schema: connectorSchema },
    handler: async ({ services, principal, params, body }) => {
      const workspaceId = workspaceOf(principal);
      const rotated = await services.connectors.rotate(workspaceId, params.id, body.botToken);
      return { status: 200, body: found(rotated) };
    },
  }),
];
