import { holdForApproval } from "../approvals/index.ts";
import { recordAudit } from "../audit/index.ts";
import { type NewMessage, submitMessages } from "../outbound/index.ts";
import { type Problem, systemClock, type Transaction } from "../platform/index.ts";
import { evidenceFilesIn, withCarriedFiles } from "./carried-files.ts";
import { type ContentBody, deliveryOfBody, priorityBehindTarget } from "./content-body.ts";
import { formattedText } from "./formatted-text.ts";
import { claimKey, storeAnswer } from "./idempotency.ts";
import { timesOf } from "./message-times.ts";
import { type Answer, authorOf, type Call, workspaceOf } from "./route.ts";
import { type Worded, wordsOf } from "./words.ts";

/** What is to be said, but for where; no words where the content takes none. */
export interface MessageBody extends ContentBody, Worded, Pick<NewMessage, "priority"> {
  sendAt?: string;
  expiresAt?: string;
  replyTo?: string;
  buttons?: NewMessage["buttons"];
  onUnknown?: NewMessage["onUnknown"];
}

/** Where it goes. */
export interface Destination
  extends Pick<NewMessage, "connectorId" | "chatId" | "threadId" | "businessConnectionId"> {
  /** Where none is given. */
  priority?: NewMessage["priority"];
  /** For the audit log. */
  conversationId?: string;
}

type AcceptingCall = Pick<
  Call<unknown, unknown, MessageBody>,
  "db" | "services" | "principal" | "body" | "idempotency"
>;

/**
 * Accepts a message to be sent: 202 once it is committed. `destination` finds where it goes, in the
 * same transaction, and throws `Problem` where that is nowhere; `noConnector` is what is thrown when
 * the workspace has no such connector, or no more.
 */
export async function acceptMessage(
  { db, services, principal, body, idempotency }: AcceptingCall,
  destination: (tx: Transaction) => Promise<Destination>,
  noConnector: () => Problem,
): Promise<Answer> {
  const workspaceId = workspaceOf(principal);
  const { connectors, jobs } = services;
  // The key's row and the message commit together: a twin waits here, then gets this answer.
  return db.transaction(async (tx) => {
    const key = idempotency && { workspaceId, ...idempotency };
    const known = key && (await claimKey(tx, key));
    if (known) return known;
    const { conversationId, ...where } = await destination(tx);
    const { replyTo, buttons, onUnknown } = body;
    const connector = await connectors.get(workspaceId, where.connectorId, tx);
    if (connector === null) throw noConnector();
    const { template, hasLinkPreview, ...words } = await wordsOf(tx, workspaceId, body);
    const formatted = formattedText(words, connector.maxMessageLength, body);
    const text = { ...formatted, template };
    const { sendAt, expiresAt } = timesOf(body, systemClock());
    const times = { sendAt: sendAt ?? undefined, expiresAt: expiresAt ?? undefined };
    const place = { workspaceId, ...where, priority: body.priority ?? where.priority };
    const priority = await priorityBehindTarget(tx, body.content, place);
    const content = await withCarriedFiles(tx, principal, body.content);
    const evidenceFileIds = evidenceFilesIn(body.content);
    const asked = { ...body, linkPreview: body.linkPreview ?? hasLinkPreview };
    const delivery = deliveryOfBody(asked, sendAt?.getTime() ?? systemClock());
    const said = { ...text, priority, replyTo, buttons, onUnknown, content, ...times, ...delivery };
    const submittedBy = authorOf(principal);
    const message = { workspaceId, ...where, ...said, submittedBy };
    const kind = conversationId === undefined ? "message" : "reply";
    const held = await holdForApproval(tx, jobs, { message, kind });
    const [submitted] = held ? [held] : await submitMessages(tx, jobs, [message]);
    await recordAudit(tx, {
      workspaceId,
      action: "message.submitted",
      subjectId: submitted?.id,
      details: {
        connectorId: where.connectorId,
        conversationId,
        content: body.content?.type,
        evidenceFileIds: evidenceFileIds.length > 0 ? evidenceFileIds : undefined,
      },
    });
    const answer = { status: 202, body: submitted };
    if (key) await storeAnswer(tx, key, answer);
    return answer;
  });
}
