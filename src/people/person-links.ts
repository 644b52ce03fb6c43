import { recordAudit } from "../audit/index.ts";
import { fewRows, type Queryable, sha256, type Transaction } from "../platform/index.ts";
import { newStartToken } from "./start-token.ts";

/** A week: a link is sent to somebody, and somebody else may find it later. */
export const MAX_LINK_HOURS = 168;

export interface NewPersonLink {
  /** Shown once: only its hash is kept. */
  token: string;
  expiresAt: string;
}

/** Whoever binds, unbinds or removes the person waits for this, or has come first. */
const HOLD_PERSON = `/* people.hold */
SELECT 1 AS one FROM people WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE`;

/** Its offers go with it. */
const REPLACE = `/* people.drop-link */
DELETE FROM person_links WHERE workspace_id = $1 AND person_id = $2`;

const INSERT = `/* people.insert-link */
INSERT INTO person_links (workspace_id, person_id, connector_id, token_hash, expires_at)
VALUES ($1, $2, $3, $4, now() + $5 * interval '1 h') RETURNING expires_at`;

/**
 * Makes a link by which an account becomes this person's; the one before is void. In the caller's
 * transaction, with its entry; null when the workspace has no such person. Throws Postgres's foreign
 * key error (23503) when it has no such connector.
 */
export async function createPersonLink(
  tx: Queryable,
  link: { workspaceId: string; personId: string; connectorId: string; expiresInHours: number },
): Promise<NewPersonLink | null> {
  const { workspaceId, personId, connectorId, expiresInHours } = link;
  if ((await tx.query(HOLD_PERSON, [workspaceId, personId])).length === 0) return null;
  await tx.query(REPLACE, [workspaceId, personId]);
  const token = newStartToken();
  const [row] = await tx.query<{ expires_at: Date }>(INSERT, [
    workspaceId,
    personId,
    connectorId,
    sha256(token),
    expiresInHours,
  ]);
  if (row === undefined) throw new Error("an insert without a condition gave no row");
  const expiresAt = row.expires_at.toISOString();
  const details = { connectorId, expiresAt };
  await recordAudit(tx, {
    workspaceId,
    action: "person.link_created",
    subjectId: personId,
    details,
  });
  return { token, expiresAt };
}

/** A link, held until the transaction ends. */
export interface HeldLink {
  id: string;
  workspaceId: string;
  /** Whose bot it was made for: it opens at no other. */
  connectorId: string;
  /** SHA-256 of its token, in hex. */
  tokenHash: string;
  expiresAtMs: number;
  /** The account that confirmed it. */
  usedBy: string | null;
  /** Accounts that were asked whether that is them. */
  offeredTo: string[];
  workspaceName: string;
  person: {
    id: string;
    name: string;
    agentEnabled: boolean;
    telegramUserId: string | null;
  };
}

/** What updates ask for: a link by its token, or by its id on a button. */
export interface LinkQuery {
  workspaceId: string;
  connectorId: string;
  /** SHA-256 of a token, in hex. */
  tokenHash?: string;
  id?: string;
}

/**
 * Both rows are locked: whoever confirms second reads what the first one did, and a person that is
 * removed meanwhile takes the link along. In one order, so that two transactions never wait in a ring.
 * OFFSET 0 and the limit: each is looked up by its key, whatever the planner believes of the table.
 */
const HOLD = `/* people.hold-links */
WITH wanted AS MATERIALIZED (
  SELECT k.workspace_id, k.id
  FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS q(workspace_id, connector_id, token_hash)
  CROSS JOIN LATERAL (
    SELECT * FROM person_links WHERE token_hash = decode(q.token_hash, 'hex') OFFSET 0
  ) k
  WHERE k.workspace_id = q.workspace_id AND k.connector_id = q.connector_id
  UNION
  SELECT k.workspace_id, k.id
  FROM unnest($4::uuid[], $5::uuid[], $6::uuid[]) AS q(workspace_id, connector_id, id)
  CROSS JOIN LATERAL (
    SELECT * FROM person_links WHERE workspace_id = q.workspace_id AND id = q.id OFFSET 0
  ) k
  WHERE k.connector_id = q.connector_id
)
SELECT l.id, l.workspace_id, l.connector_id, encode(l.token_hash, 'hex') AS token_hash,
  (extract(epoch FROM l.expires_at) * 1000)::float8 AS expires_at_ms, l.used_by,
  p.id AS person_id, p.name, p.agent_enabled, p.telegram_user_id
FROM (
  SELECT * FROM wanted LIMIT (SELECT cardinality($1) + cardinality($4))
) w
JOIN person_links l ON l.workspace_id = w.workspace_id AND l.id = w.id
JOIN people p ON p.workspace_id = l.workspace_id AND p.id = l.person_id
ORDER BY l.workspace_id, l.id FOR NO KEY UPDATE OF p, l`;

/** Read once the links are held: an offer is only made under that lock. */
const READ_OFFERS = `/* people.read-offers */
SELECT l.id, w.name AS workspace_name, coalesce(array_agg(o.telegram_user_id::text)
    FILTER (WHERE o.telegram_user_id IS NOT NULL), '{}') AS offered_to
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS l(workspace_id, id) ${fewRows("$1")}
) l
JOIN workspaces w ON w.id = l.workspace_id
LEFT JOIN person_link_offers o ON o.workspace_id = l.workspace_id AND o.link_id = l.id
GROUP BY l.id, w.name`;

interface HeldRow {
  id: string;
  workspace_id: string;
  connector_id: string;
  token_hash: string;
  expires_at_ms: number;
  used_by: string | null;
  person_id: string;
  name: string;
  agent_enabled: boolean;
  telegram_user_id: string | null;
}

/** The links asked for that there are, each once, held with their people until the transaction ends. */
export async function holdPersonLinks(
  tx: Transaction,
  queries: readonly LinkQuery[],
): Promise<HeldLink[]> {
  const byToken = queries.filter(({ tokenHash }) => tokenHash !== undefined);
  const byId = queries.filter(({ id }) => id !== undefined);
  const rows = await tx.query<HeldRow>(HOLD, [
    byToken.map(({ workspaceId }) => workspaceId),
    byToken.map(({ connectorId }) => connectorId),
    byToken.map(({ tokenHash }) => tokenHash),
    byId.map(({ workspaceId }) => workspaceId),
    byId.map(({ connectorId }) => connectorId),
    byId.map(({ id }) => id),
  ]);
  if (rows.length === 0) return [];
  const offers = await tx.query<{ id: string; workspace_name: string; offered_to: string[] }>(
    READ_OFFERS,
    [rows.map((row) => row.workspace_id), rows.map((row) => row.id)],
  );
  const offersOf = new Map(offers.map((row) => [row.id, row]));
  return rows.map((row) => ({
    id: row.id,
    workspaceId: row.workspace_id,
    connectorId: row.connector_id,
    tokenHash: row.token_hash,
    expiresAtMs: row.expires_at_ms,
    usedBy: row.used_by,
    offeredTo: offersOf.get(row.id)?.offered_to ?? [],
    workspaceName: offersOf.get(row.id)?.workspace_name ?? "",
    person: {
      id: row.person_id,
      name: row.name,
      agentEnabled: row.agent_enabled,
      telegramUserId: row.telegram_user_id,
    },
  }));
}
