import { recordAudit } from "../audit/index.ts";
import type { Queryable, Transaction } from "../platform/index.ts";
import type { Conditions, Rule } from "./rule-for.ts";

/** A rule as its workspace sees it. */
export type RuleView = Rule & { createdAt: string };

/** Looked through for each message that is submitted. */
const MAX_RULES = 100;

export class TooManyRules extends Error {
  override name = "TooManyRules";
  constructor() {
    super(`A workspace has at most ${MAX_RULES} approval rules.`);
  }
}

/** The chat where approvers are to be asked is not linked. */
export class UnknownChat extends Error {
  override name = "UnknownChat";
  constructor() {
    super("The approvers' chat is not one that is linked.");
  }
}

interface RuleRow {
  id: string;
  name: string;
  connector_id: string | null;
  conditions: Conditions;
  approvals: number;
  expires_after_s: number;
  person_ids: string[];
  chat_connector_id: string | null;
  chat_id: string | null;
  created_at: Date;
}

/** Of `approval_rules r`. */
const COLUMNS = `r.id, r.name, r.connector_id, r.conditions, r.approvals, r.expires_after_s,
  r.chat_connector_id, r.chat_id, r.created_at, ARRAY(
    SELECT p.person_id FROM approval_rule_people p
    WHERE p.workspace_id = r.workspace_id AND p.rule_id = r.id ORDER BY p.person_id
  ) AS person_ids`;

/** What a rule is made of. */
export type NewRule = Omit<Rule, "id">;

const INSERT = `/* approvals.insert-rule */
INSERT INTO approval_rules (workspace_id, name, connector_id, conditions, approvals, expires_after_s,
  chat_connector_id, chat_id)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
WHERE (SELECT count(*) FROM approval_rules WHERE workspace_id = $1) < ${MAX_RULES}
RETURNING id`;

/**
 * In the caller's transaction, with its entry. Throws `TooManyRules`, `UnknownChat`, and Postgres's
 * 23503 where the workspace has no such connector or person.
 */
export async function createRule(
  tx: Transaction,
  workspaceId: string,
  rule: NewRule,
): Promise<RuleView> {
  await assertLinked(tx, workspaceId, rule.chat);
  const [row] = await tx.query<{ id: string }>(INSERT, [workspaceId, ...columnsOf(rule)]);
  if (row === undefined) throw new TooManyRules();
  await addPeople(tx, workspaceId, row.id, rule.personIds);
  const { connectorId } = rule;
  const created = { action: "approval_rule.created", subjectId: row.id } as const;
  await recordAudit(tx, { workspaceId, ...created, details: { connectorId } });
  return made(await findRule(tx, { workspaceId, id: row.id }));
}

const columnsOf = (rule: NewRule) => [
  rule.name,
  rule.connectorId,
  JSON.stringify(rule.conditions),
  rule.approvals,
  rule.expiresAfterS,
  rule.chat?.connectorId ?? null,
  rule.chat?.chatId ?? null,
];

const GET = `/* approvals.get-rule */
SELECT ${COLUMNS} FROM approval_rules r WHERE r.workspace_id = $1 AND r.id = $2`;

/** Null when the workspace has no such rule. */
export async function findRule(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<RuleView | null> {
  const [row] = await on.query<RuleRow>(GET, [workspaceId, id]);
  return row === undefined ? null : viewOf(row);
}

const LIST = `/* approvals.list-rules */
SELECT ${COLUMNS} FROM approval_rules r
WHERE r.workspace_id = $1 AND ($2::uuid IS NULL OR r.id > $2) ORDER BY r.id LIMIT $3`;

/** By id. */
export async function listRules(
  on: Queryable,
  workspaceId: string,
  { limit, afterId }: { limit: number; afterId?: string },
): Promise<RuleView[]> {
  return (await on.query<RuleRow>(LIST, [workspaceId, afterId ?? null, limit])).map(viewOf);
}

const HOLD = `/* approvals.hold-rule */
SELECT id FROM approval_rules WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE`;
const CHANGE = `/* approvals.change-rule */
UPDATE approval_rules SET name = $3, connector_id = $4, conditions = $5, approvals = $6,
  expires_after_s = $7, chat_connector_id = $8, chat_id = $9, updated_at = now()
WHERE workspace_id = $1 AND id = $2`;
const DROP_PEOPLE = `/* approvals.drop-rule-people */
DELETE FROM approval_rule_people WHERE workspace_id = $1 AND rule_id = $2`;

/** What is given; the rest stays. As `createRule`; null when the workspace has no such rule. */
export async function changeRule(
  tx: Transaction,
  { workspaceId, id }: { workspaceId: string; id: string },
  change: Partial<NewRule>,
): Promise<RuleView | null> {
  if ((await tx.query(HOLD, [workspaceId, id])).length === 0) return null;
  const before = made(await findRule(tx, { workspaceId, id }));
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  const rule: NewRule = { ...before, ...Object.fromEntries(given) };
  if (change.chat) await assertLinked(tx, workspaceId, change.chat);
  await tx.query(CHANGE, [workspaceId, id, ...columnsOf(rule)]);
  if (change.personIds !== undefined) {
    await tx.query(DROP_PEOPLE, [workspaceId, id]);
    await addPeople(tx, workspaceId, id, change.personIds);
  }
  const details = { fields: given.map(([name]) => name) };
  await recordAudit(tx, { workspaceId, action: "approval_rule.updated", subjectId: id, details });
  return findRule(tx, { workspaceId, id });
}

const REMOVE = `/* approvals.remove-rule */
DELETE FROM approval_rules WHERE workspace_id = $1 AND id = $2 RETURNING 1`;

/** What waits by it goes on waiting, as the rule was. False when the workspace has no such rule. */
export async function removeRule(
  tx: Transaction,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<boolean> {
  if ((await tx.query(REMOVE, [workspaceId, id])).length === 0) return false;
  await recordAudit(tx, { workspaceId, action: "approval_rule.removed", subjectId: id });
  return true;
}

const ADD_PEOPLE = `/* approvals.add-rule-people */
INSERT INTO approval_rule_people (workspace_id, rule_id, person_id)
SELECT DISTINCT $1::uuid, $2::uuid, id FROM unnest($3::uuid[]) AS id`;

async function addPeople(
  tx: Queryable,
  workspaceId: string,
  ruleId: string,
  personIds: readonly string[],
): Promise<void> {
  if (personIds.length > 0) await tx.query(ADD_PEOPLE, [workspaceId, ruleId, personIds]);
}

const IS_LINKED = `/* approvals.is-linked */
SELECT 1 AS yes FROM chats
WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3 AND linked`;

async function assertLinked(
  on: Queryable,
  workspaceId: string,
  chat: NewRule["chat"],
): Promise<void> {
  if (chat === null) return;
  const rows = await on.query(IS_LINKED, [workspaceId, chat.connectorId, chat.chatId]);
  if (rows.length === 0) throw new UnknownChat();
}

function made(rule: RuleView | null): RuleView {
  if (rule === null) throw new Error("a rule that is held is gone");
  return rule;
}

export function viewOf(row: RuleRow): RuleView {
  const { chat_connector_id: connectorId, chat_id: chatId } = row;
  return {
    id: row.id,
    name: row.name,
    connectorId: row.connector_id,
    conditions: row.conditions,
    approvals: row.approvals,
    expiresAfterS: row.expires_after_s,
    personIds: row.person_ids,
    chat: connectorId === null || chatId === null ? null : { connectorId, chatId },
    createdAt: row.created_at.toISOString(),
  };
}

const IN_FORCE = `/* approvals.rules-in-force */
SELECT ${COLUMNS} FROM approval_rules r
WHERE r.workspace_id = $1 AND (r.connector_id IS NULL OR r.connector_id = $2)`;

/** Those that a message of the connector may wait by. */
export async function rulesFor(
  on: Queryable,
  { workspaceId, connectorId }: { workspaceId: string; connectorId: string },
): Promise<Rule[]> {
  return (await on.query<RuleRow>(IN_FORCE, [workspaceId, connectorId])).map(viewOf);
}
