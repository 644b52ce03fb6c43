import { fewRows, systemClock, type Transaction } from "../platform/index.ts";
import type { MessageKey, MessageVersion } from "./effects.ts";
import { versionOf } from "./interpret.ts";
import { messageKeyOf } from "./keys.ts";
import type { SentMessage } from "./outgoing.ts";
import { parseMessage } from "./parse-update.ts";
import { versionKeyOf } from "./version.ts";
import { writeMarks } from "./write-marks.ts";
import { writeVersions } from "./write-messages.ts";

/** What a bot does to messages of its own. Telegram sends no update of it: its answer is the news. */

const KEYS = `(
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[])
      WITH ORDINALITY
    AS k(workspace_id, connector_id, chat_id, telegram_message_id, business_connection_id, n)
  ${fewRows("$1")}
) k`;
const KEY_COLUMNS =
  "(workspace_id, connector_id, chat_id, telegram_message_id, business_connection_id)";

const LOCK_VERSIONS = `/* conversations.lock-versions */
SELECT k.n::int AS n, floor(extract(epoch FROM m.edited_at))::double precision AS edited_at_s, m.kind,
  m.text, m.entities, m.media
FROM ${KEYS} JOIN messages m USING ${KEY_COLUMNS}
ORDER BY m.workspace_id, m.id FOR NO KEY UPDATE OF m`;

interface VersionRow {
  n: number;
  edited_at_s: number | null;
  kind: string;
  text: string | null;
  entities: MessageVersion["content"]["entities"];
  media: MessageVersion["content"]["media"];
}

/** A message that Telegram has edited. */
export interface EditedMessage
  extends Pick<SentMessage, "workspaceId" | "connectorId" | "message"> {
  /** It is what was asked for: Telegram answered none. The same text is no other version then. */
  isAsAsked?: boolean;
}

/**
 * Messages that Telegram has edited for us, as they are now (Bot API: editMessageText and its like
 * answer the Message). What they said before goes into the history. Those that stand in no
 * conversation, and what is no message, are left out.
 */
export async function recordOutgoingEdits(
  tx: Transaction,
  edited: readonly EditedMessage[],
): Promise<void> {
  const versions = new Map<
    string,
    { key: MessageKey; version: MessageVersion; isAsAsked: boolean }
  >();
  for (const { workspaceId, connectorId, message: answer, isAsAsked = false } of edited) {
    const message = parseMessage(answer);
    if (message === undefined) continue;
    const key: MessageKey = {
      scope: { workspaceId, connectorId },
      chatId: message.chat.id,
      messageId: message.messageId,
      businessConnectionId: message.businessConnectionId,
    };
    versions.set(messageKeyOf(key), { key, version: versionOf(message, true), isAsAsked });
  }
  if (versions.size === 0) return;
  const all = [...versions.values()];
  const rows = await tx.query<VersionRow>(LOCK_VERSIONS, keyColumns(all.map(({ key }) => key)));
  const changes = rows.flatMap(({ n, edited_at_s, kind, text, entities, media }) => {
    const one = all[n - 1];
    const previous = { versionAtS: edited_at_s ?? 0, content: { kind, text, entities, media } };
    if (one === undefined || one.version.versionAtS < previous.versionAtS) return [];
    if (versionKeyOf(one.version) === versionKeyOf(previous)) return [];
    if (one.isAsAsked && one.version.content.text === text) return [];
    return [{ ...one, previous }];
  });
  await writeVersions(tx, {
    edits: changes.map(({ key, version }) => ({ key, version })),
    history: changes.map(({ key, previous }) => ({ key, version: previous })),
  });
}

/** Messages that Telegram has deleted for us. What they said stays. */
export async function markDeleted(tx: Transaction, keys: readonly MessageKey[]): Promise<void> {
  const atMs = systemClock();
  const deletions = keys.map((key) => ({ type: "message-deleted" as const, key, atMs }));
  await writeMarks(tx, { deletions, pins: [], reactions: [] });
}

const FORGET = `/* conversations.forget-vanished */
WITH forgotten AS (
  UPDATE messages m SET text = NULL, entities = NULL, media = NULL
  FROM ${KEYS}
  WHERE m.workspace_id = k.workspace_id AND m.connector_id = k.connector_id
    AND m.chat_id = k.chat_id AND m.telegram_message_id = k.telegram_message_id
    AND m.business_connection_id = k.business_connection_id
  RETURNING m.workspace_id, m.id
)
DELETE FROM message_edits e USING forgotten f
WHERE e.workspace_id = f.workspace_id AND e.message_id = f.id`;

/** Notices that have vanished: what they said goes; that there was something stays. */
export async function forgetVanished(tx: Transaction, keys: readonly MessageKey[]): Promise<void> {
  if (keys.length > 0) await tx.query(FORGET, keyColumns(keys));
}

const keyColumns = (keys: readonly MessageKey[]): unknown[][] => [
  keys.map(({ scope }) => scope.workspaceId),
  keys.map(({ scope }) => scope.connectorId),
  keys.map(({ chatId }) => chatId),
  keys.map(({ messageId }) => messageId),
  keys.map(({ businessConnectionId }) => businessConnectionId),
];
