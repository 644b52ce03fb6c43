import { randomUUID } from "node:crypto";
import { recordAudit } from "../audit/index.ts";
import type { Queryable, Transaction } from "../platform/index.ts";
import { limitOf } from "./paging.ts";

/** A customer's organisation. */
export interface AccountView {
  id: string;
  name: string;
  createdAt: string;
}

interface AccountRow {
  id: string;
  name: string;
  created_at: Date;
}

const COLUMNS = "id, name, created_at";

const INSERT = `/* accounts.insert */
INSERT INTO accounts (workspace_id, id, name) VALUES ($1, $2, $3) RETURNING ${COLUMNS}`;
const FIND = `/* accounts.find */
SELECT ${COLUMNS} FROM accounts WHERE workspace_id = $1 AND id = $2`;
const RENAME = `/* accounts.rename */
UPDATE accounts SET name = $3 WHERE workspace_id = $1 AND id = $2 RETURNING ${COLUMNS}`;
const LIST = `/* accounts.list */
SELECT ${COLUMNS} FROM accounts
WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3`;

/** Its rules go with it. */
const LEAVE = `/* accounts.leave */
UPDATE contacts SET account_id = NULL WHERE workspace_id = $1 AND account_id = $2`;
const REMOVE = `/* accounts.remove */
DELETE FROM accounts WHERE workspace_id = $1 AND id = $2 RETURNING id`;
const HOLD = `/* accounts.hold */
SELECT id FROM accounts WHERE workspace_id = $1 AND id = $2 FOR UPDATE`;

/** In the caller's transaction, with its entry in the audit log; as all changes here. */
export async function createAccount(
  tx: Transaction,
  { workspaceId, name }: { workspaceId: string; name: string },
): Promise<AccountView> {
  const [row] = await tx.query<AccountRow>(INSERT, [workspaceId, randomUUID(), name]);
  if (row === undefined) throw new Error("an insert gave no row");
  await recordAudit(tx, { workspaceId, action: "account.created", subjectId: row.id });
  return accountView(row);
}

/** Null when the workspace has none with this id (a UUID); as everywhere here. */
export async function findAccount(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<AccountView | null> {
  const [row] = await on.query<AccountRow>(FIND, [workspaceId, id]);
  return row === undefined ? null : accountView(row);
}

export async function renameAccount(
  tx: Transaction,
  { workspaceId, id, name }: { workspaceId: string; id: string; name: string },
): Promise<AccountView | null> {
  const [row] = await tx.query<AccountRow>(RENAME, [workspaceId, id, name]);
  if (row === undefined) return null;
  const details = { fields: ["name"] };
  await recordAudit(tx, { workspaceId, action: "account.updated", subjectId: id, details });
  return accountView(row);
}

/** False when there was none. Its contacts belong to no account by themselves then. */
export async function removeAccount(
  tx: Transaction,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<boolean> {
  // Held first: a contact that is given to it at this moment waits, and finds it gone.
  if ((await tx.query(HOLD, [workspaceId, id])).length === 0) return false;
  await tx.query(LEAVE, [workspaceId, id]);
  await tx.query(REMOVE, [workspaceId, id]);
  await recordAudit(tx, { workspaceId, action: "account.removed", subjectId: id });
  return true;
}

/** By id. `afterId`: the last of the page before. */
export async function listAccounts(
  db: Queryable,
  { workspaceId, afterId, ...page }: { workspaceId: string; afterId?: string; limit?: number },
): Promise<{ data: AccountView[]; more: boolean }> {
  const limit = limitOf(page);
  const rows = await db.query<AccountRow>(LIST, [workspaceId, afterId ?? null, limit + 1]);
  return { data: rows.slice(0, limit).map(accountView), more: rows.length > limit };
}

const accountView = (row: AccountRow): AccountView => ({
  id: row.id,
  name: row.name,
  createdAt: row.created_at.toISOString(),
});
