import { z } from "zod";
import type { UploadedFile } from "./bot-api-schema.ts";
import { SandboxError } from "./errors.ts";
import type { NewFault, NewLimits, NewOutage, Send, Upload } from "./sandbox-types.ts";

/** What `/sandbox/api` takes, with complaints that say where and what. */

const id = z.coerce.number().int();
const optionalId = id.optional();
const name = z.string().min(1).max(256);

/** Where something happens, as `Place` has it. */
const place = {
  chatId: id,
  botId: optionalId,
  businessConnectionId: z.string().optional(),
};

export const newUser = z.strictObject({
  firstName: name,
  lastName: name.optional(),
  username: name.optional(),
  languageCode: name.optional(),
  id: optionalId,
});

export const newBot = z.strictObject({
  name,
  username: name,
  canReadAllGroupMessages: z.boolean().optional(),
  inline: z.boolean().optional(),
  inlineFeedback: z.boolean().optional(),
  token: z.string().optional(),
});

export const newChat = z.strictObject({
  type: z.enum(["group", "supergroup", "channel"]),
  title: name,
  username: name.optional(),
  memberIds: z.array(id).min(1),
  topics: z.array(name).optional(),
});

export const newMember = z.strictObject({
  memberId: id,
  status: z.enum(["member", "administrator"]).optional(),
});

export const userAndBot = z.strictObject({ userId: id, botId: id });
export const userOnly = z.strictObject({ userId: id });
export const chatOnly = z.strictObject({ chatId: id });
/** A chat, or only its last messages. */
export const chatView = z.object({
  ...place,
  last: z.coerce.number().int().min(1).optional(),
});
export const removal = z.object({ how: z.enum(["left", "kicked"]).default("left") });
export const recordRange = z.object({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
  kinds: z.string().optional(),
});

const byMember = { ...place, from: id };
const onMessage = { ...byMember, messageId: id };

export const edit = z.strictObject({
  ...onMessage,
  text: z.string(),
});

export const press = z.strictObject({
  ...onMessage,
  data: z.string(),
  forge: z.boolean().optional(),
});

export const deletion = z.strictObject({ ...byMember, messageIds: z.array(id).min(1) });
export const reaction = z.strictObject({ ...onMessage, emojis: z.array(z.string()) });
export const vote = z.strictObject({ ...onMessage, optionIds: z.array(id) });
export const pin = z.strictObject({ ...onMessage, pinned: z.boolean().optional() });
export const inlineQuestion = z.strictObject({
  ...byMember,
  viaBotId: optionalId,
  query: z.string(),
  offset: z.string().optional(),
});
export const inlineChoice = z.strictObject({ resultId: z.string() });
export const newBusinessConnection = z.strictObject({
  userId: id,
  botId: id,
  canReply: z.boolean().optional(),
});

export const rawUpdate = z.strictObject({
  botId: id,
  update: z.record(z.string(), z.unknown()),
});

const parameters = z.strictObject({
  retry_after: z.number().int().optional(),
  migrate_to_chat_id: z.number().int().optional(),
});

const faultAnswer = z.union([
  z.enum([
    "hang",
    "hang-after-effect",
    "reset-before-effect",
    "reset-after-effect",
    "5xx-after-effect",
    "html",
    "html-after-effect",
  ]),
  z.strictObject({
    status: z.number().int().min(200).max(599),
    error_code: z.number().int().optional(),
    description: z.string().optional(),
    parameters: parameters.optional(),
  }),
  z.strictObject({ retryAfterS: z.number().int().min(1), hold: z.enum(["chat", "bot"]) }),
  z.strictObject({
    albumStopsAfter: z.number().int().min(0).max(9),
    retryAfterS: z.number().int().min(1),
  }),
  z.strictObject({ bytesPerSecond: z.number().int().min(10) }),
]);

const durationMs = z.number().min(0).max(2_147_483_647);

const anyFault = {
  botId: optionalId,
  chatId: optionalId,
  times: z.number().int().min(1).optional(),
  probability: z.number().min(0).max(1).optional(),
  seed: z.number().int().optional(),
  forMs: durationMs.optional(),
  latencyMs: durationMs.optional(),
};
const callFault = z.strictObject({
  ...anyFault,
  on: z.literal("calls").optional(),
  method: z.string().optional(),
  answerLatencyMs: durationMs.optional(),
  answer: faultAnswer.optional(),
});
const deliveryFault = z.strictObject({
  ...anyFault,
  on: z.literal("deliveries"),
  updateKind: z.string().optional(),
  answer: z
    .enum(["reset-before-effect", "reset-after-effect", "duplicate", "out-of-order"])
    .optional(),
});

/** @throws SandboxError 400 */
export function readFault(value: unknown): NewFault {
  const isDelivery =
    typeof value === "object" && value !== null && "on" in value && value.on === "deliveries";
  const fault: NewFault = isDelivery ? read(deliveryFault, value) : read(callFault, value);
  if (
    fault.answer === undefined &&
    fault.latencyMs === undefined &&
    fault.answerLatencyMs === undefined
  )
    throw new SandboxError("answer: a fault has an answer, a latency or both");
  return fault;
}

export const newOutage: z.ZodType<NewOutage> = z.strictObject({
  botId: optionalId,
  calls: faultAnswer.nullable().optional(),
  deliveries: z.boolean().optional(),
  forMs: durationMs.optional(),
});

const windows = z
  .array(z.strictObject({ limit: z.number().int().min(1), windowMs: durationMs.min(1) }))
  .nullable()
  .optional();
const amount = z.number().int().min(0).optional();

export const newLimits: z.ZodType<NewLimits> = z.strictObject({
  botId: optionalId,
  chatId: optionalId,
  bot: windows,
  paidBot: windows,
  chat: windows,
  group: windows,
  violationPenaltyMs: amount,
  downloadBytes: amount,
  uploadBytes: amount,
  photoBytes: amount,
  callbackAnswerMs: amount,
  inlineAnswerMs: amount,
  webhookTimeoutMs: amount,
  messagesPerChat: amount,
  newTokensPerMinute: amount,
});

/** A file: a part of the same multipart body, or base64. */
const file = z.union([
  z.strictObject({ part: z.string() }),
  z.strictObject({
    name: z.string().optional(),
    contentType: z.string().optional(),
    base64: z.string(),
  }),
]);

const sendShape = z.strictObject({
  ...byMember,
  text: z.string().optional(),
  photo: file.optional(),
  document: file.optional(),
  album: z
    .array(
      z.strictObject({ kind: z.enum(["photo", "document"]), file, caption: z.string().optional() }),
    )
    .optional(),
  contact: z
    .strictObject({
      phone_number: z.string(),
      first_name: z.string(),
      last_name: z.string().optional(),
      user_id: z.number().int().optional(),
      vcard: z.string().optional(),
    })
    .optional(),
  poll: z
    .strictObject({
      question: z.string().min(1).max(300),
      options: z.array(z.string().min(1).max(100)),
      isAnonymous: z.boolean().optional(),
      allowsMultipleAnswers: z.boolean().optional(),
    })
    .optional(),
  caption: z.string().optional(),
  replyTo: optionalId,
  threadId: optionalId,
});

/** Many at once, of those that carry no file. */
export const manySends = z.strictObject({
  sends: z
    .array(
      z.strictObject({ ...byMember, text: z.string(), replyTo: optionalId, threadId: optionalId }),
    )
    .max(10_000),
});

/** @throws SandboxError 400 naming each field and what is wrong with it */
export function read<Shape>(schema: z.ZodType<Shape>, value: unknown): Shape {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new SandboxError(
    result.error.issues
      .map(
        (issue) => `${issue.path.length === 0 ? "body" : issue.path.join(".")}: ${issue.message}`,
      )
      .join("; "),
  );
}

/** A `send`, its files taken from the parts that came with it. */
export function readSend(value: unknown, parts: Map<string, UploadedFile>): Send {
  const { photo, document, album, ...rest } = read(sendShape, value);
  const take = (source: z.infer<typeof file>): Upload => {
    if ("base64" in source) {
      const { base64, ...about } = source;
      return { ...about, content: Buffer.from(base64, "base64") };
    }
    const part = parts.get(source.part);
    if (part === undefined) throw new SandboxError(`there is no part "${source.part}" in the body`);
    return { name: part.fileName, contentType: part.contentType, content: part.content };
  };
  return {
    ...rest,
    ...(photo !== undefined && { photo: take(photo) }),
    ...(document !== undefined && { document: take(document) }),
    ...(album !== undefined && {
      album: album.map((item) => ({ ...item, file: take(item.file) })),
    }),
  };
}
