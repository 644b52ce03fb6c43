import { z } from "zod";
import { wouldBeHeld } from "../../approvals/index.ts";
import { recordAudit } from "../../audit/index.ts";
import {
  cancelMessage,
  getMessage,
  ImpossibleReplacement,
  listOutbound,
  MESSAGE_STATES,
  NotUnknown,
  NotWaiting,
  replaceMessage,
  resolveMessage,
  VERDICTS,
} from "../../outbound/index.ts";
import { Problem, systemClock } from "../../platform/index.ts";
import { acceptMessage } from "../accept-message.ts";
import { chatId } from "../chat-id.ts";
import { threadId } from "../content-body.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { formattedText } from "../formatted-text.ts";
import { acceptedSchema, messageSchema, messageShape, replacementSchema } from "../message-body.ts";
import { timesOf } from "../message-times.ts";
import { defineRoute, pageOf, pageQuery, uuid, workspaceOf } from "../route.ts";
import { checkBody } from "../words.ts";
import { noConnector } from "./connectors.ts";

const idParams = z.object({ id: z.string().max(40) });
const stateSchema = z.object({ id: z.string(), state: z.enum(MESSAGE_STATES) });
const resolvedSchema = stateSchema.extend({ deletion: messageSchema.shape.deletion });

/** When a message was created, and its id. */
const PLACE_SHAPE =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const noMessage = () => new Problem(404, "Not found", "This workspace has no such message.");

const needsApproval = () =>
  new Problem(
    409,
    "Needs approval",
    "As it would be then it has to be approved: cancel it and submit it anew.",
  );

/** An id in no shape is nobody's. */
function idOf(id: string): string {
  if (!uuid.safeParse(id).success) throw noMessage();
  return id;
}

/** What a refused change is answered with; anything else is thrown as it was. */
function problemOf(error: unknown): unknown {
  if (error instanceof ImpossibleReplacement) {
    const { path, message } = error;
    const errors = [{ path, message }];
    return new Problem(400, "Invalid request", "The change contradicts what is there.", { errors });
  }
  if (!(error instanceof NotWaiting || error instanceof NotUnknown)) return error;
  const errors = [{ path: "state", message: error.state }];
  const detail = `The message is ${error.state}. ${error.message}`;
  return new Problem(409, "Not in that state", detail, { errors });
}

const refused = (error: unknown): never => {
  throw problemOf(error);
};

export const messageRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/messages",
    auth: "workspace",
    scope: "send",
    summary: "Queues a message; its outcome is at GET /v1/messages/:id.",
    body: z
      .strictObject({ connectorId: uuid, chatId, threadId, ...messageShape })
      .superRefine(checkBody),
    success: { status: 202, schema: acceptedSchema },
    handler: (call) => {
      const { connectorId, chatId, threadId } = call.body;
      return acceptMessage(call, async () => ({ connectorId, chatId, threadId }), noConnector);
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/messages",
    auth: "workspace",
    scope: "read",
    summary: "What was sent, waits or went wrong, newest first, without what it says.",
    query: z.strictObject({
      state: z
        .string()
        .max(200)
        .transform((states) => states.split(","))
        .pipe(z.array(z.enum(MESSAGE_STATES)))
        .optional()
        .describe("one or more of the states, with commas between them"),
      connectorId: uuid.optional(),
      chatId: chatId.optional(),
      ...pageQuery,
    }),
    success: { status: 200, schema: pageOf(messageSchema) },
    handler: async ({ db, principal, query }) => {
      const workspaceId = workspaceOf(principal);
      const { state: states, connectorId, limit, cursor } = query;
      const [createdAt, id] = decodeCursor(cursor, PLACE_SHAPE)?.split(" ") ?? [];
      const after = createdAt === undefined || id === undefined ? undefined : { createdAt, id };
      const filter = { connectorId, chatId: query.chatId, states };
      const page = await listOutbound(db, { workspaceId, ...filter }, { limit, after });
      const details = { ...filter, count: page.data.length };
      await recordAudit(db, { workspaceId, action: "sends.listed", details });
      const { data, next } = page;
      const nextCursor = next === null ? null : encodeCursor(`${next.createdAt} ${next.id}`);
      return { status: 200, body: { data, nextCursor } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/messages/:id",
    auth: "workspace",
    scope: "read",
    summary: "What became of a message.",
    params: idParams,
    success: { status: 200, schema: messageSchema },
    handler: async ({ db, principal, params }) => {
      const id = idOf(params.id);
      const message = await getMessage(db, { workspaceId: workspaceOf(principal), id });
      if (message === null) throw noMessage();
      return { status: 200, body: message };
    },
  }),
  defineRoute({
    method: "patch",
    path: "/v1/messages/:id",
    auth: "workspace",
    scope: "send",
    summary:
      "Replaces what is given of a message that waits; it keeps its place unless its time changes. 409 once it is being sent.",
    params: idParams,
    body: replacementSchema,
    success: { status: 200, schema: messageSchema },
    handler: async ({ db, services, principal, params, body }) => {
      const workspaceId = workspaceOf(principal);
      const ref = { workspaceId, id: idOf(params.id) };
      const { text, format, buttons, priority } = body;
      const times = timesOf(body, systemClock());
      const message = await db
        .transaction(async (tx) => {
          const before = await getMessage(tx, ref);
          if (before === null) return null;
          const connector = await services.connectors.get(workspaceId, before.connectorId, tx);
          if (connector === null) return null;
          const { maxMessageLength } = connector;
          const said =
            text === undefined ? undefined : formattedText({ text, format }, maxMessageLength);
          const change = { said, buttons, priority, ...times };
          const replaced = await replaceMessage(tx, services.jobs, ref, change);
          if (replaced === null) return null;
          const isOther = text !== undefined || buttons !== undefined || priority !== undefined;
          if (isOther && (await wouldBeHeld(tx, replaced))) throw needsApproval();
          const details = { connectorId: before.connectorId, fields: replaced.fields };
          const entry = { subjectId: ref.id, details };
          await recordAudit(tx, { workspaceId, action: "message.replaced", ...entry });
          return getMessage(tx, ref);
        })
        .catch(refused);
      if (message === null) throw noMessage();
      return { status: 200, body: message };
    },
  }),
  defineRoute({
    method: "delete",
    path: "/v1/messages/:id",
    auth: "workspace",
    scope: "send",
    summary:
      "Cancels a message that waits: it is not sent. 409 once it is being sent. `unknown`: it is not sent again, but an earlier try may have been.",
    params: idParams,
    success: { status: 200, schema: stateSchema },
    handler: async ({ db, services, principal, params }) => {
      const workspaceId = workspaceOf(principal);
      const id = idOf(params.id);
      const cancelled = await db
        .transaction(async (tx) => {
          const done = await cancelMessage(tx, services.jobs, { workspaceId, id });
          if (done === null) return null;
          const entry = { subjectId: id, details: { connectorId: done.connectorId } };
          await recordAudit(tx, { workspaceId, action: "message.cancelled", ...entry });
          return done;
        })
        .catch(refused);
      if (cancelled === null) throw noMessage();
      return { status: 200, body: { id, state: cancelled.state } };
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/messages/:id/resolve",
    auth: "workspace",
    scope: "send",
    summary:
      "Says what became of a message that is `unknown`: it was sent, it failed, or it is to be sent again, which may double it.",
    params: idParams,
    body: z.strictObject({ verdict: z.enum(VERDICTS) }),
    success: { status: 200, schema: resolvedSchema },
    handler: async ({ db, services, principal, params, body }) => {
      const workspaceId = workspaceOf(principal);
      const id = idOf(params.id);
      const { verdict } = body;
      const resolved = await db
        .transaction(async (tx) => {
          const done = await resolveMessage(tx, services.jobs, { workspaceId, id }, verdict);
          if (done === null) return null;
          const entry = { subjectId: id, details: { connectorId: done.connectorId, verdict } };
          await recordAudit(tx, { workspaceId, action: "message.resolved", ...entry });
          const message = await getMessage(tx, { workspaceId, id });
          return { ...done, deletion: message?.deletion };
        })
        .catch(refused);
      if (resolved === null) throw noMessage();
      const { state, deletion } = resolved;
      return { status: 200, body: { id, state, ...(deletion ? { deletion } : {}) } };
    },
  }),
];
