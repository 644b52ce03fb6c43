import { z } from "zod";
import { MAX_TEXT_LENGTH, PRIORITIES, TEXT_FORMATS } from "../outbound/index.ts";
import { contentShape } from "./content-body.ts";
import { text } from "./route.ts";

const MAX_AHEAD_MS = 366 * 24 * 3_600_000;

const button = z
  .strictObject({
    text: text().min(1).max(200),
    data: text()
      .refine((data) => Buffer.byteLength(data) >= 1 && Buffer.byteLength(data) <= 64, {
        message: "has 1 to 64 bytes",
      })
      .optional(),
    url: z.url().pipe(text()).optional(),
  })
  .refine((one) => (one.data === undefined) !== (one.url === undefined), {
    message: "has either data or url",
  });

/** What is said of a message wherever it goes. */
export const messageShape = {
  text: text()
    .min(1)
    .max(MAX_TEXT_LENGTH)
    .refine((value) => value.trim() !== "", "has visible text")
    .optional()
    .describe("The text, or a caption; needed where no content is"),
  format: z.enum(TEXT_FORMATS).optional(),
  priority: z.enum(PRIORITIES).optional(),
  sendAt: z.iso
    .datetime({ offset: true })
    .refine((at) => Date.parse(at) < Date.now() + MAX_AHEAD_MS, "is at most a year ahead")
    .refine((at) => Date.parse(at) > 0, "is a time of this century")
    .optional(),
  replyTo: z
    .union([z.string().regex(/^[0-9]{1,10}$/), z.number().int().nonnegative()])
    .transform(String)
    .optional(),
  buttons: z.array(z.array(button).min(1).max(8)).max(25).optional(),
  onUnknown: z.enum(["resend", "hold"]).optional(),
  ...contentShape,
};

export const acceptedSchema = z.object({ id: z.string(), state: z.string() });
