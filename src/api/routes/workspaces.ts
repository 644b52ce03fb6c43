import { z } from "zod";
import { changeWorkspace, createWorkspace } from "../../connectors/index.ts";
import { Problem } from "../../platform/index.ts";
import { isTimeZone } from "../../templates/index.ts";
import { defineRoute, text } from "../route.ts";
import { idParams } from "./connectors.ts";

const name = text().trim().min(1).max(200);
const timeZone = z
  .string()
  .refine(isTimeZone, "is a time zone like Europe/Berlin")
  .describe("in which times of day are written where nothing else is said");

export const workspaceRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/workspaces",
    auth: "admin",
    summary: "Creates a workspace. Its API key is shown in this answer and never again.",
    body: z.strictObject({ name, timeZone: timeZone.optional() }),
    success: {
      status: 201,
      schema: z.object({ id: z.string(), name: z.string(), apiKey: z.string() }),
    },
    handler: async ({ db, body }) => ({
      status: 201,
      body: await createWorkspace(db, body.name, body.timeZone),
    }),
  }),
  defineRoute({
    method: "patch",
    path: "/v1/workspaces/:id",
    auth: "admin",
    summary: "Changes a workspace's name or time zone.",
    params: idParams,
    body: z.strictObject({ name: name.optional(), timeZone: timeZone.optional() }),
    success: {
      status: 200,
      schema: z.object({ id: z.string(), name: z.string(), timeZone: z.string() }),
    },
    handler: async ({ db, params, body }) => {
      const changed = await db.transaction((tx) => changeWorkspace(tx, params.id, body));
      if (changed === null) throw new Problem(404, "Not found", "There is no such workspace.");
      return { status: 200, body: changed };
    },
  }),
];
