import type { AccessLevel } from "../people/index.ts";
import { fewRows, type Transaction } from "../platform/index.ts";
import type { ChatPurpose } from "./chat-links.ts";
import { type Context, currentChatId, emptyContext, MAX_MIGRATIONS } from "./context.ts";
import type { ConversationKey, Scope } from "./effects.ts";
import { chatKeyOf, contactKeyOf, conversationKeyOf, memberKeyOf, messageKeyOf } from "./keys.ts";
import type { ChatMention, Mentions, MessageMention } from "./mentions.ts";
import type { ChatType, Media, MemberStatus, MessageEntity } from "./telegram-types.ts";

/** In the order in which everybody takes chats, so that two transactions never wait in a ring. */
const HOLD = `/* ingest.hold-chats */
SELECT c.workspace_id, c.connector_id, c.chat_id, c.migrated_to
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
    AS k(workspace_id, connector_id, chat_id) ${fewRows("$1")}
) k
JOIN chats c USING (workspace_id, connector_id, chat_id)
ORDER BY c.workspace_id, c.connector_id, c.chat_id FOR NO KEY UPDATE OF c`;

interface HeldRow {
  workspace_id: string;
  connector_id: string;
  chat_id: string;
  migrated_to: string | null;
}

/**
 * Holds the rows of `chats` and of what they migrated to, until the transaction ends: no migration
 * can now come between looking at them and writing. Rows that are not there are not held; nothing
 * is stored under them but by whoever makes the row. Adds the successors to `chats`, and answers who
 * succeeds whom, by chat key.
 */
export async function holdChats(
  tx: Transaction,
  chats: Map<string, ChatMention>,
): Promise<Map<string, string>> {
  const successors = new Map<string, string>();
  let next = [...chats.values()];
  for (let round = 0; next.length > 0 && round < MAX_MIGRATIONS; round++) {
    const rows = await tx.query<HeldRow>(HOLD, chatColumns(next));
    next = [];
    for (const row of rows) {
      if (row.migrated_to === null) continue;
      const scope: Scope = { workspaceId: row.workspace_id, connectorId: row.connector_id };
      const key = chatKeyOf(scope, row.migrated_to);
      successors.set(chatKeyOf(scope, row.chat_id), row.migrated_to);
      if (chats.has(key)) continue;
      const successor = { scope, chatId: row.migrated_to };
      chats.set(key, successor);
      next.push(successor);
    }
  }
  return successors;
}

/**
 * Everything else in one statement, taken after the chats are held: what it reads of groups stays
 * true until the end. One JSON a table, because one round trip costs more than the JSON.
 */
const LOAD = `/* ingest.load-context */
SELECT
  (SELECT json_agg(json_build_array(c.workspace_id, c.connector_id, c.chat_id::text, c.type, c.title,
      c.username, c.is_forum, c.linked, floor(extract(epoch FROM c.reachable_at)),
      c.migrated_to::text, c.purpose))
    FROM (
      SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
        AS k(workspace_id, connector_id, chat_id) ${fewRows("$1")}
    ) k
    JOIN chats c USING (workspace_id, connector_id, chat_id)) AS chats,
  (SELECT json_agg(json_build_array(c.workspace_id, c.telegram_user_id::text, c.is_bot, c.first_name,
      c.last_name, c.username, c.language_code, floor(extract(epoch FROM c.updated_at) * 1000)))
    FROM (
      SELECT * FROM unnest($4::uuid[], $5::bigint[]) AS k(workspace_id, telegram_user_id)
      ${fewRows("$4")}
    ) k
    JOIN contacts c USING (workspace_id, telegram_user_id)) AS contacts,
  (SELECT json_agg(json_build_array(k.n, m.id::text, floor(extract(epoch FROM m.edited_at)), m.kind,
      m.text, m.entities, m.media))
    FROM (
      SELECT * FROM unnest($6::uuid[], $7::uuid[], $8::bigint[], $9::bigint[], $10::text[])
        WITH ORDINALITY
        AS k(workspace_id, connector_id, chat_id, telegram_message_id, business_connection_id, n)
      ${fewRows("$6")}
    ) k
    JOIN messages m USING
      (workspace_id, connector_id, chat_id, telegram_message_id, business_connection_id)
  ) AS messages,
  (SELECT json_agg(json_build_array(k.n, c.acknowledged_at IS NOT NULL,
      floor(extract(epoch FROM c.session_last_at) * 1000),
      floor(extract(epoch FROM c.session_ended_at) * 1000),
      coalesce(c.asked_until > now(), false)))
    FROM (
      SELECT * FROM unnest($11::uuid[], $12::uuid[], $13::bigint[], $14::bigint[])
        WITH ORDINALITY AS k(workspace_id, connector_id, chat_id, thread_id, n) ${fewRows("$11")}
    ) k
    JOIN conversations c USING (workspace_id, connector_id, chat_id, thread_id)
    WHERE c.business_connection_id = '') AS conversations,
  (SELECT json_agg(json_build_array(k.n, m.status, floor(extract(epoch FROM m.since))))
    FROM (
      SELECT * FROM unnest($15::uuid[], $16::uuid[], $17::bigint[], $18::bigint[])
        WITH ORDINALITY AS k(workspace_id, connector_id, chat_id, telegram_user_id, n)
      ${fewRows("$15")}
    ) k
    JOIN members m USING (workspace_id, connector_id, chat_id, telegram_user_id)) AS members,
  (SELECT json_agg(json_build_array(c.id, c.username, c.access_level, c.save_denied,
      c.session_hours))
    FROM connectors c WHERE c.id = ANY ($19::uuid[])) AS bots,
  (SELECT json_agg(json_build_array(p.workspace_id, p.telegram_user_id::text))
    FROM (
      SELECT * FROM unnest($4::uuid[], $5::bigint[]) AS k(workspace_id, telegram_user_id)
      ${fewRows("$4")}
    ) k
    JOIN people p USING (workspace_id, telegram_user_id) WHERE p.agent_enabled) AS agents`;

type ChatTuple = [
  workspaceId: string,
  connectorId: string,
  chatId: string,
  type: ChatType | null,
  title: string | null,
  username: string | null,
  isForum: boolean,
  linked: boolean,
  reachableAtS: number | null,
  migratedTo: string | null,
  purpose: ChatPurpose | null,
];
type ContactTuple = [
  workspaceId: string,
  userId: string,
  isBot: boolean,
  firstName: string,
  lastName: string | null,
  username: string | null,
  languageCode: string | null,
  updatedAtMs: number,
];
type MessageTuple = [
  n: number,
  id: string,
  editedAtS: number | null,
  kind: string,
  text: string | null,
  entities: MessageEntity[] | null,
  media: Media | null,
];
type ConversationTuple = [
  n: number,
  isAcknowledged: boolean,
  sessionLastAtMs: number | null,
  sessionEndedAtMs: number | null,
  isAsked: boolean,
];
type BotTuple = [
  connectorId: string,
  username: string,
  accessLevel: AccessLevel,
  saveDenied: boolean,
  sessionHours: number,
];
interface Loaded {
  chats: ChatTuple[] | null;
  contacts: ContactTuple[] | null;
  messages: MessageTuple[] | null;
  conversations: ConversationTuple[] | null;
  members: Array<[n: number, status: MemberStatus, sinceS: number]> | null;
  bots: BotTuple[] | null;
  agents: Array<[workspaceId: string, userId: string]> | null;
}

/** Holds the groups mentioned, then loads what the batch may look at. */
export async function loadContext(tx: Transaction, mentions: Mentions): Promise<Context> {
  const successors = await holdChats(tx, mentions.heldChats);
  const chats = [...mentions.heldChats.values(), ...mentions.privateChats.values()];
  const people = [...mentions.people.values()];
  const messages = [...mentions.messages.values()];
  const conversations = [...mentions.conversations.values()];
  const members = [...mentions.members.values()].map((member) => ({
    ...member,
    chatId: currentChatId(successors, member.scope, member.chatId),
  }));
  const connectors = new Set([...chats, ...people].map(({ scope }) => scope.connectorId));

  const [loaded] = await tx.query<Loaded>(LOAD, [
    ...chatColumns(chats),
    people.map(({ scope }) => scope.workspaceId),
    people.map(({ userId }) => userId),
    messages.map(({ key }) => key.scope.workspaceId),
    messages.map(({ key }) => key.scope.connectorId),
    messages.map(({ key }) => key.chatId),
    messages.map(({ key }) => key.messageId),
    messages.map(({ key }) => key.businessConnectionId),
    conversations.map(({ scope }) => scope.workspaceId),
    conversations.map(({ scope }) => scope.connectorId),
    conversations.map(({ chatId }) => chatId),
    conversations.map(({ threadId }) => threadId),
    members.map(({ scope }) => scope.workspaceId),
    members.map(({ scope }) => scope.connectorId),
    members.map(({ chatId }) => chatId),
    members.map(({ userId }) => userId),
    [...connectors],
  ]);

  const context = emptyContext();
  addChats(context, loaded?.chats ?? []);
  addContacts(context, loaded?.contacts ?? []);
  addBots(context, loaded?.bots ?? []);
  for (const [workspaceId, userId] of loaded?.agents ?? []) {
    context.agents.add(contactKeyOf({ workspaceId, connectorId: "" }, userId));
  }
  addConversations(context, conversations, loaded?.conversations ?? []);
  for (const [n, status, sinceS] of loaded?.members ?? []) {
    const member = members[n - 1];
    if (!member) continue;
    const key = memberKeyOf(member.scope, member.chatId, member.userId);
    context.members.set(key, { status, sinceS });
  }
  await addMessages(tx, context, messages, loaded?.messages ?? []);
  return context;
}

function addChats(context: Context, tuples: ChatTuple[]): void {
  for (const tuple of tuples) {
    const [workspaceId, connectorId, chatId, type, title, username, isForum, linked] = tuple;
    const [, , , , , , , , reachableAtS, migratedTo, purpose] = tuple;
    context.chats.set(chatKeyOf({ workspaceId, connectorId }, chatId), {
      type,
      title,
      username,
      isForum,
      linked,
      purpose,
      reachableAtS: reachableAtS ?? 0,
    });
    if (migratedTo !== null) {
      context.successors.set(chatKeyOf({ workspaceId, connectorId }, chatId), migratedTo);
    }
  }
}

function addContacts(context: Context, tuples: ContactTuple[]): void {
  for (const [workspaceId, id, isBot, firstName, lastName, username, language, ms] of tuples) {
    context.contacts.set(contactKeyOf({ workspaceId, connectorId: "" }, id), {
      user: { id, isBot, firstName, lastName, username, languageCode: language },
      updatedAtMs: ms,
    });
  }
}

function addBots(context: Context, tuples: BotTuple[]): void {
  for (const [connectorId, username, accessLevel, saveDenied, sessionHours] of tuples) {
    context.botUsernames.set(connectorId, username);
    context.access.policies.set(connectorId, { accessLevel, saveDenied, sessionHours });
  }
}

function addConversations(
  context: Context,
  mentioned: ConversationKey[],
  tuples: ConversationTuple[],
): void {
  for (const [n, isAcknowledged, lastAtMs, endedAtMs, isAsked] of tuples) {
    const conversation = mentioned[n - 1];
    if (conversation === undefined) continue;
    const key = conversationKeyOf(conversation);
    if (isAcknowledged) context.acknowledged.add(key);
    if (isAsked) context.asked.add(key);
    if (lastAtMs !== null) context.sessions.set(key, { lastAtMs, endedAtMs });
  }
}

/** Of the history, only versions of the very times that the batch brings: the rest is not asked for. */
const LOAD_VERSIONS = `/* ingest.load-versions */
SELECT k.n, e.digest, floor(extract(epoch FROM e.version_at))::text AS version_at_s
FROM (
  SELECT * FROM unnest($1::int[], $2::uuid[], $3::bigint[], $4::timestamptz[])
    AS k(n, workspace_id, message_id, version_at) ${fewRows("$1")}
) k
JOIN message_edits e USING (workspace_id, message_id, version_at)`;

async function addMessages(
  tx: Transaction,
  context: Context,
  mentioned: MessageMention[],
  tuples: MessageTuple[],
): Promise<void> {
  const asked: Array<{ n: number; workspaceId: string; id: string; versionAtS: number }> = [];
  for (const [n, id, editedAtS, kind, text, entities, media] of tuples) {
    const mention = mentioned[n - 1];
    if (!mention) continue;
    context.messages.set(messageKeyOf(mention.key), {
      versionAtS: editedAtS ?? 0,
      content: { kind, text, entities, media },
      history: new Set(),
    });
    if (editedAtS === null) continue;
    const { workspaceId } = mention.key.scope;
    for (const versionAtS of mention.versionsAtS) asked.push({ n, workspaceId, id, versionAtS });
  }
  if (asked.length === 0) return;
  const rows = await tx.query<{ n: number; digest: string; version_at_s: string }>(LOAD_VERSIONS, [
    asked.map(({ n }) => n),
    asked.map(({ workspaceId }) => workspaceId),
    asked.map(({ id }) => id),
    asked.map(({ versionAtS }) => new Date(versionAtS * 1000).toISOString()),
  ]);
  for (const row of rows) {
    const mention = mentioned[row.n - 1];
    const state = mention && context.messages.get(messageKeyOf(mention.key));
    state?.history.add(`${row.version_at_s}/${row.digest}`);
  }
}

function chatColumns(chats: readonly ChatMention[]): string[][] {
  return [
    chats.map(({ scope }) => scope.workspaceId),
    chats.map(({ scope }) => scope.connectorId),
    chats.map(({ chatId }) => chatId),
  ];
}
