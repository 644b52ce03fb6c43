import type { Queryable } from "../platform/index.ts";
import { ACCOUNT_ID, ACCOUNT_JOINS } from "./account-of.ts";
import { isBigint } from "./paging.ts";
import type { ConversationStatus } from "./queue-status.ts";

export interface ConversationView {
  id: string;
  connectorId: string;
  chatId: string;
  /** A forum's topic. */
  threadId?: string;
  topic?: TopicView;
  /** A business account's conversation: the account's connection to the bot. */
  businessConnectionId?: string;
  contactId: string | null;
  accountId: string | null;
  status: ConversationStatus;
  assignee: string | null;
  snoozedUntil?: string;
  /** Since when the customer waits. */
  waitingSince?: string;
  /** When the customer's first message since the last close was sent. */
  openedAt?: string;
  firstRespondedAt?: string;
  firstResponseMs?: number;
  resolvedAt?: string;
  resolutionMs?: number;
  /** How often the customer wrote again after it was closed. */
  reopens: number;
  /** One more with every change of whose turn it is and who looks after it. */
  version: number;
  createdAt: string;
  lastMessageAt: string;
}

/** What Telegram told of a topic; what it did not is absent. */
export interface TopicView {
  name?: string;
  closed?: boolean;
  hidden?: boolean;
}

export interface ConversationRow {
  id: string;
  connector_id: string;
  chat_id: string;
  thread_id: string;
  business_connection_id: string;
  topic_name: string | null;
  topic_closed: boolean | null;
  topic_hidden: boolean | null;
  contact_id: string | null;
  account_id: string | null;
  status: ConversationStatus;
  /** '': nobody. */
  assignee: string;
  snoozed_until: Date | null;
  waiting_since: Date | null;
  opened_at: Date | null;
  first_responded_at: Date | null;
  first_response_ms: string | null;
  resolved_at: Date | null;
  resolution_ms: string | null;
  reopens: number;
  version: number;
  created_at: Date;
  last_message_at: Date;
}

/**
 * A `ConversationRow` of each row of `from`, which is called `c`, has the table's columns, and holds
 * conversations of workspace `$1` alone.
 */
export const selectConversations = (from: string, alsoSelect = ""): string => `
SELECT ${alsoSelect}c.id, c.connector_id, c.chat_id, c.thread_id, c.business_connection_id, c.contact_id,
  c.status, c.assignee, c.snoozed_until, c.waiting_since, c.opened_at, c.first_responded_at,
  c.resolved_at, c.reopens, c.version, c.created_at, c.last_message_at,
  elapsed_ms(c.opened_at, c.first_responded_at) AS first_response_ms,
  elapsed_ms(c.opened_at, c.resolved_at) AS resolution_ms, ${ACCOUNT_ID} AS account_id,
  t.name AS topic_name, t.closed AS topic_closed, t.hidden AS topic_hidden
FROM ${from} c
LEFT JOIN topics t ON t.workspace_id = $1 AND t.connector_id = c.connector_id
  AND t.chat_id = c.chat_id AND t.thread_id = c.thread_id${ACCOUNT_JOINS}`;

const FIND = `/* conversations.find */${selectConversations("conversations")}
WHERE c.workspace_id = $1 AND c.id = $2`;

/** Null when the workspace has no such conversation. */
export async function findConversation(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<ConversationView | null> {
  if (!isBigint(id)) return null;
  const [row] = await on.query<ConversationRow>(FIND, [workspaceId, id]);
  return row === undefined ? null : conversationView(row);
}

const EXISTS = `/* conversations.exists */
SELECT 1 FROM conversations WHERE workspace_id = $1 AND id = $2`;

/** `id` is one that Postgres can hold. */
export async function hasConversation(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<boolean> {
  return (await on.query(EXISTS, [workspaceId, id])).length > 0;
}

export function conversationView(row: ConversationRow): ConversationView {
  return {
    id: row.id,
    connectorId: row.connector_id,
    chatId: row.chat_id,
    ...(row.thread_id === "0" ? {} : { threadId: row.thread_id }),
    ...topicView(row),
    ...(row.business_connection_id === ""
      ? {}
      : { businessConnectionId: row.business_connection_id }),
    contactId: row.contact_id,
    accountId: row.account_id,
    status: row.status,
    assignee: row.assignee || null,
    ...timeOf("snoozedUntil", row.snoozed_until),
    ...timeOf("waitingSince", row.waiting_since),
    ...timeOf("openedAt", row.opened_at),
    ...timeOf("firstRespondedAt", row.first_responded_at),
    ...(row.first_response_ms === null ? {} : { firstResponseMs: Number(row.first_response_ms) }),
    ...timeOf("resolvedAt", row.resolved_at),
    ...(row.resolution_ms === null ? {} : { resolutionMs: Number(row.resolution_ms) }),
    reopens: row.reopens,
    version: row.version,
    createdAt: row.created_at.toISOString(),
    lastMessageAt: row.last_message_at.toISOString(),
  };
}

function timeOf<Name extends string>(name: Name, time: Date | null): { [name in Name]?: string } {
  return time === null ? {} : ({ [name]: time.toISOString() } as { [name in Name]?: string });
}

function topicView(row: ConversationRow): { topic?: TopicView } {
  const topic = {
    ...(row.topic_name === null ? {} : { name: row.topic_name }),
    ...(row.topic_closed === null ? {} : { closed: row.topic_closed }),
    ...(row.topic_hidden === null ? {} : { hidden: row.topic_hidden }),
  };
  return Object.keys(topic).length === 0 ? {} : { topic };
}
