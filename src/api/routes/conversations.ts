import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import {
  CONVERSATION_STATUSES,
  listConversations,
  listMessages,
} from "../../conversations/index.ts";
import { assignee, conversationSchema, NOBODY, noConversation } from "../conversation-schema.ts";
import { chatIdText, defineRoute, pageOf, pageQuery, uuid, workspaceOf } from "../route.ts";
import { cursorChecked } from "./connectors.ts";

export const conversationRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/conversations",
    auth: "workspace",
    scope: "read",
    summary:
      "Lists conversations, newest first, or with sort=waiting the open ones, whoever waits longest first.",
    query: z
      .strictObject({
        connectorId: uuid.optional(),
        chatId: chatIdText.optional(),
        status: z.enum(CONVERSATION_STATUSES).optional(),
        assignee: assignee.or(z.literal(NOBODY)).optional().describe("`none`: nobody's"),
        accountId: uuid.optional(),
        sort: z.enum(["newest", "waiting"]).optional(),
        ...pageQuery,
      })
      .refine(({ sort, status }) => sort !== "waiting" || (status ?? "open") === "open", {
        path: ["status"],
        message: "only open conversations wait: leave it out with sort=waiting",
      }),
    success: { status: 200, schema: pageOf(conversationSchema) },
    handler: async ({ db, principal, query }) => {
      const workspaceId = workspaceOf(principal);
      const { assignee: named, ...rest } = query;
      const whose = named === undefined ? {} : { assignee: named === NOBODY ? null : named };
      const page = await cursorChecked(listConversations(db, { workspaceId, ...rest, ...whose }));
      const { connectorId, chatId, status, accountId } = query;
      const details = { connectorId, chatId, status, accountId, count: page.data.length };
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
      if (page === null) throw noConversation();
      const details = { count: page.data.length };
      const look = { action: "messages.listed", subjectId: params.id, details } as const;
      await recordAudit(db, { workspaceId, ...look });
      return { status: 200, body: page };
    },
  }),
];
