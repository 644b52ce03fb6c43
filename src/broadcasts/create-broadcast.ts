import { randomUUID } from "node:crypto";
import { recordAudit } from "../audit/index.ts";
import type { NewMessage } from "../outbound/index.ts";
import type { Transaction } from "../platform/index.ts";
import {
  insertNamed,
  insertSegment,
  MAX_RECIPIENTS,
  type Recipients,
  type Segment,
} from "./recipients.ts";

/** What is said, as of any message, but for where and when: it is kept as JSON until it is sent. */
export type BroadcastText = Omit<
  NewMessage,
  | "workspaceId"
  | "connectorId"
  | "chatId"
  | "threadId"
  | "businessConnectionId"
  | "replyTo"
  | "callbackQueryId"
  | "causeId"
  | "isAside"
  | "isAutomatic"
  | "sendAt"
  | "expiresAt"
  | "submittedBy"
  | "broadcastId"
> & {
  /** ISO 8601: not sent any more from this time on. */
  expiresAt?: string;
};

export interface NewBroadcast {
  workspaceId: string;
  connectorId: string;
  message: BroadcastText;
  to: { chatIds: readonly string[] } | { segment: Segment };
  /** Not before this time. */
  sendAt?: Date;
  /** As of a message: `key:<id>` of an API key. */
  createdBy: string;
}

/** A segment has more chats than one broadcast may have. */
export class TooManyRecipients extends Error {
  override name = "TooManyRecipients";
  constructor() {
    super(`A broadcast has at most ${MAX_RECIPIENTS} recipients.`);
  }
}

const INSERT = `/* broadcasts.insert */
INSERT INTO broadcasts (workspace_id, id, connector_id, message, segment, state, send_at, created_by,
  due_at)
VALUES ($1, $2, $3, $4, $5, 'running', $6, $7, coalesce($6::timestamptz, now()))`;

const NOTE_RECIPIENTS = `/* broadcasts.note-recipients */
UPDATE broadcasts SET recipients = $3, opted_out = $4 WHERE workspace_id = $1 AND id = $2`;

/**
 * Accepts a broadcast with its recipients, each chat once: three statements, however many they are,
 * and its entry in the audit log. A segment is the chats that it has at this moment. Throws
 * `TooManyRecipients`, and Postgres's 23503 where there is no such connector.
 */
export async function createBroadcast(
  tx: Transaction,
  { workspaceId, connectorId, message, to, sendAt, createdBy }: NewBroadcast,
): Promise<{ id: string } & Recipients> {
  const id = randomUUID();
  const segment = "segment" in to ? JSON.stringify(to.segment) : null;
  const values = [JSON.stringify(message), segment, sendAt ?? null, createdBy];
  await tx.query(INSERT, [workspaceId, id, connectorId, ...values]);
  const broadcast = { workspaceId, connectorId, broadcastId: id };
  const recipients =
    "segment" in to
      ? await insertSegment(tx, broadcast, to.segment)
      : await insertNamed(tx, broadcast, to.chatIds);
  const { count, optedOut } = recipients;
  if (count > MAX_RECIPIENTS) throw new TooManyRecipients();
  await tx.query(NOTE_RECIPIENTS, [workspaceId, id, count, optedOut]);
  const details = { connectorId, count };
  await recordAudit(tx, { workspaceId, action: "broadcast.created", subjectId: id, details });
  return { id, ...recipients };
}
