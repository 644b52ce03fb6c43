import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import { getMessage, type NewMessage, PRIORITIES, submitMessages } from "../../outbound/index.ts";
import { Problem } from "../../platform/index.ts";
import { chatId } from "../chat-id.ts";
import { claimKey, storeAnswer } from "../idempotency.ts";
import { defineRoute, text, uuid, workspaceOf } from "../route.ts";
import { noConnector } from "./connectors.ts";

/** Bot API: sendMessage takes at most 4096 UTF-16 units. */
const MAX_TEXT = 4_096;
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

const newMessage = z.strictObject({
  connectorId: uuid,
  chatId,
  text: text()
    .min(1)
    .max(MAX_TEXT)
    .refine((value) => value.trim() !== "", "has visible text"),
  format: z.enum(["plain", "html", "markdown"]).optional(),
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
});

export const messageRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/messages",
    auth: "workspace",
    scope: "send",
    summary: "Queues a message; its outcome is at GET /v1/messages/:id.",
    body: newMessage,
    success: { status: 202, schema: z.object({ id: z.string(), state: z.string() }) },
    handler: async ({ db, services, principal, body, idempotency }) => {
      const workspaceId = workspaceOf(principal);
      const { connectors, jobs } = services;
      const message: NewMessage = {
        ...body,
        workspaceId,
        sendAt: body.sendAt === undefined ? undefined : new Date(body.sendAt),
      };
      // The key's row and the message commit together: a twin waits here, then gets this answer.
      return db.transaction(async (tx) => {
        const key = idempotency && { workspaceId, ...idempotency };
        const known = key && (await claimKey(tx, key));
        if (known) return known;
        const connector = await connectors.get(workspaceId, body.connectorId, tx);
        if (connector === null) throw noConnector();
        checkLength(message.text, connector.maxMessageLength);
        const [submitted] = await submitMessages(tx, jobs, [message]);
        const { connectorId } = message;
        await recordAudit(tx, {
          workspaceId,
          action: "message.submitted",
          subjectId: submitted?.id,
          details: { connectorId },
        });
        const answer = { status: 202, body: submitted };
        if (key) await storeAnswer(tx, key, answer);
        return answer;
      });
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/messages/:id",
    auth: "workspace",
    scope: "read",
    summary: "What became of a message.",
    params: z.object({ id: z.string().max(40) }),
    success: {
      status: 200,
      schema: z.object({
        id: z.string(),
        state: z.enum(["queued", "sending", "sent", "unknown", "failed", "cancelled"]),
        attempts: z.number(),
        telegramMessageIds: z.array(z.string()),
        error: z.string().optional(),
      }),
    },
    handler: async ({ db, principal, params }) => {
      const workspaceId = workspaceOf(principal);
      const known = uuid.safeParse(params.id).success;
      const message = known ? await getMessage(db, { workspaceId, id: params.id }) : null;
      if (message === null) {
        throw new Problem(404, "Not found", "This workspace has no such message.");
      }
      return { status: 200, body: message };
    },
  }),
];

/** Throws `Problem` 400 for a text that the connector does not let through. */
function checkLength(text: string, maxLength: number): void {
  if (text.length <= maxLength) return;
  const message = `has at most ${maxLength} characters, as its connector says`;
  const detail = "The message is longer than its connector allows.";
  throw new Problem(400, "Invalid request", detail, { errors: [{ path: "text", message }] });
}
