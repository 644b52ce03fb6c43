import { z } from "zod";
import { changeSettings, MORE_KINDS, readSettings } from "../../evidence/index.ts";
import { defineRoute, workspaceOf } from "../route.ts";

const MAX_BYTES = 4_294_967_296;
const MAX_KEEP_DAYS = 36_500;
const MAX_TYPES = 100;

const shape = {
  maxBytes: z.number().int().min(1).max(MAX_BYTES).describe("of one file"),
  kinds: z
    .array(z.enum(MORE_KINDS))
    .max(MORE_KINDS.length)
    .describe(
      "of messages that are taken besides documents and photos; `location` stands for venues and live locations, too",
    ),
  contentTypes: z
    .array(
      z
        .string()
        .toLowerCase()
        .max(200)
        .regex(/^[a-z0-9][a-z0-9!#$&^_.+-]*\/(\*|[a-z0-9][a-z0-9!#$&^_.+-]*)$/, "e.g. image/*"),
    )
    .max(MAX_TYPES)
    .describe("of files, by content, e.g. `application/pdf`, `image/*`; none: any"),
  keepDays: z
    .number()
    .int()
    .min(1)
    .max(MAX_KEEP_DAYS)
    .nullable()
    .describe("after so many days without a change files go, unless they are held; null: kept"),
};

const settingsSchema = z.object(shape);

export const evidenceSettingsRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/evidence-settings",
    auth: "workspace",
    scope: "read",
    summary: "What the workspace takes in as evidence, and how long it keeps it.",
    success: { status: 200, schema: settingsSchema },
    handler: async ({ db, principal }) => ({
      status: 200,
      body: await readSettings(db, workspaceOf(principal)),
    }),
  }),
  defineRoute({
    method: "patch",
    path: "/v1/evidence-settings",
    auth: "workspace",
    scope: "manage",
    summary: "Changes them: for what comes, and for how long all of it is kept.",
    body: z.strictObject(shape).partial(),
    success: { status: 200, schema: settingsSchema },
    handler: async ({ db, principal, body }) => {
      const workspaceId = workspaceOf(principal);
      const settings = await db.transaction((tx) => changeSettings(tx, workspaceId, body));
      return { status: 200, body: settings };
    },
  }),
];
