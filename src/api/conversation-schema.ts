import { z } from "zod";
import { CONVERSATION_STATUSES } from "../conversations/index.ts";
import { Problem } from "../platform/index.ts";
import { text } from "./route.ts";

/** Stands for nobody where somebody is asked for, so nobody is called that. */
export const NOBODY = "none";

/** The workspace's own name for one of its people; it means nothing here. */
export const assignee = text()
  .trim()
  .min(1)
  .max(200)
  .refine((name) => name !== NOBODY, "is not called none");

/** A conversation as it is answered. */
export const conversationSchema = z.object({
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
  accountId: z.string().nullable(),
  status: z.enum(CONVERSATION_STATUSES),
  assignee: z.string().nullable(),
  snoozedUntil: z.string().optional(),
  waitingSince: z.string().optional().describe("since when the customer waits, while it is open"),
  openedAt: z.string().optional().describe("the customer's first message since the last close"),
  firstRespondedAt: z.string().optional(),
  firstResponseMs: z.number().optional(),
  resolvedAt: z.string().optional(),
  resolutionMs: z.number().optional(),
  reopens: z.number(),
  version: z.number(),
  createdAt: z.string(),
  lastMessageAt: z.string().nullable(),
});

export const noConversation = () =>
  new Problem(404, "Not found", "This workspace has no such conversation.");
