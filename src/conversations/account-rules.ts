import { randomUUID } from "node:crypto";
import { recordAudit } from "../audit/index.ts";
import type { Queryable, Transaction } from "../platform/index.ts";

/** What belongs to an account: a chat of a connector, or a domain that contacts are of. */
export type AccountRule =
  | { kind: "chat"; connectorId: string; chatId: string }
  | { kind: "domain"; domain: string };

export type AccountRuleView = AccountRule & { id: string; accountId: string; createdAt: string };

interface RuleRow {
  id: string;
  account_id: string;
  connector_id: string | null;
  chat_id: string | null;
  domain: string | null;
  created_at: Date;
}

/** The chat or the domain belongs to an account already. */
export class RuleTaken extends Error {
  override name = "RuleTaken";
  readonly accountId: string;
  constructor(accountId: string) {
    super(`It belongs to the account ${accountId} already.`);
    this.accountId = accountId;
  }
}

const COLUMNS = "id, account_id, connector_id, chat_id, domain, created_at";

/** A rule given for an old id is meant for the group as it is now. */
const INSERT = `/* accounts.insert-rule */
INSERT INTO account_rules (workspace_id, id, account_id, connector_id, chat_id, domain)
SELECT $1, $2, $3, $4, coalesce((
    SELECT old.migrated_to FROM chats old
    WHERE old.workspace_id = $1 AND old.connector_id = $4 AND old.chat_id = $5
  ), $5), $6
ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`;
const TAKEN = `/* accounts.rule-taken */
SELECT account_id FROM account_rules
WHERE workspace_id = $1 AND ((connector_id = $2 AND chat_id = coalesce((
    SELECT old.migrated_to FROM chats old
    WHERE old.workspace_id = $1 AND old.connector_id = $2 AND old.chat_id = $3
  ), $3)) OR domain = $4)`;
const LIST = `/* accounts.list-rules */
SELECT ${COLUMNS} FROM account_rules
WHERE workspace_id = $1 AND account_id = $2 AND ($3::uuid IS NULL OR id > $3)
ORDER BY id LIMIT $4`;
const REMOVE = `/* accounts.remove-rule */
DELETE FROM account_rules WHERE workspace_id = $1 AND account_id = $2 AND id = $3
RETURNING ${COLUMNS}`;

/**
 * Gives a chat or a domain to an account, from now on for all that there is and will be. The account
 * and the connector must be there (Postgres's 23503 otherwise). Throws `RuleTaken`.
 */
export async function addAccountRule(
  tx: Transaction,
  { workspaceId, accountId, rule }: { workspaceId: string; accountId: string; rule: AccountRule },
): Promise<AccountRuleView> {
  const place =
    rule.kind === "chat" ? [rule.connectorId, rule.chatId, null] : [null, null, rule.domain];
  const values = [workspaceId, randomUUID(), accountId, ...place];
  const [row] = await tx.query<RuleRow>(INSERT, values);
  if (row === undefined) {
    const [taken] = await tx.query<{ account_id: string }>(TAKEN, [workspaceId, ...place]);
    throw new RuleTaken(taken?.account_id ?? accountId);
  }
  await recordRule(tx, "account.rule_added", workspaceId, row);
  return ruleView(row);
}

/** By id; `afterId`: the last of the page before. `rows` at most. */
export async function listAccountRules(
  db: Queryable,
  request: { workspaceId: string; accountId: string; afterId?: string; rows: number },
): Promise<AccountRuleView[]> {
  const { workspaceId, accountId, afterId, rows } = request;
  const params = [workspaceId, accountId, afterId ?? null, rows];
  return (await db.query<RuleRow>(LIST, params)).map(ruleView);
}

/** False when the account has no such rule. */
export async function removeAccountRule(
  tx: Transaction,
  { workspaceId, accountId, id }: { workspaceId: string; accountId: string; id: string },
): Promise<boolean> {
  const [row] = await tx.query<RuleRow>(REMOVE, [workspaceId, accountId, id]);
  if (row === undefined) return false;
  await recordRule(tx, "account.rule_removed", workspaceId, row);
  return true;
}

async function recordRule(
  tx: Transaction,
  action: "account.rule_added" | "account.rule_removed",
  workspaceId: string,
  row: RuleRow,
): Promise<void> {
  const chat = row.connector_id === null ? {} : { connectorId: row.connector_id };
  const details = { kind: row.domain === null ? "chat" : "domain", ruleId: row.id, ...chat };
  await recordAudit(tx, { workspaceId, action, subjectId: row.account_id, details });
}

function ruleView(row: RuleRow): AccountRuleView {
  const { connector_id: connectorId, chat_id: chatId, domain } = row;
  const common = { id: row.id, accountId: row.account_id, createdAt: row.created_at.toISOString() };
  if (connectorId !== null && chatId !== null) {
    return { kind: "chat", connectorId, chatId, ...common };
  }
  return { kind: "domain", domain: domain ?? "", ...common };
}
