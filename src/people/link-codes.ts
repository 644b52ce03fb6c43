import { randomInt } from "node:crypto";
import { recordAudit } from "../audit/index.ts";
import { fewRows, type Queryable, sha256, type Transaction } from "../platform/index.ts";

/**
 * Codes that link groups, as people copy or type them: Crockford's 32 characters, in which nothing
 * looks like anything else. Twelve are 60 bits, so that SHA-256 alone is enough, without a key that
 * every process would have to hold: whoever reads the table cannot try them all within a code's life
 * of a day at most, and whoever types has ten tries an hour.
 */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = 12;
const GROUP = 4;

function newCode(): string {
  const letters = Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)] ?? "");
  const groups = Array.from({ length: LENGTH / GROUP }, (_, n) =>
    letters.slice(n * GROUP, (n + 1) * GROUP).join(""),
  );
  return groups.join("-");
}

/**
 * SHA-256, in hex, of what was typed, whichever way: case and dashes play no part, O is 0, I and L
 * are 1. Null for what can be no code.
 */
export function linkCodeHash(typed: string): string | null {
  const plain = typed.toUpperCase().replaceAll("-", "").replaceAll("O", "0").replace(/[IL]/g, "1");
  const isCode = plain.length === LENGTH && [...plain].every((char) => ALPHABET.includes(char));
  return isCode ? sha256(plain).toString("hex") : null;
}

export type ChatPurpose = "support" | "compliance";

export interface NewLinkCode {
  /** Shown once: only its hash is kept. */
  code: string;
  expiresAt: string;
}

const DROP_EXPIRED = `/* people.drop-codes */
DELETE FROM chat_link_codes WHERE workspace_id = $1 AND ctid = ANY (ARRAY(
  SELECT ctid FROM chat_link_codes
  WHERE workspace_id = $1 AND connector_id = $2 AND expires_at < now() - interval '1 day'
  LIMIT 1000 FOR UPDATE SKIP LOCKED))`;

const INSERT = `/* people.insert-code */
INSERT INTO chat_link_codes (workspace_id, connector_id, code_hash, purpose, expires_at)
VALUES ($1, $2, decode($3, 'hex'), $4, now() + $5 * interval '1 min') RETURNING expires_at`;

/**
 * Makes a code that links one group. In the caller's transaction, with its entry. Throws Postgres's
 * foreign key error (23503) when the workspace has no such connector.
 */
export async function createLinkCode(
  tx: Queryable,
  wanted: {
    workspaceId: string;
    connectorId: string;
    purpose: ChatPurpose | null;
    expiresInMinutes: number;
  },
): Promise<NewLinkCode> {
  const { workspaceId, connectorId, purpose, expiresInMinutes } = wanted;
  await tx.query(DROP_EXPIRED, [workspaceId, connectorId]);
  const code = newCode();
  const [row] = await tx.query<{ expires_at: Date }>(INSERT, [
    workspaceId,
    connectorId,
    linkCodeHash(code),
    purpose,
    expiresInMinutes,
  ]);
  if (row === undefined) throw new Error("an insert without a condition gave no row");
  const expiresAt = row.expires_at.toISOString();
  const details = { purpose, expiresAt };
  const created = { action: "connector.code_created", subjectId: connectorId } as const;
  await recordAudit(tx, { workspaceId, ...created, details });
  return { code, expiresAt };
}

/** A code, held until the transaction ends. */
export interface HeldCode {
  workspaceId: string;
  connectorId: string;
  /** SHA-256, in hex. */
  hash: string;
  purpose: ChatPurpose | null;
  expiresAtMs: number;
  workspaceName: string;
}

type CodeKey = Pick<HeldCode, "workspaceId" | "connectorId" | "hash">;

/** Of two groups that use one code in the same moment the second waits here, and finds it gone. */
const HOLD = `/* people.hold-codes */
SELECT c.workspace_id, c.connector_id, encode(c.code_hash, 'hex') AS hash, c.purpose,
  (extract(epoch FROM c.expires_at) * 1000)::float8 AS expires_at_ms, w.name AS workspace_name
FROM (
  SELECT workspace_id, connector_id, decode(hash, 'hex') AS code_hash
  FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS k(workspace_id, connector_id, hash)
  ${fewRows("$1")}
) k
JOIN chat_link_codes c USING (workspace_id, connector_id, code_hash)
JOIN workspaces w ON w.id = c.workspace_id
ORDER BY c.workspace_id, c.id FOR UPDATE OF c`;

/** The codes asked for that there are; the keys are distinct. */
export async function holdLinkCodes(
  tx: Transaction,
  keys: readonly CodeKey[],
): Promise<HeldCode[]> {
  const rows = await tx.query<{
    workspace_id: string;
    connector_id: string;
    hash: string;
    purpose: ChatPurpose | null;
    expires_at_ms: number;
    workspace_name: string;
  }>(HOLD, codeColumns(keys));
  return rows.map((row) => ({
    workspaceId: row.workspace_id,
    connectorId: row.connector_id,
    hash: row.hash,
    purpose: row.purpose,
    expiresAtMs: row.expires_at_ms,
    workspaceName: row.workspace_name,
  }));
}

const USE = `/* people.use-codes */
DELETE FROM chat_link_codes c
USING (
  SELECT workspace_id, connector_id, decode(hash, 'hex') AS code_hash
  FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS k(workspace_id, connector_id, hash)
  ${fewRows("$1")}
) k
WHERE c.workspace_id = k.workspace_id AND c.connector_id = k.connector_id
  AND c.code_hash = k.code_hash`;

/** Uses codes up that are held. */
export async function useLinkCodes(tx: Transaction, keys: readonly CodeKey[]): Promise<void> {
  if (keys.length > 0) await tx.query(USE, codeColumns(keys));
}

const codeColumns = (keys: readonly CodeKey[]) => [
  keys.map(({ workspaceId }) => workspaceId),
  keys.map(({ connectorId }) => connectorId),
  keys.map(({ hash }) => hash),
];
