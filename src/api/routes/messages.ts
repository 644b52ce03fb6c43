import { z } from "zod";
import { getMessage } from "../../outbound/index.ts";
import { Problem } from "../../platform/index.ts";
import { acceptMessage } from "../accept-message.ts";
import { chatId } from "../chat-id.ts";
import { checkTogether, threadId } from "../content-body.ts";
import { acceptedSchema, messageShape } from "../message-body.ts";
import { defineRoute, uuid, workspaceOf } from "../route.ts";
import { noConnector } from "./connectors.ts";

export const messageRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/messages",
    auth: "workspace",
    scope: "send",
    summary: "Queues a message; its outcome is at GET /v1/messages/:id.",
    body: z
      .strictObject({ connectorId: uuid, chatId, threadId, ...messageShape })
      .superRefine(checkTogether),
    success: { status: 202, schema: acceptedSchema },
    handler: (call) => {
      const { connectorId, chatId, threadId } = call.body;
      return acceptMessage(call, async () => ({ connectorId, chatId, threadId }), noConnector);
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/messages/:id",
    auth: "workspace",
    scope: "read",
    summary: "What became of a message.",
    params: z.object({ id: z.string().max(40) }),
    success: {
      status: 200,
      schema: z.object({
        id: z.string(),
        state: z.enum([
          "awaiting_approval",
          "queued",
          "sending",
          "sent",
          "unknown",
          "failed",
          "rejected",
          "cancelled",
        ]),
        attempts: z.number(),
        telegramMessageIds: z.array(z.string()),
        parts: z.object({ sent: z.number(), total: z.number() }).optional(),
        error: z.string().optional(),
        deletion: z
          .object({
            state: z.enum(["waiting", "deleted", "unknown", "failed", "cancelled"]),
            at: z.string(),
            error: z.string().optional(),
          })
          .optional()
          .describe("Of a message with deleteAfter, once it has been sent."),
      }),
    },
    handler: async ({ db, principal, params }) => {
      const workspaceId = workspaceOf(principal);
      const known = uuid.safeParse(params.id).success;
      const message = known ? await getMessage(db, { workspaceId, id: params.id }) : null;
      if (message === null) {
        throw new Problem(404, "Not found", "This workspace has no such message.");
      }
      return { status: 200, body: message };
    },
  }),
];
