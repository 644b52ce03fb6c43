import { z } from "zod";
import { holdForApproval } from "../../approvals/index.ts";
import { recordAudit } from "../../audit/index.ts";
import {
  awaitApproval,
  type BroadcastAction,
  changeBroadcast,
  createBroadcast,
  getBroadcast,
  ImpossibleBroadcastChange,
  listBroadcasts,
  listRecipients,
  RECIPIENT_PLACE,
  RECIPIENT_STATES,
  sampleOf,
  TooManyRecipients,
} from "../../broadcasts/index.ts";
import { Problem, systemClock } from "../../platform/index.ts";
import { acceptMessage } from "../accept-message.ts";
import { chatId } from "../chat-id.ts";
import { deliveryOfBody } from "../content-body.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { formattedText } from "../formatted-text.ts";
import { claimKey, storeAnswer } from "../idempotency.ts";
import { acceptedSchema, messageShape } from "../message-body.ts";
import { timesOf } from "../message-times.ts";
import {
  authorOf,
  chatIdText,
  defineRoute,
  pageOf,
  pageQuery,
  text,
  uuid,
  workspaceOf,
} from "../route.ts";
import { checkBody, wordsOf } from "../words.ts";
import { cursorChecked, found, idParams, noConnector } from "./connectors.ts";

const MAX_CHAT_IDS = 100_000;
/** Of 16 digits, a sign, quotes and a comma each, and spaces between; and of the text. */
const MAX_BODY_BYTES = 4 * 1_048_576;
const MAX_DAYS = 3_650;
const NUMBER = /^[0-9]{1,18}$/;

/** A broadcast goes to chats that a bot knows by their number. */
const recipient = z.union([
  chatIdText,
  z
    .number()
    .int()
    .refine((id) => id !== 0, "a chat's id is not 0")
    .transform(String),
]);

export const tag = text().trim().min(1).max(50);

const segment = z
  .strictObject({
    linked: z.boolean().optional().describe("chats that are linked, or that are not"),
    tag: tag.optional(),
    lastSeenWithinDays: z.number().int().min(1).max(MAX_DAYS).optional(),
    types: z
      .array(z.enum(["private", "group", "supergroup", "channel"]))
      .min(1)
      .max(4)
      .optional(),
  })
  .refine((one) => Object.values(one).some((value) => value !== undefined), {
    message: "says which chats: at least one of linked, tag, lastSeenWithinDays, types",
  });

const { format, priority, buttons, onUnknown, sendAt, expiresAt, ...shape } = messageShape;
const { silent, protected: isProtected, linkPreview, deleteAfter, template } = shape;
/**
 * What is said: a text. A reply is a chat's own, and a file by its URL would be downloaded for every
 * recipient.
 */
const bulkShape = {
  text: shape.text,
  template,
  ...{ format, priority, buttons, onUnknown, expiresAt },
  ...{ silent, protected: isProtected, linkPreview, deleteAfter },
};

const listedShape = {
  id: z.string(),
  connectorId: z.string(),
  state: z
    .enum(["awaiting_approval", "scheduled", "running", "paused", "cancelled", "rejected", "done"])
    .describe("scheduled: its time has not come; done: nothing of it waits any more"),
  recipients: z.number(),
  createdAt: z.string(),
  sendAt: z.string().optional(),
  finishedAt: z.string().optional(),
  error: z.string().optional().describe("why it ended though nobody ended it"),
  segment: z.looseObject({}).optional(),
};

const broadcastSchema = z.object({
  ...listedShape,
  counts: z
    .object(Object.fromEntries(RECIPIENT_STATES.map((state) => [state, z.number()])))
    .describe("recipients by what became of them; together all of them"),
});

const noBroadcast = () => new Problem(404, "Not found", "This workspace has no such broadcast.");

const createRoute = defineRoute({
  method: "post",
  path: "/v1/broadcasts",
  auth: "workspace",
  scope: "send",
  summary:
    "Sends one text to many chats of a connector: those named, each once, or those of a segment as it is now. Chats that want no broadcasts get none. Its progress is at GET /v1/broadcasts/:id.",
  body: z
    .strictObject({
      connectorId: uuid,
      chatIds: z.array(recipient).min(1).max(MAX_CHAT_IDS).optional(),
      segment: segment.optional(),
      sendAt,
      ...bulkShape,
    })
    .refine((body) => (body.chatIds === undefined) !== (body.segment === undefined), {
      path: ["chatIds"],
      message: "either chatIds or segment",
    })
    .superRefine(checkBody),
  maxBodyBytes: MAX_BODY_BYTES,
  success: {
    status: 202,
    schema: z.object({
      id: z.string(),
      recipients: z.number(),
      optedOut: z.number().describe("of the recipients: chats that want no broadcasts"),
    }),
  },
  handler: async ({ db, services, principal, body, idempotency }) => {
    const workspaceId = workspaceOf(principal);
    const { connectorId, chatIds, segment: chosen, priority, buttons, onUnknown, expiresAt } = body;
    const to = chatIds === undefined ? { segment: chosen ?? {} } : { chatIds };
    return db.transaction(async (tx) => {
      const key = idempotency && { workspaceId, ...idempotency };
      const known = key && (await claimKey(tx, key));
      if (known) return known;
      const connector = found(await services.connectors.get(workspaceId, connectorId, tx));
      const { template, hasLinkPreview, ...words } = await wordsOf(tx, workspaceId, body);
      const formatted = formattedText(words, connector.maxMessageLength, body);
      const sendAt = timesOf(body, systemClock()).sendAt ?? undefined;
      const asked = { ...body, linkPreview: body.linkPreview ?? hasLinkPreview };
      const delivery = deliveryOfBody(asked, systemClock());
      const said = { ...formatted, template, priority, buttons, onUnknown };
      const message = { ...said, ...delivery, expiresAt };
      const createdBy = authorOf(principal);
      const wanted = { workspaceId, connectorId, message, to, sendAt, createdBy };
      const { id, count, optedOut } = await createBroadcast(tx, wanted).catch((error) => {
        throw problemOf(error);
      });
      const sample = await sampleOf(tx, { workspaceId, id });
      const held =
        sample &&
        (await holdForApproval(tx, services.jobs, { message: sample, kind: "broadcast" }));
      if (held) {
        const { chatId } = sample;
        await awaitApproval(tx, { workspaceId, id, chatId, messageId: held.id });
      }
      const answer = { status: 202, body: { id, recipients: count, optedOut } };
      if (key) await storeAnswer(tx, key, answer);
      return answer;
    });
  },
});

const previewRoute = defineRoute({
  method: "post",
  path: "/v1/broadcasts/preview",
  auth: "workspace",
  scope: "send",
  summary:
    "Sends what a broadcast would say to one chat, to be looked at: a message like any other, whose outcome is at GET /v1/messages/:id.",
  body: z.strictObject({ connectorId: uuid, chatId, ...bulkShape }).superRefine(checkBody),
  success: { status: 202, schema: acceptedSchema },
  handler: (call) => {
    const { connectorId, chatId } = call.body;
    return acceptMessage(
      call,
      async () => ({ connectorId, chatId, priority: "high" }),
      noConnector,
    );
  },
});

const listRoute = defineRoute({
  method: "get",
  path: "/v1/broadcasts",
  auth: "workspace",
  scope: "read",
  summary: "Lists the workspace's broadcasts, the newest first.",
  query: z.strictObject({ connectorId: uuid.optional(), ...pageQuery }),
  success: { status: 200, schema: pageOf(z.object(listedShape)) },
  handler: async ({ db, principal, query }) => {
    const workspaceId = workspaceOf(principal);
    const { connectorId, cursor, limit } = query;
    const after = decodeCursor(cursor, NUMBER);
    const request = { workspaceId, connectorId, after, rows: limit + 1 };
    const rows = await listBroadcasts(db, request);
    const data = rows.slice(0, limit);
    const last = data.at(-1);
    const more = rows.length > limit && last !== undefined;
    const nextCursor = more ? encodeCursor(last.place) : null;
    return { status: 200, body: { data: data.map(({ broadcast }) => broadcast), nextCursor } };
  },
});

const getRoute = defineRoute({
  method: "get",
  path: "/v1/broadcasts/:id",
  auth: "workspace",
  scope: "read",
  summary: "How far a broadcast is.",
  params: idParams,
  success: { status: 200, schema: broadcastSchema },
  handler: async ({ db, principal, params: { id } }) => {
    const broadcast = await getBroadcast(db, { workspaceId: workspaceOf(principal), id });
    if (broadcast === null) throw noBroadcast();
    return { status: 200, body: broadcast };
  },
});

const recipientsRoute = defineRoute({
  method: "get",
  path: "/v1/broadcasts/:id/recipients",
  auth: "workspace",
  scope: "read",
  summary: "A broadcast's recipients and what became of each; with `state`, those in it.",
  params: idParams,
  query: z.strictObject({ state: z.enum(RECIPIENT_STATES).optional(), ...pageQuery }),
  success: {
    status: 200,
    schema: pageOf(
      z.object({
        chatId: z.string(),
        state: z.enum(RECIPIENT_STATES),
        messageId: z.string().optional(),
        error: z.string().optional(),
      }),
    ),
  },
  handler: async ({ db, principal, params: { id }, query }) => {
    const workspaceId = workspaceOf(principal);
    const { state, limit, cursor } = query;
    const after = decodeCursor(cursor, RECIPIENT_PLACE);
    const page = await cursorChecked(listRecipients(db, { workspaceId, id, state, limit, after }));
    if (page === null) throw noBroadcast();
    const { data, next } = page;
    const details = { count: data.length };
    const look = { action: "broadcast.recipients_listed", subjectId: id, details } as const;
    await recordAudit(db, { workspaceId, ...look });
    return { status: 200, body: { data, nextCursor: next === null ? null : encodeCursor(next) } };
  },
});

const changeRoute = (action: BroadcastAction, summary: string) =>
  defineRoute({
    method: "post",
    path: `/v1/broadcasts/:id/${action}`,
    auth: "workspace",
    scope: "send",
    summary,
    params: idParams,
    success: { status: 200, schema: broadcastSchema },
    handler: async ({ db, services: { jobs }, principal, params: { id } }) => {
      const which = { workspaceId: workspaceOf(principal), id };
      const changed = await db
        .transaction((tx) => changeBroadcast(tx, jobs, which, action))
        .catch((error) => {
          throw problemOf(error);
        });
      const broadcast = changed ? await getBroadcast(db, which) : null;
      if (broadcast === null) throw noBroadcast();
      return { status: 200, body: broadcast };
    },
  });

export const broadcastRoutes = [
  createRoute,
  previewRoute,
  listRoute,
  getRoute,
  recipientsRoute,
  changeRoute("pause", "Stops a broadcast; what waits in its bot's queue is taken back out of it."),
  changeRoute("resume", "Lets a paused broadcast go on."),
  changeRoute("cancel", "Ends a broadcast: what was not sent is not sent any more."),
];

function problemOf(error: unknown): unknown {
  if (error instanceof ImpossibleBroadcastChange) {
    return new Problem(409, "Not possible now", error.message);
  }
  if (error instanceof TooManyRecipients) {
    const errors = [{ path: "segment", message: error.message }];
    return new Problem(400, "Invalid request", "The segment has too many chats.", { errors });
  }
  return error;
}
