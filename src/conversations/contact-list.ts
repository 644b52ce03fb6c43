import { recordAudit } from "../audit/index.ts";
import type { Queryable, Transaction } from "../platform/index.ts";
import { isBigint, keyAfter, limitOf, type Page, type PageRequest, pageOf } from "./paging.ts";

/** A person who wrote, as Telegram tells of them; never a phone number. */
export interface ContactView {
  id: string;
  telegramUserId: string;
  firstName: string;
  lastName?: string;
  username?: string;
  languageCode?: string;
  isBot: boolean;
  /** Of their e-mail address, as a member of the workspace told it. */
  domain: string | null;
  /** Their own account, or the one of their domain. */
  accountId: string | null;
  createdAt: string;
}

interface ContactRow {
  id: string;
  telegram_user_id: string;
  first_name: string;
  last_name: string | null;
  username: string | null;
  language_code: string | null;
  is_bot: boolean;
  domain: string | null;
  account_id: string | null;
  created_at: Date;
}

/** Of `contacts p` in workspace `$1`, with the rule of their domain. */
const select = (from: string) => `
SELECT p.id, p.telegram_user_id, p.first_name, p.last_name, p.username, p.language_code, p.is_bot,
  p.domain, coalesce(p.account_id, r.account_id) AS account_id, p.created_at
FROM ${from} p
LEFT JOIN account_rules r ON r.workspace_id = $1 AND r.domain = p.domain`;

const LIST = `/* contacts.list */${select(`(
  SELECT * FROM contacts
  WHERE workspace_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
)`)}
ORDER BY p.id DESC`;

const FIND = `/* contacts.find */${select("contacts")}
WHERE p.workspace_id = $1 AND p.id = $2`;

/** `key` begins with `$2`; nothing lies behind its last character `$5`. */
const begins = (key: string) => `${key} >= lower($2) AND ${key} < lower($2) || $5`;
const LAST_CHARACTER = "\u{10FFFF}";
const IS_FOUND_BY_NAME = `(${begins("name_key")})`;
const IS_FOUND_BY_LAST_NAME = `(${begins("last_name_key")})`;

/**
 * What is found is shown in the order of what it was found by: three indexes, each read from the
 * page's beginning for a page at most. Who is found by several is shown where their name is, else
 * their last name. A cursor is a contact's id, and their place is looked up: no name is in a URL that
 * the list gave out.
 */
const SEARCH = `/* contacts.search */
WITH place AS MATERIALIZED (
  SELECT CASE WHEN ${IS_FOUND_BY_NAME} THEN name_key WHEN ${IS_FOUND_BY_LAST_NAME} THEN last_name_key
    ELSE username_key END AS key, id
  FROM contacts WHERE workspace_id = $1 AND id = $3
)${select(`(
  SELECT found.* FROM (
    (${source("name_key", "true")})
    UNION ALL
    (${source("last_name_key", `last_name IS NOT NULL AND NOT ${IS_FOUND_BY_NAME}`)})
    UNION ALL
    (${source(
      "username_key",
      `username IS NOT NULL AND NOT ${IS_FOUND_BY_NAME} AND NOT ${IS_FOUND_BY_LAST_NAME}`,
    )})
  ) found
  ORDER BY key, id LIMIT $4
)`)}
ORDER BY p.key, p.id`;

function source(key: string, condition: string): string {
  return `SELECT *, ${key} AS key FROM contacts
    WHERE workspace_id = $1 AND NOT is_bot AND ${condition} AND ${begins(key)}
      AND (${key}, id) > (coalesce((SELECT key FROM place), ''), coalesce((SELECT id FROM place), 0))
    ORDER BY ${key}, id LIMIT $4`;
}

/**
 * A workspace's contacts, the newest first; with `search`, those whose name, last name or username
 * begins with it, in any case, in the order of that. Throws `InvalidCursor`.
 */
export async function listContacts(
  db: Queryable,
  request: PageRequest & { workspaceId: string; search?: string },
): Promise<Page<ContactView>> {
  const limit = limitOf(request);
  const search = request.search?.replace(/^@/, "");
  const name = search === undefined ? "contacts" : "contacts-found";
  const after = keyAfter(name, request);
  const { workspaceId } = request;
  const rows = await (search === undefined
    ? db.query<ContactRow>(LIST, [workspaceId, after, limit + 1])
    : db.query<ContactRow>(SEARCH, [workspaceId, search, after, limit + 1, LAST_CHARACTER]));
  return pageOf(name, rows, limit, contactView, (row) => row.id);
}

/** Null when the workspace has no such contact. */
export async function findContact(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<ContactView | null> {
  if (!isBigint(id)) return null;
  const [row] = await on.query<ContactRow>(FIND, [workspaceId, id]);
  return row === undefined ? null : contactView(row);
}

const CHANGE = `/* contacts.change */
UPDATE contacts SET
  domain = CASE WHEN $3 THEN $4 ELSE domain END,
  account_id = CASE WHEN $5 THEN $6::uuid ELSE account_id END
WHERE workspace_id = $1 AND id = $2 RETURNING id`;

/**
 * Says which domain a contact is of (as `domainOf` gives it), or which account; null takes it away,
 * undefined leaves it. With its entry in the audit log. Null when there is no such contact; Postgres's
 * 23503 when there is no such account.
 */
export async function changeContact(
  tx: Transaction,
  request: { workspaceId: string; id: string; domain?: string | null; accountId?: string | null },
): Promise<ContactView | null> {
  const { workspaceId, id, domain, accountId } = request;
  if (!isBigint(id)) return null;
  const given = [domain !== undefined, domain ?? null, accountId !== undefined, accountId ?? null];
  if ((await tx.query(CHANGE, [workspaceId, id, ...given])).length === 0) return null;
  const fields = Object.entries({ domain, accountId }).flatMap(([field, value]) =>
    value === undefined ? [] : [field],
  );
  const changed = { action: "contact.updated", subjectId: id, details: { fields } } as const;
  await recordAudit(tx, { workspaceId, ...changed });
  return findContact(tx, { workspaceId, id });
}

const contactView = (row: ContactRow): ContactView => ({
  id: row.id,
  telegramUserId: row.telegram_user_id,
  firstName: row.first_name,
  ...(row.last_name === null ? {} : { lastName: row.last_name }),
  ...(row.username === null ? {} : { username: row.username }),
  ...(row.language_code === null ? {} : { languageCode: row.language_code }),
  isBot: row.is_bot,
  domain: row.domain,
  accountId: row.account_id,
  createdAt: row.created_at.toISOString(),
});
