import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import { listSessions } from "../../conversations/index.ts";
import { Problem } from "../../platform/index.ts";
import { defineRoute, pageOf, pageQuery, workspaceOf } from "../route.ts";
import { cursorChecked } from "./connectors.ts";

export const sessionRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/conversations/:id/sessions",
    auth: "workspace",
    scope: "read",
    summary: "A conversation's sessions, the newest first.",
    params: z.object({ id: z.string().max(40) }),
    query: z.strictObject(pageQuery),
    success: {
      status: 200,
      schema: pageOf(
        z.object({
          id: z.string(),
          conversationId: z.string(),
          connectorId: z.string(),
          chatId: z.string(),
          contactId: z.string().nullable(),
          startedAt: z.string(),
          lastMessageAt: z.string(),
          endedAt: z.string().nullable().describe("null: it is open"),
          endReason: z.enum(["timeout", "switched_off"]).nullable(),
        }),
      ),
    },
    handler: async ({ db, principal, params, query }) => {
      const workspaceId = workspaceOf(principal);
      const request = { workspaceId, conversationId: params.id, ...query };
      const page = await cursorChecked(listSessions(db, request));
      if (page === null) {
        throw new Problem(404, "Not found", "This workspace has no such conversation.");
      }
      const details = { count: page.data.length };
      const look = { action: "sessions.listed", subjectId: params.id, details } as const;
      await recordAudit(db, { workspaceId, ...look });
      return { status: 200, body: page };
    },
  }),
];
