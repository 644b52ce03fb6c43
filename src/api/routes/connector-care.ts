import { z } from "zod";
import { listPaidSends } from "../../outbound/index.ts";
import { defineRoute, workspaceOf } from "../route.ts";
import { botToken, connectorSchema, found, idParams } from "./connectors.ts";

/** What is done about a connector once it is there. */
export const connectorCareRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/connectors/:id/test",
    auth: "workspace",
    scope: "manage",
    summary:
      "Tests the connection at Telegram; a message goes to the default chat, if there is one.",
    params: idParams,
    success: {
      status: 200,
      schema: z.object({
        ok: z.boolean(),
        checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
      }),
    },
    handler: async ({ services, principal, params }) => ({
      status: 200,
      body: found(await services.connectors.test(workspaceOf(principal), params.id)),
    }),
  }),
  defineRoute({
    method: "get",
    path: "/v1/connectors/:id/paid-sends",
    auth: "workspace",
    scope: "read",
    summary: "What the bot's broadcasts cost, day by day (`paidBroadcasts` of its settings).",
    params: idParams,
    success: {
      status: 200,
      schema: z.object({
        data: z.array(
          z.object({
            day: z.string().describe("of UTC"),
            messages: z.number(),
            stars: z.number().describe("Telegram Stars at most"),
          }),
        ),
        nextCursor: z.null(),
      }),
    },
    handler: async ({ db, services, principal, params }) => {
      const workspaceId = workspaceOf(principal);
      found(await services.connectors.get(workspaceId, params.id));
      const data = await listPaidSends(db, { workspaceId, connectorId: params.id });
      return { status: 200, body: { data, nextCursor: null } };
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/connectors/:id/token",
    auth: "workspace",
    scope: "manage",
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
