import { recordAudit } from "../audit/index.ts";
import type { Transaction } from "../platform/index.ts";
import type { Scope } from "./effects.ts";
import { JOINED_QUEUE } from "./joined-queue.ts";
import { LATER_FACTS } from "./write-topics.ts";

/** Makes sure both rows exist and holds them, in the order in which everybody takes chats. */
const HOLD_CHATS = `/* conversations.hold-chats */
WITH missing AS (
  INSERT INTO chats (workspace_id, connector_id, chat_id)
  SELECT $1, $2, id FROM unnest($3::bigint[]) AS id ORDER BY id
  ON CONFLICT DO NOTHING
)
SELECT 1`;
const READ_HELD_CHATS = `/* conversations.read-held-chats */
SELECT chat_id, linked, migrated_to, migrated_from FROM chats
WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = ANY ($3::bigint[])
ORDER BY chat_id FOR NO KEY UPDATE`;

const MOVE_LINK = `/* conversations.move-link */
UPDATE chats c SET
  linked = CASE c.chat_id WHEN $3 THEN false ELSE c.linked OR old.linked END,
  purpose = CASE WHEN c.chat_id = $3 OR NOT old.linked THEN c.purpose
                 ELSE coalesce(old.purpose, c.purpose) END,
  migrated_to = CASE c.chat_id WHEN $3 THEN $4 ELSE c.migrated_to END,
  migrated_from = CASE c.chat_id WHEN $4 THEN $3 ELSE c.migrated_from END,
  updated_at = now()
FROM chats old
WHERE old.workspace_id = $1 AND old.connector_id = $2 AND old.chat_id = $3
  AND c.workspace_id = $1 AND c.connector_id = $2 AND c.chat_id IN ($3, $4)`;

export interface ChatMove {
  workspaceId: string;
  connectorId: string;
  /** The group's id so far. */
  fromChatId: string;
  /** The supergroup's. */
  toChatId: string;
}

/**
 * Moves the link of a group to the supergroup it became (Telegram sends the news in both chats, in
 * any order; the second finds it done and changes nothing, even if somebody unlinked the
 * supergroup in between). Conversations follow when the update itself is interpreted.
 *
 * Holds both chats' rows until the transaction ends. Chats come before lanes everywhere: call this
 * first, then enqueue. Answers false where it contradicts an earlier migration.
 */
export async function moveChatLink(tx: Transaction, move: ChatMove): Promise<boolean> {
  const { workspaceId, connectorId, fromChatId, toChatId } = move;
  if (fromChatId === toChatId) return false;
  const both = [workspaceId, connectorId, [fromChatId, toChatId]];
  await tx.query(HOLD_CHATS, both);
  const rows = await tx.query<{ chat_id: string; migrated_to: string | null; linked: boolean }>(
    READ_HELD_CHATS,
    both,
  );
  const migratedTo = new Map(rows.map((row) => [row.chat_id, row.migrated_to]));
  if ((migratedTo.get(toChatId) ?? null) !== null) return false;
  const already = migratedTo.get(fromChatId) ?? null;
  if (already === toChatId) return true;
  if (already !== null) return false;
  await tx.query(MOVE_LINK, [workspaceId, connectorId, fromChatId, toChatId]);
  if (rows.some((row) => row.chat_id === fromChatId && row.linked)) {
    const details = { connectorId, from: fromChatId };
    const moved = { action: "chat.link_moved", subjectId: toChatId, details } as const;
    await recordAudit(tx, { workspaceId, ...moved });
  }
  return true;
}

const HOLD_CONVERSATIONS = `/* conversations.hold-both */
SELECT id FROM conversations
WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = ANY ($3::bigint[])
ORDER BY chat_id, thread_id, business_connection_id FOR UPDATE`;

/** A conversation begun under the new id joins the one that goes on; it is the younger, so short. */
const TWINS = `
  FROM conversations twin JOIN conversations kept
    ON kept.workspace_id = twin.workspace_id AND kept.connector_id = twin.connector_id
    AND kept.thread_id = twin.thread_id
    AND kept.business_connection_id = twin.business_connection_id
  WHERE twin.workspace_id = $1 AND twin.connector_id = $2 AND kept.chat_id = $3
    AND twin.chat_id = $4`;
/** A supergroup counts anew: what was said in the group lies before its first message. */
const FORGET_NUMBERS = `/* conversations.forget-numbers */
UPDATE conversations SET customer_message = 0, team_message = 0
WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3`;
const JOIN_MESSAGES = `/* conversations.join-messages */
UPDATE messages m SET conversation_id = pair.kept_id
FROM (SELECT twin.id AS twin_id, kept.id AS kept_id ${TWINS}) pair
WHERE m.workspace_id = $1 AND m.conversation_id = pair.twin_id`;
const JOIN_CONVERSATIONS = `/* conversations.join */
UPDATE conversations c SET
  last_message_at = greatest(c.last_message_at, twin.last_message_at),
  acknowledged_at = coalesce(c.acknowledged_at, twin.acknowledged_at),
  denied = c.denied AND twin.denied,${JOINED_QUEUE}
FROM (SELECT kept.id AS kept_id, twin.* ${TWINS}) twin
WHERE c.workspace_id = $1 AND c.id = twin.kept_id`;
const JOIN_EVENTS = `/* conversations.join-events */
UPDATE conversation_events e SET conversation_id = pair.kept_id
FROM (SELECT twin.id AS twin_id, kept.id AS kept_id ${TWINS}) pair
WHERE e.workspace_id = $1 AND e.conversation_id = pair.twin_id`;
const REMOVE_JOINED = `/* conversations.remove-joined */
DELETE FROM conversations c USING (SELECT twin.id ${TWINS}) pair
WHERE c.workspace_id = $1 AND c.id = pair.id`;
const REKEY_CONVERSATIONS = `/* conversations.rekey */
UPDATE conversations SET chat_id = $4
WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3`;

/** Members known under both ids: what was told last counts. */
const MOVE_MEMBERS = `/* conversations.move-members */
WITH moved AS (
  DELETE FROM members WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3
  RETURNING telegram_user_id, status, since
)
INSERT INTO members AS m (workspace_id, connector_id, chat_id, telegram_user_id, status, since)
SELECT $1, $2, $4, telegram_user_id, status, since FROM moved ORDER BY telegram_user_id
ON CONFLICT (workspace_id, connector_id, chat_id, telegram_user_id) DO UPDATE
  SET status = excluded.status, since = excluded.since WHERE m.since < excluded.since`;

/** A basic group has none, but what Telegram told is kept, whatever it was. */
const MOVE_TOPICS = `/* conversations.move-topics */
WITH moved AS (
  DELETE FROM topics WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3
  RETURNING thread_id, name, named_at, closed, closed_at, hidden, hidden_at
)
INSERT INTO topics AS t (workspace_id, connector_id, chat_id, thread_id, name, named_at, closed,
  closed_at, hidden, hidden_at)
SELECT $1, $2, $4, * FROM moved ORDER BY thread_id
ON CONFLICT (workspace_id, connector_id, chat_id, thread_id) DO UPDATE SET ${LATER_FACTS}`;

/** A rule that the new id has already is the younger one, and stays. */
const MOVE_ACCOUNT_RULE = `/* conversations.move-account-rule */
UPDATE account_rules r SET chat_id = $4
WHERE r.workspace_id = $1 AND r.connector_id = $2 AND r.chat_id = $3 AND NOT EXISTS (
  SELECT 1 FROM account_rules n
  WHERE n.workspace_id = $1 AND n.connector_id = $2 AND n.chat_id = $4)`;

/** What was said of the group holds for the supergroup. */
const MOVE_OPT_OUT = `/* conversations.move-opt-out */
WITH moved AS (
  DELETE FROM broadcast_opt_outs WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3
  RETURNING opted_out_at
)
INSERT INTO broadcast_opt_outs (workspace_id, connector_id, chat_id, opted_out_at)
SELECT $1, $2, $4, opted_out_at FROM moved
ON CONFLICT DO NOTHING`;
const MOVE_TAGS = `/* conversations.move-tags */
WITH moved AS (
  DELETE FROM chat_tags WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3
  RETURNING tag
)
INSERT INTO chat_tags (workspace_id, connector_id, chat_id, tag)
SELECT $1, $2, $4, tag FROM moved
ON CONFLICT DO NOTHING`;

/**
 * A group goes on as a supergroup: link, conversations and members are found under the new id from
 * now on. Messages keep the id they were sent under, which is their identity at Telegram.
 * Idempotent; both news of a migration, and a refused send that tells of it, may call it.
 */
export async function rekeyChat(
  tx: Transaction,
  move: Scope & { from: string; to: string },
): Promise<void> {
  const { workspaceId, connectorId, from, to } = move;
  if (!(await moveChatLink(tx, { workspaceId, connectorId, fromChatId: from, toChatId: to }))) {
    return;
  }
  const params = [workspaceId, connectorId, from, to];
  const held = await tx.query(HOLD_CONVERSATIONS, [workspaceId, connectorId, [from, to]]);
  if (held.length > 0) {
    await tx.query(FORGET_NUMBERS, [workspaceId, connectorId, from]);
    await tx.query(JOIN_MESSAGES, params);
    await tx.query(JOIN_CONVERSATIONS, params);
    await tx.query(JOIN_EVENTS, params);
    await tx.query(REMOVE_JOINED, params);
    await tx.query(REKEY_CONVERSATIONS, params);
  }
  await tx.query(MOVE_MEMBERS, params);
  await tx.query(MOVE_TOPICS, params);
  await tx.query(MOVE_ACCOUNT_RULE, params);
  await tx.query(MOVE_OPT_OUT, params);
  await tx.query(MOVE_TAGS, params);
}
