import type { Transaction } from "../platform/index.ts";
import type { Changes } from "./compact.ts";

/** What has no details (type null) or no news of reachability keeps what it has. */
const UPSERT_CHATS = `/* ingest.upsert-chats */
INSERT INTO chats AS c (workspace_id, connector_id, chat_id, type, title, username, is_forum,
  reachable, reachable_at)
SELECT workspace_id, connector_id, chat_id, type, title, username, is_forum, reachable, reachable_at
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::boolean[],
    $8::boolean[], $9::timestamptz[])
  AS i(workspace_id, connector_id, chat_id, type, title, username, is_forum, reachable, reachable_at)
ORDER BY 1, 2, 3
ON CONFLICT (workspace_id, connector_id, chat_id) DO UPDATE SET
  type = CASE WHEN excluded.type IS NULL THEN c.type ELSE excluded.type END,
  title = CASE WHEN excluded.type IS NULL THEN c.title ELSE excluded.title END,
  username = CASE WHEN excluded.type IS NULL THEN c.username ELSE excluded.username END,
  is_forum = CASE WHEN excluded.type IS NULL THEN c.is_forum ELSE excluded.is_forum END,
  reachable = CASE WHEN excluded.reachable_at IS NULL THEN c.reachable ELSE excluded.reachable END,
  reachable_at = coalesce(excluded.reachable_at, c.reachable_at),
  updated_at = now()`;

const UPSERT_CONTACTS = `/* ingest.upsert-contacts */
INSERT INTO contacts AS c (workspace_id, telegram_user_id, first_name, last_name, username,
  language_code, is_bot, updated_at)
SELECT workspace_id, user_id, first_name, last_name, username, language_code, is_bot, updated_at
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
    $8::timestamptz[])
  AS i(workspace_id, user_id, first_name, last_name, username, language_code, is_bot, updated_at)
ORDER BY 1, 2
ON CONFLICT (workspace_id, telegram_user_id) DO UPDATE SET
  first_name = excluded.first_name, last_name = excluded.last_name, username = excluded.username,
  language_code = excluded.language_code, is_bot = excluded.is_bot,
  updated_at = excluded.updated_at
WHERE c.updated_at <= excluded.updated_at`;

const UPSERT_MEMBERS = `/* ingest.upsert-members */
INSERT INTO members AS m (workspace_id, connector_id, chat_id, telegram_user_id, status, since)
SELECT workspace_id, connector_id, chat_id, user_id, status, since
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[])
  AS i(workspace_id, connector_id, chat_id, user_id, status, since)
ORDER BY 1, 2, 3, 4
ON CONFLICT (workspace_id, connector_id, chat_id, telegram_user_id) DO UPDATE SET
  status = excluded.status, since = excluded.since WHERE m.since <= excluded.since`;

export async function writeChats(tx: Transaction, chats: Changes["chats"]): Promise<void> {
  if (chats.length === 0) return;
  await tx.query(UPSERT_CHATS, [
    chats.map(({ scope }) => scope.workspaceId),
    chats.map(({ scope }) => scope.connectorId),
    chats.map(({ chatId }) => chatId),
    chats.map(({ chat }) => chat?.type ?? null),
    chats.map(({ chat }) => chat?.title ?? null),
    chats.map(({ chat }) => chat?.username ?? null),
    chats.map(({ chat }) => chat?.isForum ?? false),
    chats.map(({ reachability }) => reachability?.reachable ?? true),
    chats.map(({ reachability }) => (reachability ? isoOfS(reachability.atS) : null)),
  ]);
}

export async function writeContacts(tx: Transaction, contacts: Changes["contacts"]): Promise<void> {
  if (contacts.length === 0) return;
  await tx.query(UPSERT_CONTACTS, [
    contacts.map(({ scope }) => scope.workspaceId),
    contacts.map(({ user }) => user.id),
    contacts.map(({ user }) => user.firstName),
    contacts.map(({ user }) => user.lastName),
    contacts.map(({ user }) => user.username),
    contacts.map(({ user }) => user.languageCode),
    contacts.map(({ user }) => user.isBot),
    contacts.map(({ atMs }) => new Date(atMs).toISOString()),
  ]);
}

export async function writeMembers(tx: Transaction, members: Changes["members"]): Promise<void> {
  if (members.length === 0) return;
  await tx.query(UPSERT_MEMBERS, [
    members.map(({ scope }) => scope.workspaceId),
    members.map(({ scope }) => scope.connectorId),
    members.map(({ chatId }) => chatId),
    members.map(({ userId }) => userId),
    members.map(({ status }) => status),
    members.map(({ sinceS }) => isoOfS(sinceS)),
  ]);
}

/** Seconds since 1970 as Postgres reads them. */
export function isoOfS(timeS: number): string {
  return new Date(timeS * 1000).toISOString();
}
