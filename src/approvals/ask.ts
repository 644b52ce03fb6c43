import { randomBytes } from "node:crypto";
import {
  type Button,
  type Content,
  insertMessages,
  type MessageEntity,
  mediaOf,
  type NewMessage,
  type Sendable,
} from "../outbound/index.ts";
import { fewRows, sha256, type Transaction } from "../platform/index.ts";
import { leadsOf } from "./leads.ts";
import { AUTHOR_NAME, CHAT_TITLE } from "./names.ts";
import { DECIDE_BUTTONS, type Delivery, noticeOf } from "./notice.ts";
import type { Rule } from "./rule-for.ts";

/** What is asked for. */
export interface Request {
  workspaceId: string;
  messageId: string;
  rule: Pick<Rule, "name" | "chat">;
  needed: number;
  /** SHA-256 of the message, in hex. */
  version: string;
  expiresAt: Date;
}

interface AskedRow {
  chat_id: string;
  text: string;
  buttons: Button[][] | null;
  entities: MessageEntity[] | null;
  content: Content | null;
  broadcast_to: number | null;
  send_at: Date | null;
  delivery: Delivery;
  author: string | null;
  chat_title: string | null;
}

const READ = `/* approvals.read-asked */
SELECT m.chat_id, m.text, m.buttons, m.entities,
  m.content, m.send_at,
  (SELECT b.recipients - b.opted_out FROM broadcasts b
    WHERE b.workspace_id = m.workspace_id AND b.id = m.broadcast_id) AS broadcast_to,
  json_build_object('replyTo', m.reply_to::text, 'threadId', m.thread_id::text,
    'isOfBusiness', m.business_connection_id IS NOT NULL, 'deleteAfterS', m.delete_after_s,
    'isSilent', m.silent, 'isProtected', m.protected) AS delivery,
  ${AUTHOR_NAME} AS author, ${CHAT_TITLE} AS chat_title
FROM outbound_messages m WHERE m.workspace_id = $1 AND m.id = $2`;

/** The approvers' chat where it is by now; nothing where nobody is to write there any more. */
const FIND_CHAT = `/* approvals.find-chat */
SELECT h.chat_id FROM chats c
JOIN chats h ON h.workspace_id = c.workspace_id AND h.connector_id = c.connector_id
  AND h.chat_id = coalesce(c.migrated_to, c.chat_id)
JOIN connectors k ON k.workspace_id = c.workspace_id AND k.id = c.connector_id
WHERE c.workspace_id = $1 AND c.connector_id = $2 AND c.chat_id = $3
  AND h.linked AND k.status <> 'removed'`;

const INSERT_BUTTONS = `/* approvals.insert-buttons */
INSERT INTO approval_buttons (workspace_id, token_hash, message_id, verdict, version, connector_id,
  chat_id)
SELECT $1::uuid, decode(b.token_hash, 'hex'), $2::uuid, b.verdict, decode($3, 'hex'), $4::uuid,
  $5::bigint
FROM unnest($6::text[], $7::text[]) AS b(token_hash, verdict)`;

const SET_NOTICE = `/* approvals.set-notice */
UPDATE approvals SET notice_id = $3 WHERE workspace_id = $1 AND message_id = $2`;

/** In front of a token in a button's data. */
export const TOKEN_PREFIX = "approval:";

/**
 * Writes the message that asks in the approvers' chat, with its buttons; null where nobody is asked
 * there. The caller enqueues it. A button's data is 128 bits at random and says nothing; Approve is
 * there only where all that is sent can be seen above it.
 */
export async function askInChat(tx: Transaction, request: Request): Promise<Sendable | null> {
  const { workspaceId, messageId, rule, needed, version, expiresAt } = request;
  if (rule.chat === null) return null;
  const { connectorId } = rule.chat;
  const [found] = await tx.query<{ chat_id: string }>(FIND_CHAT, [
    workspaceId,
    connectorId,
    rule.chat.chatId,
  ]);
  const [row] = await tx.query<AskedRow>(READ, [workspaceId, messageId]);
  if (found === undefined || row === undefined) return null;
  const { text, isWhole } = noticeOf({
    ruleName: rule.name,
    needed,
    author: row.author,
    chatId: row.chat_id,
    chatTitle: row.chat_title,
    text: row.text,
    buttons: row.buttons,
    leads: leadsOf(row.text, row.entities ?? []),
    hasContent: row.content !== null,
    files: mediaOf(row.content).flatMap(({ file }) => ("evidenceFileId" in file ? [file] : [])),
    broadcastTo: row.broadcast_to,
    sendAt: row.send_at,
    delivery: row.delivery,
    expiresAt,
  });
  const verdicts = isWhole ? (["approve", "reject"] as const) : (["reject"] as const);
  const buttons = verdicts.map((verdict) => ({ verdict, token: newToken() }));
  await tx.query(INSERT_BUTTONS, [
    workspaceId,
    messageId,
    version,
    connectorId,
    found.chat_id,
    buttons.map(({ token }) => sha256(token).toString("hex")),
    verdicts,
  ]);
  const notice: NewMessage = {
    ...noticeIn({ workspaceId, connectorId, chatId: found.chat_id }, text),
    buttons: [
      buttons.map(({ verdict, token }) => ({
        text: DECIDE_BUTTONS[verdict],
        data: TOKEN_PREFIX + token,
      })),
    ],
  };
  const [sendable] = await write(tx, [notice]);
  if (sendable === undefined) return null;
  await tx.query(SET_NOTICE, [workspaceId, messageId, sendable.id]);
  return sendable;
}

/** 22 characters of A-Z a-z 0-9 _ -. */
const newToken = (): string => randomBytes(16).toString("base64url");

const noticeIn = (
  chat: { workspaceId: string; connectorId: string; chatId: string },
  text: string,
): NewMessage => ({
  ...chat,
  text,
  // Somebody waits for it; and what it quotes is no word of this chat.
  priority: "high",
  isAutomatic: true,
  isAside: true,
  hasLinkPreview: false,
});

async function write(tx: Transaction, messages: NewMessage[]): Promise<Sendable[]> {
  if (messages.length === 0) return [];
  const ids = await insertMessages(tx, messages, "queued");
  return messages.map((message, n) => ({ ...message, id: ids[n] ?? "" }));
}

/** What is said under a request that was decided. */
export interface FollowUp {
  workspaceId: string;
  /** The message that asked; null: none did. */
  noticeId: string | null;
  text: string;
}

const READ_NOTICES = `/* approvals.read-notices */
SELECT k.n, m.connector_id, m.chat_id, m.telegram_message_ids[1] AS telegram_message_id
FROM (
  SELECT * FROM unnest($1::int[], $2::uuid[], $3::uuid[]) AS k(n, workspace_id, id)
  ${fewRows("$1")}
) k
JOIN outbound_messages m USING (workspace_id, id)
ORDER BY k.n`;

/** Writes what is said under requests, where they were asked; the caller enqueues it. */
export async function followUp(tx: Transaction, said: readonly FollowUp[]): Promise<Sendable[]> {
  const asked = said.filter(({ noticeId }) => noticeId !== null);
  if (asked.length === 0) return [];
  const rows = await tx.query<{
    n: number;
    connector_id: string;
    chat_id: string;
    telegram_message_id: string | null;
  }>(READ_NOTICES, [
    asked.map((_, n) => n),
    asked.map(({ workspaceId }) => workspaceId),
    asked.map(({ noticeId }) => noticeId),
  ]);
  const messages = rows.flatMap((row): NewMessage[] => {
    const one = asked[row.n];
    if (one === undefined) return [];
    const { workspaceId, text } = one;
    const chat = { workspaceId, connectorId: row.connector_id, chatId: row.chat_id };
    const replyTo = row.telegram_message_id ?? undefined;
    return [{ ...noticeIn(chat, text), replyTo }];
  });
  return write(tx, messages);
}
