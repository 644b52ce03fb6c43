import { z } from "zod";
import { DEBUG_LEVELS, REGISTER_ACCESS } from "../../connectors/index.ts";
import { MAX_PART_LENGTH } from "../../outbound/index.ts";
import { ACCESS_LEVELS } from "../../people/index.ts";
import { chatId } from "../chat-id.ts";

const MAX_SESSION_HOURS = 8_760;
const MAX_KINDS = 20;
/** Bot API: sendMessage, allow_paid_broadcast; no bot may do more. */
const MAX_SEND_RATE = 1_000;
const DAY_MS = 24 * 3_600_000;
const MAX_DEBUG_MS = 30 * DAY_MS;
/** Fewer than a message has otherwise (the outbound queue's policy): who looks closely does not wait. */
const MAX_ATTEMPTS = 10;

const kind = z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, "a kind is a word like critical");

const debug = z.object({
  level: z.enum(DEBUG_LEVELS),
  apiTimeout: z.number().int().min(1).max(120).describe("Seconds"),
  retryAttempts: z.number().int().min(1).max(MAX_ATTEMPTS),
  detailedLogs: z.boolean(),
  until: z.string().describe("When it is over by itself, ISO 8601"),
});

/** What is not said of debugging is as it is without it; it is over after a day. */
const debugGiven = z
  .strictObject({
    level: debug.shape.level.default("info"),
    apiTimeout: debug.shape.apiTimeout.default(15),
    retryAttempts: debug.shape.retryAttempts.default(MAX_ATTEMPTS),
    detailedLogs: debug.shape.detailedLogs.default(false),
    until: z.iso
      .datetime({ offset: true })
      .refine((at) => Date.parse(at) > Date.now(), "is in the future")
      .refine((at) => Date.parse(at) < Date.now() + MAX_DEBUG_MS, "is at most 30 days ahead")
      .optional(),
  })
  .transform(({ until, ...rest }) => ({
    ...rest,
    until: new Date(until === undefined ? Date.now() + DAY_MS : Date.parse(until)).toISOString(),
  }));

/** As they are answered. */
export const settingsShape = {
  accessLevel: z.enum(ACCESS_LEVELS),
  registerAccess: z.enum(REGISTER_ACCESS),
  saveDenied: z.boolean(),
  sessionHours: z.number(),
  defaultChatId: z.string().nullable(),
  notificationChats: z.record(z.string(), z.string()),
  maxMessageLength: z.number(),
  maxSendRate: z.number().describe("Messages a second at most"),
  debug: debug.nullable(),
};

/** As they are given: each may be left out, and null takes away what may be missing. */
export const settingsGiven = {
  accessLevel: z.enum(ACCESS_LEVELS).optional(),
  registerAccess: z.enum(REGISTER_ACCESS).optional(),
  saveDenied: z.boolean().optional(),
  sessionHours: z.number().int().min(-1).max(MAX_SESSION_HOURS).optional(),
  defaultChatId: chatId.nullable().optional(),
  notificationChats: z
    .record(kind, chatId)
    .refine((chats) => Object.keys(chats).length <= MAX_KINDS, `has at most ${MAX_KINDS} kinds`)
    .optional(),
  maxMessageLength: z.number().int().min(1).max(MAX_PART_LENGTH).optional(),
  maxSendRate: z.number().int().min(1).max(MAX_SEND_RATE).optional(),
  debug: debugGiven.nullable().optional(),
};
