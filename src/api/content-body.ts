import { z } from "zod";
import {
  ALBUM_ITEMS,
  CHAT_ACTION_SHOWN_MS,
  CHAT_ACTIONS,
  type Content,
  contentFaults,
  type FoundTarget,
  findTarget,
  MAX_DELETE_AFTER_S,
  type NewMessage,
  PRIORITIES,
  PRIORITY_NUMBERS,
} from "../outbound/index.ts";
import { checkedUrl, DownloadError, Problem, type Transaction } from "../platform/index.ts";
import type { AskedFile } from "./carried-files.ts";
import { chatId } from "./chat-id.ts";
import { text, uuid } from "./route.ts";

/** What a message may be beside a text, as the API takes it. */

const MAX_URL = 2_048;

/** Nothing is asked of its host yet: where its name leads is looked at when it is dialled. */
const fileUrl = text()
  .max(MAX_URL)
  .superRefine((value, context) => {
    try {
      checkedUrl(value);
    } catch (error) {
      if (!(error instanceof DownloadError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
    }
  });

const file = z
  .strictObject({
    url: fileUrl.optional().describe("Downloaded by us, from the public Internet"),
    evidenceFileId: uuid
      .optional()
      .describe("A file of evidence, by its id; the key needs the scope `read`, too"),
    name: text()
      .min(1)
      .max(200)
      .optional()
      .describe("Default: the last part of the url, or the name that the evidence has"),
    fileId: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,300}$/, "a file_id of the same bot")
      .optional(),
  })
  .transform(({ url, evidenceFileId, name, fileId }, context): AskedFile => {
    const places = [url, evidenceFileId, fileId].filter((place) => place !== undefined);
    if (places.length === 1) {
      if (url !== undefined) return { url, name };
      if (evidenceFileId !== undefined) return { evidenceFileId, name };
      if (fileId !== undefined && name === undefined) return { fileId };
    }
    const message = "is a url or an evidenceFileId, perhaps with a name, or a fileId";
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });

const photo = z.strictObject({ type: z.literal("photo"), file });
const document = z.strictObject({ type: z.literal("document"), file });
const ofMessage = <Type extends "edit" | "delete" | "pin" | "unpin">(type: Type) =>
  z.strictObject({ type: z.literal(type), messageId: uuid });

const content = z.discriminatedUnion("type", [
  photo,
  document,
  z.strictObject({
    type: z.literal("album"),
    items: z
      .array(z.discriminatedUnion("type", [photo, document]))
      .min(ALBUM_ITEMS.min)
      .max(ALBUM_ITEMS.max)
      .refine(
        (items) => new Set(items.map(({ type }) => type)).size === 1,
        "documents are not mixed with photos",
      ),
  }),
  ofMessage("edit"),
  ofMessage("delete"),
  ofMessage("pin"),
  ofMessage("unpin"),
  z.strictObject({ type: z.literal("chat-action"), action: z.enum(CHAT_ACTIONS) }),
  z.strictObject({
    type: z.literal("forward"),
    fromChatId: chatId,
    telegramMessageId: z.string().regex(/^[1-9][0-9]{0,9}$/, "Telegram's number of the message"),
    asCopy: z.boolean().optional(),
  }),
]);

/** Of a message's body: see `contentFaults` for what goes together. */
export const contentShape = {
  content: content.optional().describe("What it is beside, or instead of, a text"),
  silent: z.boolean().optional().describe("Arrives without a sound"),
  protected: z.boolean().optional().describe("Cannot be forwarded or saved"),
  linkPreview: z.boolean().optional().describe("Default: true"),
  deleteAfter: z
    .number()
    .int()
    .min(1)
    .max(MAX_DELETE_AFTER_S)
    .optional()
    .describe("Seconds after it was sent: then it is deleted from the chat again"),
};

/** Bot API: message_thread_id. */
export const threadId = z
  .union([z.string().regex(/^[1-9][0-9]{0,9}$/), z.number().int().positive()])
  .transform(String)
  .optional();

/** Adds what of a body does not go together. */
export function checkTogether(
  body: Parameters<typeof contentFaults>[0],
  context: { addIssue(issue: { code: "custom"; path: string[]; message: string }): void },
): void {
  for (const { path, message } of contentFaults(body)) {
    context.addIssue({ code: "custom", path: [path], message });
  }
}

/** What a message's body says of it beside its text, as the outbound room takes it. */
export interface ContentBody {
  content?: Content<AskedFile>;
  silent?: boolean;
  protected?: boolean;
  linkPreview?: boolean;
  deleteAfter?: number;
}

type Delivery = Pick<
  NewMessage,
  "isSilent" | "isProtected" | "hasLinkPreview" | "deleteAfterS" | "expiresAt"
>;

/** How it is sent, whatever it is. `sendAtMs`: when it is to be sent. */
export function deliveryOfBody(body: ContentBody, sendAtMs: number): Delivery {
  const isAction = body.content?.type === "chat-action";
  return {
    isSilent: body.silent,
    isProtected: body.protected,
    hasLinkPreview: body.linkPreview,
    deleteAfterS: body.deleteAfter,
    // Later than that it would tell of something that is over.
    ...(isAction ? { expiresAt: new Date(sendAtMs + CHAT_ACTION_SHOWN_MS) } : {}),
  };
}

const OVER = ["failed", "rejected", "cancelled"];

/**
 * The priority of a message that changes another: no higher than that one's, or it might pass it in
 * its chat. Throws `Problem` where there is nothing to change: 404 for what the workspace has not
 * sent there, 409 for what cannot be changed, or not yet.
 */
export async function priorityBehindTarget(
  tx: Transaction,
  content: Content<unknown> | undefined,
  message: Pick<NewMessage, "workspaceId" | "connectorId" | "chatId" | "priority">,
): Promise<NewMessage["priority"]> {
  if (content === undefined || !("messageId" in content)) return message.priority;
  const { workspaceId } = message;
  const target = await findTarget(tx, { workspaceId, id: content.messageId });
  const isThere =
    target !== null &&
    target.connectorId === message.connectorId &&
    target.chatId === message.chatId;
  if (!isThere) {
    throw new Problem(404, "Not found", "This bot has sent no such message to this chat.");
  }
  const refusal = refusalOf(target, content.type);
  if (refusal !== null) throw new Problem(409, "Cannot be changed", refusal);
  const number = Math.max(target.priority, PRIORITY_NUMBERS[message.priority ?? "medium"]);
  return PRIORITIES.findLast((one) => PRIORITY_NUMBERS[one] <= number);
}

function refusalOf(target: FoundTarget, change: string): string | null {
  const { type, state } = target;
  if (type !== null && !["photo", "document", "album", "forward"].includes(type)) {
    return "That is a change itself, and nothing that stands in the chat.";
  }
  if (type === "forward" && change === "edit")
    return "Telegram lets nobody edit what is forwarded.";
  if (target.isOwn && change === "edit") return "Nobody wrote that: it is the bot's own.";
  if (OVER.includes(state)) return "That message was not sent.";
  if (state === "awaiting_approval" || (state === "queued" && target.isScheduled)) {
    return "That message waits to be sent: replace or cancel it instead.";
  }
  return null;
}
