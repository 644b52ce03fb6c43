import { languageOf, type Queryable } from "../../platform/index.ts";
import { type Dialog, type DialogKind, isPrivateChat, type Place } from "./dialog.ts";
import { MACHINES } from "./step.ts";

/**
 * Dialogs as rows. Whoever changes one holds its row. In a private chat the row of its conversation comes
 * before: it says until when words are for a dialog, and ingest holds it while it hands them on.
 */

const COLUMNS = `d.workspace_id, d.id, d.token, d.connector_id, d.chat_id, d.thread_id, d.kind, d.state,
  d.data, d.version, d.user_id, d.language, d.evidence_id, d.risk_id, d.media_group_id, d.card_id,
  d.expires_at, d.remind_at, d.ended_at IS NOT NULL AS is_over, d.updated_at`;

interface DialogRow {
  workspace_id: string;
  id: string;
  token: string;
  connector_id: string;
  chat_id: string;
  thread_id: string;
  kind: DialogKind;
  state: string;
  data: object;
  version: number;
  user_id: string;
  language: string;
  evidence_id: string | null;
  risk_id: string | null;
  media_group_id: string | null;
  card_id: string | null;
  expires_at: Date;
  remind_at: Date | null;
  is_over: boolean;
  updated_at: Date;
}

function dialogOf(row: DialogRow): Dialog {
  return {
    workspaceId: row.workspace_id,
    id: row.id,
    token: row.token,
    connectorId: row.connector_id,
    chatId: row.chat_id,
    threadId: row.thread_id,
    isPrivate: isPrivateChat(row.chat_id),
    kind: row.kind,
    state: row.state,
    data: row.data,
    version: row.version,
    userId: row.user_id,
    language: languageOf(row.language),
    evidenceId: row.evidence_id,
    riskId: row.risk_id,
    mediaGroupId: row.media_group_id,
    cardId: row.card_id,
    expiresAtMs: row.expires_at.getTime(),
    remindAtMs: row.remind_at?.getTime() ?? null,
    isOver: row.is_over,
  };
}

const HOLD_CONVERSATION = `/* dialogs.hold-conversation */
SELECT 1 AS one FROM conversations
WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3 AND thread_id = $4
  AND business_connection_id = '' FOR NO KEY UPDATE`;

/** Of a private chat, before any of its dialogs: one thing after the other happens there. */
export async function holdConversation(tx: Queryable, place: Place): Promise<void> {
  const { workspaceId, connectorId, chatId, threadId } = place;
  if (!isPrivateChat(chatId)) return;
  await tx.query(HOLD_CONVERSATION, [workspaceId, connectorId, chatId, threadId]);
}

/** `$3` of `$2`, also by the id it had before it became a supergroup. */
const IN_CHAT = `d.chat_id IN ($3::bigint, (SELECT c.migrated_from FROM chats c
    WHERE c.workspace_id = $1 AND c.connector_id = $2 AND c.chat_id = $3::bigint))`;

const BY_TOKEN = `/* dialogs.by-token */
SELECT ${COLUMNS} FROM dialogs d
WHERE d.workspace_id = $1 AND d.connector_id = $2 AND d.token = $4 AND ${IN_CHAT}
FOR NO KEY UPDATE OF d`;

/** Holds it; null: this bot shows no such dialog in this chat. */
export async function holdByToken(
  tx: Queryable,
  { workspaceId, connectorId, chatId }: Place,
  token: string,
): Promise<Dialog | null> {
  const [row] = await tx.query<DialogRow>(BY_TOKEN, [workspaceId, connectorId, chatId, token]);
  return row === undefined ? null : dialogOf(row);
}

/** An open dialog of a person. */
export interface OpenDialog {
  dialog: Dialog;
  changedAtMs: number;
  /** Its card is the message that is replied to. */
  isRepliedTo: boolean;
}

/**
 * Without reviews that ask for a press: nothing that is written is for them, and there may be thousands.
 * No LIMIT: with one the planner would walk the key in its order, through all that the workspace has.
 */
const OPEN = `/* dialogs.open-of-person */
SELECT ${COLUMNS}, coalesce((SELECT $6::bigint = ANY (m.telegram_message_ids)
  FROM outbound_messages m WHERE m.workspace_id = d.workspace_id AND m.id = d.card_id), false)
    AS is_replied_to
FROM dialogs d
WHERE d.workspace_id = $1 AND d.connector_id = $2 AND ${IN_CHAT} AND d.user_id = $4
  AND d.thread_id = $5 AND d.ended_at IS NULL
  AND (d.kind <> 'compliance_review' OR d.state = 'awaiting-reason')
ORDER BY d.workspace_id, d.id FOR NO KEY UPDATE OF d`;

/** Those that ask this person in this chat, held; the one that changed last comes first. */
export async function holdOpen(
  tx: Queryable,
  { workspaceId, connectorId, chatId, threadId }: Place,
  { userId, replyToMessageId = null }: { userId: string; replyToMessageId?: string | null },
): Promise<OpenDialog[]> {
  const params = [workspaceId, connectorId, chatId, userId, threadId, replyToMessageId];
  const rows = await tx.query<DialogRow & { is_replied_to: boolean }>(OPEN, params);
  return rows
    .map((row) => ({
      dialog: dialogOf(row),
      changedAtMs: row.updated_at.getTime(),
      isRepliedTo: row.is_replied_to,
    }))
    .sort((one, other) => other.changedAtMs - one.changedAtMs);
}

const BY_ALBUM = `/* dialogs.by-album */
SELECT ${COLUMNS} FROM dialogs d
WHERE d.workspace_id = $1 AND d.connector_id = $2 AND ${IN_CHAT} AND d.media_group_id = $4
  AND d.user_id = $5 AND d.kind = 'evidence_collection'
ORDER BY d.updated_at DESC LIMIT 1 FOR NO KEY UPDATE OF d`;

/** The one that the album's last file went to, open or not; held. */
export async function holdByAlbum(
  tx: Queryable,
  { workspaceId, connectorId, chatId }: Place,
  { userId, mediaGroupId }: { userId: string; mediaGroupId: string },
): Promise<Dialog | null> {
  const params = [workspaceId, connectorId, chatId, mediaGroupId, userId];
  const [row] = await tx.query<DialogRow>(BY_ALBUM, params);
  return row === undefined ? null : dialogOf(row);
}

const OF_EVIDENCE = `/* dialogs.of-evidence */
SELECT ${COLUMNS} FROM dialogs d
WHERE d.evidence_id = $2 AND d.workspace_id = $1
  AND (d.ended_at IS NULL OR d.state = 'submitted')
ORDER BY d.workspace_id, d.id FOR NO KEY UPDATE OF d`;

/** Those that a change of the evidence may concern, held in the order of their keys. */
export async function holdOfEvidence(
  tx: Queryable,
  { workspaceId, evidenceId }: { workspaceId: string; evidenceId: string },
): Promise<Dialog[]> {
  const rows = await tx.query<DialogRow>(OF_EVIDENCE, [workspaceId, evidenceId]);
  return rows.map(dialogOf);
}

/** Somebody who answers a dialog at this moment has its row: it is looked at in the next turn. */
const DUE = (column: "expires_at" | "remind_at") => `
SELECT ${COLUMNS} FROM dialogs d
WHERE d.ended_at IS NULL AND d.${column} <= $1
ORDER BY d.${column} LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED`;
const EXPIRING = `/* dialogs.expiring */${DUE("expires_at")}`;
const REMINDING = `/* dialogs.reminding */${DUE("remind_at")}`;

/** Open ones whose time it is, held; at most `limit`. */
export async function holdDue(
  tx: Queryable,
  { to, nowMs, limit }: { to: "expire" | "remind"; nowMs: number; limit: number },
): Promise<Dialog[]> {
  const sql = to === "expire" ? EXPIRING : REMINDING;
  const rows = await tx.query<DialogRow>(sql, [new Date(nowMs).toISOString(), limit]);
  return rows.map(dialogOf);
}

const iso = (timeMs: number | null): string | null =>
  timeMs === null ? null : new Date(timeMs).toISOString();

/** Columns that are written: name, type, and where the value comes from. */
const WRITTEN: [string, string, (dialog: Dialog) => unknown][] = [
  ["workspace_id", "uuid", ({ workspaceId }) => workspaceId],
  ["id", "uuid", ({ id }) => id],
  ["token", "text", ({ token }) => token],
  ["connector_id", "uuid", ({ connectorId }) => connectorId],
  ["chat_id", "bigint", ({ chatId }) => chatId],
  ["thread_id", "bigint", ({ threadId }) => threadId],
  ["kind", "text", ({ kind }) => kind],
  ["state", "text", ({ state }) => state],
  ["data", "jsonb", ({ data }) => JSON.stringify(data)],
  ["version", "integer", ({ version }) => version],
  ["user_id", "bigint", ({ userId }) => userId],
  ["language", "text", ({ language }) => language],
  ["evidence_id", "uuid", ({ evidenceId }) => evidenceId],
  ["risk_id", "uuid", ({ riskId }) => riskId],
  ["media_group_id", "text", ({ mediaGroupId }) => mediaGroupId],
  ["card_id", "uuid", ({ cardId }) => cardId],
  ["expires_at", "timestamptz", ({ expiresAtMs }) => iso(expiresAtMs)],
  ["remind_at", "timestamptz", ({ remindAtMs }) => iso(remindAtMs)],
];
const NAMES = WRITTEN.map(([name]) => name).join(", ");
const FIXED = new Set(["workspace_id", "id", "token", "connector_id", "kind", "language"]);

const WRITE = `/* dialogs.write */
INSERT INTO dialogs AS d (${NAMES}, ended_at, updated_at)
SELECT ${NAMES}, CASE WHEN is_over THEN clock_timestamp() END, clock_timestamp()
FROM unnest(${WRITTEN.map(([, type], n) => `$${n + 2}::${type}[]`).join(", ")}, $1::boolean[])
  AS i(${NAMES}, is_over)
ORDER BY workspace_id, id
ON CONFLICT (workspace_id, id) DO UPDATE SET
  ${WRITTEN.filter(([name]) => !FIXED.has(name))
    .map(([name]) => `${name} = excluded.${name}`)
    .join(", ")},
  ended_at = CASE WHEN excluded.ended_at IS NOT NULL THEN coalesce(d.ended_at, excluded.ended_at) END,
  updated_at = excluded.updated_at`;

/** New ones, and such as are held. Each once. */
export async function writeDialogs(tx: Queryable, dialogs: readonly Dialog[]): Promise<void> {
  if (dialogs.length === 0) return;
  const values = WRITTEN.map(([, , read]) => dialogs.map(read));
  await tx.query(WRITE, [dialogs.map(({ isOver }) => isOver), ...values]);
}

/** States in which words are for the dialog, as kind/state. */
const AWAITING_WORDS = Object.values(MACHINES).flatMap(({ kind, states }) =>
  Object.entries(states)
    .filter(([, rule]) => rule.words !== undefined)
    .map(([state]) => `${kind}/${state}`),
);

export const awaitsWords = ({ kind, state, isOver }: Dialog): boolean =>
  !isOver && AWAITING_WORDS.includes(`${kind}/${state}`);

const ASKED_UNTIL = `/* dialogs.asked-until */
UPDATE conversations c SET asked_until = a.until
FROM (
  SELECT max(d.expires_at) AS until FROM dialogs d
  WHERE d.workspace_id = $1 AND d.connector_id = $2 AND d.chat_id = $3 AND d.user_id = $3
    AND d.thread_id = $4 AND d.ended_at IS NULL AND d.kind || '/' || d.state = ANY ($5::text[])
) a
WHERE c.workspace_id = $1 AND c.connector_id = $2 AND c.chat_id = $3 AND c.thread_id = $4
  AND c.business_connection_id = '' AND c.asked_until IS DISTINCT FROM a.until`;

/** Until when words in a private chat are looked at, from what its dialogs ask now. */
export async function writeAskedUntil(tx: Queryable, place: Place): Promise<void> {
  const { workspaceId, connectorId, chatId, threadId } = place;
  if (!isPrivateChat(chatId)) return;
  await tx.query(ASKED_UNTIL, [workspaceId, connectorId, chatId, threadId, AWAITING_WORDS]);
}
