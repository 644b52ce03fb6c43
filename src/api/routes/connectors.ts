import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import { BOT_TOKEN_SHAPE } from "../../connectors/index.ts";
import { InvalidCursor, listChats, setChatLink } from "../../conversations/index.ts";
import { Problem } from "../../platform/index.ts";
import { decodeCursor, encodeCursor, invalidCursor } from "../cursor.ts";
import { chatIdText, defineRoute, pageOf, pageQuery, text, uuid, workspaceOf } from "../route.ts";
import { settingsGiven, settingsShape } from "./connector-settings.ts";

export const connectorSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  status: z.enum(["pending", "active", "disabled"]),
  statusDetail: z.string().nullable(),
  bot: z.object({
    id: z.string(),
    username: z.string(),
    canReadAllGroupMessages: z.boolean(),
  }),
  webhookUrl: z.string().nullable(),
  warnings: z.array(z.string()),
  ...settingsShape,
});

const chatSchema = z.object({
  chatId: z.string(),
  type: z.string().nullable(),
  title: z.string().nullable(),
  linked: z.boolean(),
  purpose: z.string().nullable(),
  reachable: z.boolean(),
  tags: z.array(z.string()),
  broadcastsAllowed: z.boolean(),
});

export const botToken = z.string().regex(BOT_TOKEN_SHAPE, "looks like 123456:ABC-…");
const name = text().trim().min(1).max(200);
/** Bot API: setMyDescription takes at most 512 characters. */
const description = text().max(512);
export const idParams = z.object({ id: uuid });
const UUID_SHAPE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const noConnector = () =>
  new Problem(404, "Not found", "This workspace has no such connector.");

export function found<Value>(value: Value | null): Value {
  if (value === null) throw noConnector();
  return value;
}

/** What a connect takes, by whichever door it comes. */
export const newConnector = z.strictObject({
  name,
  botToken,
  description: description.optional(),
  ...settingsGiven,
});

export const connectorRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/connectors",
    auth: "workspace",
    scope: "manage",
    summary: "Connects a bot: proves its token, seals it, registers and checks the webhook.",
    body: newConnector,
    idempotent: "stored",
    success: { status: 201, schema: connectorSchema },
    handler: async ({ services, principal, body }) => ({
      status: 201,
      body: await services.connectors.connect(workspaceOf(principal), body),
    }),
  }),
  defineRoute({
    method: "get",
    path: "/v1/connectors",
    auth: "workspace",
    scope: "read",
    summary: "Lists the workspace's connectors.",
    query: z.strictObject(pageQuery),
    success: { status: 200, schema: pageOf(connectorSchema) },
    handler: async ({ services, principal, query }) => {
      const afterId = decodeCursor(query.cursor, UUID_SHAPE);
      const page = { limit: query.limit + 1, afterId };
      const rows = await services.connectors.list(workspaceOf(principal), page);
      const data = rows.slice(0, query.limit);
      const last = data.at(-1);
      const more = rows.length > query.limit && last !== undefined;
      return { status: 200, body: { data, nextCursor: more ? encodeCursor(last.id) : null } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/connectors/:id",
    auth: "workspace",
    scope: "read",
    summary: "One connector.",
    params: idParams,
    success: { status: 200, schema: connectorSchema },
    handler: async ({ services, principal, params }) => ({
      status: 200,
      body: found(await services.connectors.describe(workspaceOf(principal), params.id)),
    }),
  }),
  defineRoute({
    method: "patch",
    path: "/v1/connectors/:id",
    auth: "workspace",
    scope: "manage",
    summary: "Changes a connector's name, description or settings.",
    params: idParams,
    body: z.strictObject({
      name: name.optional(),
      description: description.optional(),
      ...settingsGiven,
    }),
    success: { status: 200, schema: connectorSchema },
    handler: async ({ services, principal, params, body }) => ({
      status: 200,
      body: found(await services.connectors.update(workspaceOf(principal), params.id, body)),
    }),
  }),
  defineRoute({
    method: "delete",
    path: "/v1/connectors/:id",
    auth: "workspace",
    scope: "manage",
    summary:
      "Disconnects: removes the webhook at Telegram, then the credentials here; cancels what waits.",
    params: idParams,
    success: {
      status: 200,
      schema: z.object({
        removed: z.literal(true),
        webhookRemoved: z.boolean(),
        sendsCancelled: z.number(),
        warning: z.string().optional(),
      }),
    },
    handler: async ({ services, principal, params }) => ({
      status: 200,
      body: found(await services.connectors.remove(workspaceOf(principal), params.id)),
    }),
  }),
  defineRoute({
    method: "put",
    path: "/v1/connectors/:id/chats/:chatId",
    auth: "workspace",
    scope: "manage",
    summary: "Links a group or channel, so that its messages are kept, or ends its link.",
    params: z.object({ id: uuid, chatId: chatIdText }),
    body: z.strictObject({
      linked: z.boolean(),
      purpose: z.enum(["support", "compliance"]).optional(),
    }),
    success: { status: 200, schema: chatSchema },
    handler: async ({ db, services, principal, params, body }) => {
      const workspaceId = workspaceOf(principal);
      found(await services.connectors.get(workspaceId, params.id));
      const link = { workspaceId, connectorId: params.id, chatId: params.chatId, ...body };
      const chat = await db.transaction((tx) => setChatLink(tx, link));
      return { status: 200, body: chat };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/connectors/:id/chats",
    auth: "workspace",
    scope: "read",
    summary: "Lists the chats this connector has met.",
    params: idParams,
    query: z.strictObject(pageQuery),
    success: { status: 200, schema: pageOf(chatSchema) },
    handler: async ({ db, services, principal, params, query }) => {
      const workspaceId = workspaceOf(principal);
      found(await services.connectors.get(workspaceId, params.id));
      const request = { workspaceId, connectorId: params.id, ...query };
      const page = await cursorChecked(listChats(db, request));
      const details = { count: page.data.length };
      const look = { action: "chats.listed", subjectId: params.id, details } as const;
      await recordAudit(db, { workspaceId, ...look });
      return { status: 200, body: page };
    },
  }),
];

/** A cursor that the list did not give out is the caller's mistake. */
export async function cursorChecked<Result>(list: Promise<Result>): Promise<Result> {
  try {
    return await list;
  } catch (error) {
    throw error instanceof InvalidCursor ? invalidCursor() : error;
  }
}
