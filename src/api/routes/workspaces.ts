import { z } from "zod";
import { createWorkspace } from "../../connectors/index.ts";
import { defineRoute, text } from "../route.ts";

export const workspaceRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/workspaces",
    auth: "admin",
    summary: "Creates a workspace. Its API key is shown in this answer and never again.",
    body: z.strictObject({ name: text().trim().min(1).max(200) }),
    success: {
      status: 201,
      schema: z.object({ id: z.string(), name: z.string(), apiKey: z.string() }),
    },
    handler: async ({ db, body }) => ({
      status: 201,
      body: await createWorkspace(db, body.name),
    }),
  }),
];
