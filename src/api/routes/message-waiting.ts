import { z } from "zod";
import { MESSAGE_STATES, whyWaiting } from "../../outbound/index.ts";
import { Problem } from "../../platform/index.ts";
import { defineRoute, uuid, workspaceOf } from "../route.ts";

const reasonSchema = z.object({
  reason: z.string(),
  detail: z.string(),
  until: z.string().optional(),
  messageId: z.string().optional(),
  before: z.number().optional().describe("messages that go before it"),
  more: z.literal(true).optional().describe("more than were counted"),
  aboutS: z.number().optional().describe("seconds, about"),
});

export const messageWaitingRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/messages/:id/waiting",
    auth: "workspace",
    scope: "read",
    summary: "Why a message is not sent yet: behind what, and until when where that is known.",
    params: z.object({ id: z.string().max(40) }),
    success: {
      status: 200,
      schema: z.object({
        id: z.string(),
        state: z.enum(MESSAGE_STATES),
        waiting: z.boolean(),
        reasons: z.array(reasonSchema),
        expiresAt: z.string().optional(),
      }),
    },
    handler: async ({ db, principal, params: { id } }) => {
      const workspaceId = workspaceOf(principal);
      const known = uuid.safeParse(id).success;
      // The ledger is the engine's; the workspace is in the statement.
      const waiting = known
        ? await db.transaction((tx) => whyWaiting(tx.engine, { workspaceId, id }))
        : null;
      if (waiting === null) {
        throw new Problem(404, "Not found", "This workspace has no such message.");
      }
      return { status: 200, body: waiting };
    },
  }),
];
