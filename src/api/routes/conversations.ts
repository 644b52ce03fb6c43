import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import { listConversations, listMessages } from "../../conversations/index.ts";
import { Problem } from "../../platform/index.ts";
import { chatIdText, defineRoute, pageOf, pageQuery, uuid, workspaceOf } from "../route.ts";
import { cursorChecked } from "./connectors.ts";

export const conversationRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/conversations",
    auth: "workspace",
    scope: "read",
    summary: "Lists conversations, newest first.",
    query: z.strictObject({
      connectorId: uuid.optional(),
      chatId: chatIdText.optional(),
      ...pageQuery,
    }),
    success: {
      status: 200,
      schema: pageOf(
        z.object({
          id: z.string(),
          connectorId: z.string(),
          chatId: z.string(),
          threadId: z.string().optional(),
          topic: z
            .object({
              name: z.string().optional(),
              closed: z.boolean().optional(),
              hidden: z.boolean().optional(),
            })
            .optional(),
          businessConnectionId: z.string().optional(),
          contactId: z.string().nullable(),
          status: z.string(),
          lastMessageAt: z.string().nullable(),
        }),
      ),
    },
    handler: async ({ db, principal, query }) => {
      const workspaceId = workspaceOf(principal);
      const page = await cursorChecked(listConversations(db, { workspaceId, ...query }));
      const { connectorId, chatId } = query;
      const details = { connectorId, chatId, count: page.data.length };
      await recordAudit(db, { workspaceId, action: "conversations.listed", details });
      return { status: 200, body: page };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/conversations/:id/messages",
    auth: "workspace",
    scope: "read",
    summary: "A conversation's messages, in the order in which their effects took place.",
    params: z.object({ id: z.string().max(40) }),
    query: z.strictObject(pageQuery),
    success: {
      status: 200,
      schema: pageOf(
        z.object({
          id: z.string(),
          direction: z.enum(["in", "out"]),
          telegramMessageId: z.string(),
          kind: z.string(),
          contactId: z.string().nullable(),
          text: z.string().optional(),
          editedAt: z.string().optional(),
          media: z.unknown().optional(),
          service: z
            .looseObject({ type: z.string() })
            .optional()
            .describe("What Telegram reports, where kind is `service`."),
          poll: z
            .object({
              id: z.string(),
              question: z.string(),
              options: z.array(z.object({ text: z.string(), votes: z.number() })),
              voters: z.number(),
              closed: z.boolean(),
            })
            .optional(),
          reactions: z
            .array(
              z.object({
                type: z.enum(["emoji", "custom_emoji", "paid"]),
                emoji: z.string().optional(),
                customEmojiId: z.string().optional(),
                count: z.number(),
              }),
            )
            .optional(),
          denied: z
            .literal(true)
            .optional()
            .describe("Its writer may not talk to the bot; kept because the connector says so."),
          pinnedAt: z.string().optional(),
          deletedAt: z.string().optional(),
          mediaGroupId: z.string().optional(),
          threadId: z.string().optional(),
          replyToMessageId: z.string().optional(),
          sentAt: z.string(),
          receivedAt: z.string(),
        }),
      ),
    },
    handler: async ({ db, principal, params, query }) => {
      const workspaceId = workspaceOf(principal);
      const request = { workspaceId, conversationId: params.id, ...query };
      const page = await cursorChecked(listMessages(db, request));
      if (page === null) {
        throw new Problem(404, "Not found", "This workspace has no such conversation.");
      }
      const details = { count: page.data.length };
      const look = { action: "messages.listed", subjectId: params.id, details } as const;
      await recordAudit(db, { workspaceId, ...look });
      return { status: 200, body: page };
    },
  }),
];
