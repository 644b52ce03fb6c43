import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import {
  ChangedMeanwhile,
  CONVERSATION_STATUSES,
  changeConversation,
  findConversation,
  ImpossibleChange,
  listConversationEvents,
  supportTimes,
} from "../../conversations/index.ts";
import { Problem, systemClock } from "../../platform/index.ts";
import { acceptMessage } from "../accept-message.ts";
import { assignee, conversationSchema, noConversation } from "../conversation-schema.ts";
import { acceptedSchema, messageShape } from "../message-body.ts";
import { defineRoute, type Principal, pageOf, pageQuery, workspaceOf } from "../route.ts";
import { checkBody } from "../words.ts";
import { cursorChecked } from "./connectors.ts";

const DAY_MS = 24 * 3_600_000;
const MAX_SNOOZE_MS = 366 * DAY_MS;
const TIMES_MS = 30 * DAY_MS;
const MAX_TIMES_MS = 92 * DAY_MS;

const idParams = z.object({ id: z.string().max(40) });
const time = z.iso.datetime({ offset: true });

const eventSchema = z.object({
  id: z.string(),
  what: z.enum(["status", "assignee", "snoozedUntil", "firstResponse"]),
  from: z.string().nullable(),
  to: z.string().nullable(),
  by: z.object({ kind: z.string().nullable(), id: z.string().nullable() }),
  at: z.string(),
  elapsedMs: z.number().optional().describe("of a first response or a close: since openedAt"),
});

const durations = z.object({
  count: z.number(),
  medianMs: z.number().nullable(),
  p95Ms: z.number().nullable(),
});

function actorOf(principal: Principal) {
  if (principal.kind !== "workspace") throw new Error("the route admits workspaces only");
  return { kind: "api_key", id: principal.keyId } as const;
}

export const supportQueueRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/conversations/:id",
    auth: "workspace",
    scope: "read",
    summary: "One conversation: whose turn it is, who looks after it, and how long it took.",
    params: idParams,
    success: { status: 200, schema: conversationSchema },
    handler: async ({ db, principal, params }) => {
      const workspaceId = workspaceOf(principal);
      const conversation = await findConversation(db, { workspaceId, id: params.id });
      if (conversation === null) throw noConversation();
      const look = { action: "conversation.viewed", subjectId: params.id } as const;
      await recordAudit(db, { workspaceId, ...look });
      return { status: 200, body: conversation };
    },
  }),
  defineRoute({
    method: "patch",
    path: "/v1/conversations/:id",
    auth: "workspace",
    scope: "send",
    summary:
      "Changes status or assignee. With the `version` it was read at, a change since then is a 409; without, the last change wins.",
    params: idParams,
    body: z.strictObject({
      status: z.enum(CONVERSATION_STATUSES).optional(),
      assignee: assignee.nullable().optional(),
      snoozedUntil: time
        .refine((at) => Date.parse(at) < Date.now() + MAX_SNOOZE_MS, "is at most a year ahead")
        .optional()
        .describe("with the status snoozed, or instead of it"),
      version: z.number().int().nonnegative().optional(),
    }),
    success: { status: 200, schema: conversationSchema },
    handler: async ({ db, principal, params, body }) => {
      const workspaceId = workspaceOf(principal);
      const { status, assignee: whose, snoozedUntil, version } = body;
      const snoozedUntilMs = snoozedUntil === undefined ? undefined : Date.parse(snoozedUntil);
      const change = { status, assignee: whose, snoozedUntilMs };
      const common = { workspaceId, id: params.id, by: actorOf(principal), nowMs: systemClock() };
      const conversation = await db
        .transaction((tx) => changeConversation(tx, { ...common, change, version }))
        .catch((error) => {
          throw problemOf(error);
        });
      if (conversation === null) throw noConversation();
      return { status: 200, body: conversation };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/conversations/:id/events",
    auth: "workspace",
    scope: "read",
    summary: "What happened to a conversation in the queue, by whom and when; the oldest first.",
    params: idParams,
    query: z.strictObject(pageQuery),
    success: { status: 200, schema: pageOf(eventSchema) },
    handler: async ({ db, principal, params, query }) => {
      const workspaceId = workspaceOf(principal);
      const request = { workspaceId, conversationId: params.id, ...query };
      const page = await cursorChecked(listConversationEvents(db, request));
      if (page === null) throw noConversation();
      const look = { action: "conversation.viewed", subjectId: params.id } as const;
      await recordAudit(db, { workspaceId, ...look });
      return { status: 200, body: page };
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/conversations/:id/messages",
    auth: "workspace",
    scope: "send",
    summary:
      "Replies in the conversation's own chat and topic, or in its business account's name; as POST /v1/messages otherwise, but that the priority is high if none is given.",
    params: idParams,
    body: z.strictObject(messageShape).superRefine(checkBody),
    success: { status: 202, schema: acceptedSchema },
    handler: (call) =>
      acceptMessage(
        call,
        async (tx) => {
          const { id } = call.params;
          const workspaceId = workspaceOf(call.principal);
          const found = await findConversation(tx, { workspaceId, id });
          if (found === null) throw noConversation();
          const { connectorId, chatId, threadId, businessConnectionId } = found;
          const place = { connectorId, chatId, threadId, businessConnectionId };
          // A customer waits: it goes before what is sent in bulk.
          return { ...place, priority: "high", conversationId: id };
        },
        () =>
          new Problem(
            409,
            "Connector removed",
            "The bot of this conversation was disconnected: nothing can be sent in it.",
          ),
      ),
  }),
  defineRoute({
    method: "get",
    path: "/v1/support/times",
    auth: "workspace",
    scope: "read",
    summary:
      "Median and 95th percentile of first response and resolution, of what happened in a period of at most 92 days.",
    query: z.strictObject({
      from: time.optional().describe("default: 30 days before `to`"),
      to: time.optional().describe("before this time; default: now"),
    }),
    success: {
      status: 200,
      schema: z.object({
        from: z.string(),
        to: z.string(),
        firstResponse: durations,
        resolution: durations,
      }),
    },
    handler: async ({ db, principal, query }) => {
      const toMs = query.to === undefined ? systemClock() : Date.parse(query.to);
      const fromMs = query.from === undefined ? toMs - TIMES_MS : Date.parse(query.from);
      if (fromMs >= toMs || toMs - fromMs > MAX_TIMES_MS) {
        const message = "is before `to`, and at most 92 days";
        const detail = "The period is none, or too long.";
        throw new Problem(400, "Invalid request", detail, { errors: [{ path: "from", message }] });
      }
      const period = { from: new Date(fromMs), to: new Date(toMs) };
      const times = await supportTimes(db, { workspaceId: workspaceOf(principal), ...period });
      const shown = { from: period.from.toISOString(), to: period.to.toISOString() };
      return { status: 200, body: { ...shown, ...times } };
    },
  }),
];

function problemOf(error: unknown): unknown {
  if (error instanceof ChangedMeanwhile) {
    return new Problem(409, "Changed meanwhile", `${error.message} Read it again.`);
  }
  if (error instanceof ImpossibleChange) {
    const { field: path, message } = error;
    const detail = "The change contradicts itself, or what is there.";
    return new Problem(400, "Invalid request", detail, { errors: [{ path, message }] });
  }
  return error;
}
