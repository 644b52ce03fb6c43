import { z } from "zod";
import { isPressData } from "../conversations/index.ts";
import { MAX_TEXT_LENGTH, MESSAGE_STATES, PRIORITIES, TEXT_FORMATS } from "../outbound/index.ts";
import { contentShape } from "./content-body.ts";
import { text } from "./route.ts";
import { templateUse } from "./template-shape.ts";

const MAX_AHEAD_MS = 366 * 24 * 3_600_000;

const button = z
  .strictObject({
    text: text().min(1).max(200),
    data: text()
      .refine((data) => Buffer.byteLength(data) >= 1 && Buffer.byteLength(data) <= 64, {
        message: "has 1 to 64 bytes",
      })
      .refine((data) => !isPressData(data), "is kept for requests for approval")
      .optional(),
    url: z.url().pipe(text()).optional(),
  })
  .refine((one) => (one.data === undefined) !== (one.url === undefined), {
    message: "has either data or url",
  });

const time = z.iso
  .datetime({ offset: true })
  .refine((at) => Date.parse(at) < Date.now() + MAX_AHEAD_MS, "is at most a year ahead")
  .refine((at) => Date.parse(at) > 0, "is a time of this century");

/** What is said of a message wherever it goes; to be refined by `checkBody`. */
export const messageShape = {
  text: text()
    .min(1)
    .max(MAX_TEXT_LENGTH)
    .refine((value) => value.trim() !== "", "has visible text")
    .optional()
    .describe("The text, or a caption; needed where no content is"),
  template: templateUse.optional().describe("in the place of text and format"),
  format: z.enum(TEXT_FORMATS).optional(),
  priority: z.enum(PRIORITIES).optional(),
  sendAt: time.optional(),
  expiresAt: time.optional().describe("not sent any more from then on"),
  replyTo: z
    .union([z.string().regex(/^[0-9]{1,10}$/), z.number().int().nonnegative()])
    .transform(String)
    .optional(),
  buttons: z.array(z.array(button).min(1).max(8)).max(25).optional(),
  onUnknown: z.enum(["resend", "hold"]).optional(),
  ...contentShape,
};

/** What may be said instead while it waits; null takes it back. */
export const replacementSchema = z
  .strictObject({
    text: messageShape.text,
    format: messageShape.format.describe("of the text that is given with it"),
    buttons: messageShape.buttons.nullable(),
    priority: messageShape.priority,
    sendAt: messageShape.sendAt.nullable().describe("null: at once"),
    expiresAt: messageShape.expiresAt.nullable().describe("null: it waits as long as it must"),
  })
  .refine((body) => body.format === undefined || body.text !== undefined, {
    path: ["format"],
    message: "is given together with the text",
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), {
    message: "names something to be replaced",
  });

export const messageSchema = z.object({
  id: z.string(),
  connectorId: z.string(),
  chatId: z.string(),
  state: z.enum(MESSAGE_STATES),
  priority: z.enum(PRIORITIES),
  attempts: z.number(),
  telegramMessageIds: z.array(z.string()),
  parts: z.object({ sent: z.number(), total: z.number() }).optional(),
  createdAt: z.string(),
  sendAt: z.string().optional(),
  expiresAt: z.string().optional(),
  sentAt: z.string().optional(),
  error: z.string().optional().describe("what happened; of a message that was sent: a note"),
  errorClass: z.string().optional(),
  advice: z.string().optional().describe("what can be done about it"),
  deletion: z
    .object({
      state: z.enum(["waiting", "deleted", "unknown", "failed", "cancelled"]),
      at: z.string(),
      error: z.string().optional(),
    })
    .optional()
    .describe("Of one message with deleteAfter, once it has been sent."),
  template: z
    .object({ name: z.string(), version: z.number() })
    .optional()
    .describe("What its text was made of"),
});

export const acceptedSchema = z.object({ id: z.string(), state: z.string() });
