import { z } from "zod";
import {
  type Act,
  APPROVAL_STATES,
  decide,
  findApproval,
  listApprovals,
  type Refused,
} from "../../approvals/index.ts";
import { recordAudit } from "../../audit/index.ts";
import { type Content, contentFaults, MAX_PART_LENGTH } from "../../outbound/index.ts";
import { Problem } from "../../platform/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { formattedText } from "../formatted-text.ts";
import { messageShape } from "../message-body.ts";
import {
  type Answer,
  authorOf,
  type Call,
  defineRoute,
  pageOf,
  pageQuery,
  text,
  uuid,
  workspaceOf,
} from "../route.ts";

const params = z.object({ messageId: uuid });
const SEQ_SHAPE = /^[1-9][0-9]{0,17}$/;

const summaryShape = {
  messageId: z.string(),
  state: z.enum(APPROVAL_STATES),
  connectorId: z.string(),
  connectorName: z.string(),
  chatId: z.string(),
  chatTitle: z.string().nullable(),
  rule: z.object({ id: z.string(), name: z.string() }),
  author: z.string().nullable().describe("`key:` and the id of the API key that submitted it"),
  authorName: z.string().nullable().describe("how that key is called"),
  broadcast: z
    .object({ id: z.string(), recipients: z.number(), optedOut: z.number() })
    .optional()
    .describe("the broadcast that it stands for, and how many get what it says"),
  needed: z.number(),
  missing: z.number().describe("approvals that the message, as it is now, still needs"),
  version: z.string().describe("SHA-256 of all that is sent; to be named in a decision"),
  sendAt: z.string().optional().describe("when it is to go out; absent: once approved"),
  askedAt: z.string(),
  expiresAt: z.string(),
  decidedAt: z.string().optional(),
};

const approvalSchema = z.object({
  ...summaryShape,
  decisions: z.array(
    z.object({
      approver: z.string().describe("`key:` or `person:` and an id"),
      approverName: z.string().nullable(),
      verdict: z.enum(["approved", "edited", "rejected"]),
      reason: z.string().optional(),
      version: z.string(),
      fromVersion: z.string().optional(),
      at: z.string(),
    }),
  ),
  message: z.record(z.string(), z.unknown()).describe("all that is sent"),
  leads: z
    .array(z.object({ label: z.string(), to: z.string() }))
    .describe("what the words of its text don't say themselves"),
  changes: z
    .object({ messageId: z.string(), text: z.string() })
    .optional()
    .describe("what it edits, deletes, pins or unpins, as that is now"),
});

const decidedSchema = z.object({
  messageId: z.string(),
  state: z.enum(["waiting", "approved", "rejected"]),
  missing: z.number(),
});

const version = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "the `version` that was read")
  .describe("of what was seen; another one meanwhile is a 409");
const reason = text().trim().min(1).max(500);

const noApproval = () =>
  new Problem(404, "Not found", "Nobody was asked to approve such a message in this workspace.");

const REFUSALS: Record<Refused, string> = {
  "not-approver": "Only the rule's approvers can decide this.",
  author: "Whoever submitted a message does not decide on it: another key has to.",
  over: "This has been decided already.",
  expired: "It is too late: nobody decided in time.",
  changed: "The message has changed since that version. Read it again.",
  again: "This key has decided on this text already: somebody else has to.",
};

type DecidingCall = Pick<
  Call<{ messageId: string }, unknown, unknown>,
  "db" | "services" | "principal" | "params"
>;

/** What is refused is on record too, so it is answered once that is committed. */
async function decideOnce(
  { db, services, principal, params: { messageId } }: DecidingCall,
  said: Pick<Act, "verdict" | "version" | "reason" | "edit">,
): Promise<Answer> {
  const workspaceId = workspaceOf(principal);
  const act: Act = { workspaceId, messageId, approver: authorOf(principal), ...said };
  const [decided] = await db.transaction((tx) => decide(tx, services.jobs, [act]));
  if (!decided) throw noApproval();
  if (decided.refused === null) {
    const { state, missing } = decided;
    return { status: 200, body: { messageId, state, missing } };
  }
  const detail = REFUSALS[decided.refused];
  const isForbidden = decided.refused === "author" || decided.refused === "not-approver";
  throw isForbidden
    ? new Problem(403, "Not allowed", detail)
    : new Problem(409, "Not decided", detail);
}

export const approvalRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/approvals",
    auth: "workspace",
    scope: "read",
    summary: "Messages that somebody was asked to approve, by state, the newest first.",
    query: z.strictObject({ state: z.enum(APPROVAL_STATES).default("waiting"), ...pageQuery }),
    success: { status: 200, schema: pageOf(z.object(summaryShape)) },
    handler: async ({ db, principal, query: { state, limit, cursor } }) => {
      const workspaceId = workspaceOf(principal);
      const beforeSeq = decodeCursor(cursor, SEQ_SHAPE);
      const rows = await listApprovals(db, { workspaceId, state, beforeSeq, rows: limit + 1 });
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      const more = rows.length > limit && last !== undefined;
      const details = { state, count: shown.length };
      await recordAudit(db, { workspaceId, action: "approvals.listed", details });
      const data = shown.map(({ approval }) => approval);
      return { status: 200, body: { data, nextCursor: more ? encodeCursor(last.seq) : null } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/approvals/:messageId",
    auth: "workspace",
    scope: "read",
    summary: "One of them: all that is to be sent, its version, and what was said so far.",
    params,
    success: { status: 200, schema: approvalSchema },
    handler: async ({ db, principal, params: { messageId } }) => {
      const workspaceId = workspaceOf(principal);
      const approval = await findApproval(db, { workspaceId, messageId });
      if (approval === null) throw noApproval();
      const look = { action: "approval.viewed", subjectId: messageId } as const;
      await recordAudit(db, { workspaceId, ...look });
      return { status: 200, body: approval };
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/approvals/:messageId/approve",
    auth: "workspace",
    scope: "approve",
    summary: "Approves the message as it was seen; with the last approval needed it is sent.",
    params,
    body: z.strictObject({ version }),
    success: { status: 200, schema: decidedSchema },
    handler: (call) => decideOnce(call, { verdict: "approve", version: call.body.version }),
  }),
  defineRoute({
    method: "post",
    path: "/v1/approvals/:messageId/reject",
    auth: "workspace",
    scope: "approve",
    summary: "Rejects the message: it is not sent, and its sender reads the reason.",
    params,
    body: z.strictObject({ version, reason }),
    success: { status: 200, schema: decidedSchema },
    handler: (call) => decideOnce(call, { verdict: "reject", ...call.body }),
  }),
  defineRoute({
    method: "post",
    path: "/v1/approvals/:messageId/edit",
    auth: "workspace",
    scope: "approve",
    summary:
      "Gives the message another text and approves that. Earlier approvals count no more; where two are needed, somebody else has to approve it too. Buttons that are left out stay.",
    params,
    body: z.strictObject({
      version,
      text: messageShape.text.unwrap(),
      format: messageShape.format,
      buttons: messageShape.buttons,
    }),
    success: { status: 200, schema: decidedSchema },
    handler: async (call) => {
      const { db, services, principal } = call;
      const workspaceId = workspaceOf(principal);
      const approval = await findApproval(db, { workspaceId, ...call.params });
      if (approval === null) throw noApproval();
      const connector = await services.connectors.get(workspaceId, approval.connectorId);
      const { version: seen, buttons, ...said } = call.body;
      const content = approval.message.content as Content | undefined;
      const errors = contentFaults({ content, text: said.text, buttons });
      if (errors.length > 0) {
        throw new Problem(400, "Invalid request", "It does not go with what is sent.", { errors });
      }
      const partLength = connector?.maxMessageLength ?? MAX_PART_LENGTH;
      const written = formattedText(said, partLength, { content });
      const edit = { ...written, ...(buttons === undefined ? {} : { buttons }) };
      return decideOnce(call, { verdict: "edit", version: seen, edit });
    },
  }),
];
