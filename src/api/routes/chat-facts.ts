import { z } from "zod";
import { setBroadcastsAllowed, setChatTags } from "../../conversations/index.ts";
import { Problem } from "../../platform/index.ts";
import { chatIdText, defineRoute, uuid, workspaceOf } from "../route.ts";
import { tag } from "./broadcasts.ts";
import { found } from "./connectors.ts";

const params = z.object({ id: uuid, chatId: chatIdText });

/** What the workspace says of chats, for broadcasts to choose by. */
export const chatFactRoutes = [
  defineRoute({
    method: "put",
    path: "/v1/connectors/:id/chats/:chatId/tags",
    auth: "workspace",
    scope: "manage",
    summary: "Gives a chat these tags, in place of those it has.",
    params,
    body: z.strictObject({ tags: z.array(tag).max(50) }),
    success: { status: 200, schema: z.object({ tags: z.array(z.string()) }) },
    handler: async ({ db, services, principal, params: { id, chatId }, body }) => {
      const workspaceId = workspaceOf(principal);
      found(await services.connectors.get(workspaceId, id));
      const tags = [...new Set(body.tags)].sort();
      const chat = { workspaceId, connectorId: id, chatId, tags };
      if (!(await db.transaction((tx) => setChatTags(tx, chat)))) {
        throw new Problem(404, "Not found", "This connector knows no such chat.");
      }
      return { status: 200, body: { tags } };
    },
  }),
  defineRoute({
    method: "put",
    path: "/v1/connectors/:id/chats/:chatId/broadcasts",
    auth: "workspace",
    scope: "manage",
    summary:
      "Says whether a chat gets broadcasts; its people say so themselves with /stop and /start.",
    params,
    body: z.strictObject({ allowed: z.boolean() }),
    success: { status: 200, schema: z.object({ allowed: z.boolean() }) },
    handler: async ({ db, services, principal, params: { id, chatId }, body: { allowed } }) => {
      const workspaceId = workspaceOf(principal);
      found(await services.connectors.get(workspaceId, id));
      const consent = { workspaceId, connectorId: id, chatId, allowed };
      await db.transaction((tx) => setBroadcastsAllowed(tx, consent));
      return { status: 200, body: { allowed } };
    },
  }),
];
