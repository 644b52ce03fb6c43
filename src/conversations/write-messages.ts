import { fewRows, type Transaction } from "../platform/index.ts";
import type { Changes, ConversationChange } from "./compact.ts";
import type { MessageKey, MessageVersion, StoredMessage } from "./effects.ts";
import { conversationKeyOf } from "./keys.ts";
import { digestOf } from "./version.ts";
import { isoOfS } from "./write-chats.ts";
import { writeConversations } from "./write-conversations.ts";

/** Sorted before the ids are drawn, so that ids follow the order of the effects. */
const INSERT_MESSAGES = `/* conversations.insert-messages */
INSERT INTO messages (workspace_id, conversation_id, connector_id, chat_id, telegram_message_id,
  business_connection_id, direction, kind, contact_id, thread_id, text, entities, media,
  media_group_id, reply_to_message_id, sent_at, received_at, edited_at, job_id, service, poll_id,
  denied)
SELECT i.workspace_id, i.conversation_id, i.connector_id, i.chat_id, i.telegram_message_id,
  i.business_connection_id, i.direction, i.kind, p.id, i.thread_id, i.text, i.entities, i.media,
  i.media_group_id, i.reply_to_message_id, i.sent_at, i.received_at, i.edited_at, i.job_id,
  i.service, i.poll_id, i.denied
FROM (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[],
      $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::text[], $12::jsonb[], $13::jsonb[],
      $14::text[], $15::bigint[], $16::timestamptz[], $17::timestamptz[], $18::timestamptz[],
      $19::bigint[], $20::jsonb[], $21::text[], $22::boolean[]) WITH ORDINALITY
    AS i(workspace_id, conversation_id, connector_id, chat_id, telegram_message_id,
      business_connection_id, direction, kind, from_user_id, thread_id, text, entities, media,
      media_group_id, reply_to_message_id, sent_at, received_at, edited_at, job_id,
      service, poll_id, denied, n)
  ${fewRows("$1")}
) i
LEFT JOIN LATERAL (
  SELECT p.id FROM contacts p
  WHERE p.workspace_id = i.workspace_id AND p.telegram_user_id = i.from_user_id OFFSET 0
) p ON true
ORDER BY i.n
ON CONFLICT (workspace_id, connector_id, chat_id, telegram_message_id, business_connection_id)
  DO NOTHING
RETURNING id`;

const VERSION_INPUT = `(
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[],
      $6::timestamptz[], $7::text[], $8::text[], $9::jsonb[], $10::jsonb[], $11::text[])
    AS i(workspace_id, connector_id, chat_id, telegram_message_id, business_connection_id,
      version_at, kind, text, entities, media, digest)
  ${fewRows("$1")}
) i`;
const MESSAGE_OF_INPUT = `m.workspace_id = i.workspace_id AND m.connector_id = i.connector_id
  AND m.chat_id = i.chat_id AND m.telegram_message_id = i.telegram_message_id
  AND m.business_connection_id = i.business_connection_id`;

const UPDATE_MESSAGES = `/* ingest.edit-messages */
UPDATE messages m SET kind = i.kind, text = i.text, entities = i.entities, media = i.media,
  edited_at = i.version_at
FROM ${VERSION_INPUT} WHERE ${MESSAGE_OF_INPUT} AND i.digest IS NOT NULL`;

const INSERT_HISTORY = `/* ingest.keep-versions */
INSERT INTO message_edits (workspace_id, message_id, version_at, digest, kind, text, entities, media)
SELECT m.workspace_id, m.id, i.version_at, i.digest, i.kind, i.text, i.entities, i.media
FROM ${VERSION_INPUT} JOIN messages m ON ${MESSAGE_OF_INPUT}
ON CONFLICT DO NOTHING`;

/**
 * Stores conversations and their sessions, then their messages, each message once: one that is there already stays as
 * it is. Contacts and chats must have been written. Answers how many messages were new.
 */
export async function writeMessages(
  tx: Transaction,
  conversations: readonly ConversationChange[],
  messages: readonly StoredMessage[],
): Promise<number> {
  if (messages.length === 0) return 0;
  const ids = await writeConversations(tx, conversations);
  const rows = await tx.query(INSERT_MESSAGES, [
    messages.map(({ key }) => key.scope.workspaceId),
    messages.map(({ conversation }) => ids.get(conversationKeyOf(conversation))),
    messages.map(({ key }) => key.scope.connectorId),
    messages.map(({ key }) => key.chatId),
    messages.map(({ key }) => key.messageId),
    messages.map(({ key }) => key.businessConnectionId),
    messages.map(({ direction }) => direction),
    messages.map(({ version }) => version.content.kind),
    messages.map(({ fromUserId }) => fromUserId),
    messages.map(({ threadId }) => threadId),
    messages.map(({ version }) => version.content.text),
    messages.map(({ version }) => jsonOrNull(version.content.entities)),
    messages.map(({ version }) => jsonOrNull(version.content.media)),
    messages.map(({ mediaGroupId }) => mediaGroupId),
    messages.map(({ replyToMessageId }) => replyToMessageId),
    messages.map(({ sentAtS }) => isoOfS(sentAtS)),
    messages.map(({ receivedAtMs }) => new Date(receivedAtMs).toISOString()),
    messages.map(({ version }) => (version.versionAtS > 0 ? isoOfS(version.versionAtS) : null)),
    messages.map(({ jobId }) => jobId),
    messages.map(({ service }) => jsonOrNull(service)),
    messages.map(({ pollId }) => pollId),
    messages.map(({ denied }) => denied ?? false),
  ]);
  return rows.length;
}

/** New versions of stored messages, and the history of what they replace. */
export async function writeVersions(
  tx: Transaction,
  { edits, history }: Pick<Changes, "edits" | "history">,
): Promise<void> {
  if (edits.length > 0) await tx.query(UPDATE_MESSAGES, versionColumns(edits));
  if (history.length > 0) await tx.query(INSERT_HISTORY, versionColumns(history));
}

function versionColumns(
  versions: ReadonlyArray<{ key: MessageKey; version: MessageVersion }>,
): unknown[] {
  return [
    versions.map(({ key }) => key.scope.workspaceId),
    versions.map(({ key }) => key.scope.connectorId),
    versions.map(({ key }) => key.chatId),
    versions.map(({ key }) => key.messageId),
    versions.map(({ key }) => key.businessConnectionId),
    versions.map(({ version }) => isoOfS(version.versionAtS)),
    versions.map(({ version }) => version.content.kind),
    versions.map(({ version }) => version.content.text),
    versions.map(({ version }) => jsonOrNull(version.content.entities)),
    versions.map(({ version }) => jsonOrNull(version.content.media)),
    versions.map(({ version }) => digestOf(version.content)),
  ];
}

function jsonOrNull(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}
