import { recordAudit } from "../audit/index.ts";
import { newApiKey, Problem, type Queryable, sha256, type Transactor } from "../platform/index.ts";
import { type KeyGrant, type KeyScope, refusedGrant } from "./key-scopes.ts";

/** A key as it is listed: never the key itself, of which only the SHA-256 is kept. */
export interface ApiKeyView {
  id: string;
  name: string;
  scopes: KeyScope[];
  createdAt: string;
  expiresAt: string | null;
  /** To the hour. */
  lastUsedAt: string | null;
}

/** Shown once. */
export type NewApiKey = ApiKeyView & { apiKey: string };

/** Who calls with a key. */
export interface KeyHolder {
  workspaceId: string;
  keyId: string;
  scopes: KeyScope[];
  /** In ms; null: it does not expire. Longer than a day counts as a day. */
  expiresInMs: number | null;
}

interface KeyRow {
  id: string;
  name: string;
  scopes: KeyScope[];
  created_at: Date;
  expires_at: Date | null;
  last_used_at: Date | null;
}

const COLUMNS = "id, name, scopes, created_at, expires_at, last_used_at";
const VALID = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())";

const INSERT = `/* connectors.insert-key */
INSERT INTO api_keys (workspace_id, key_hash, name, scopes, expires_at)
SELECT w.id, $2, $3, $4, $5 FROM workspaces w WHERE w.id = $1
RETURNING ${COLUMNS}`;

/** Whoever revokes the granting key waits for this, or has come first. */
const HOLD_GRANTER = `/* connectors.hold-granting-key */
SELECT scopes, expires_at FROM api_keys
WHERE workspace_id = $1 AND id = $2 AND ${VALID} FOR SHARE`;

export interface KeyRequest extends KeyGrant {
  workspaceId: string;
  /** In the caller's words, to tell it from others. */
  name: string;
  /** The key that asks; null: the administrator, who may grant everything. */
  grantedBy: string | null;
}

/** Null when there is no such workspace. Throws `Problem` 403 for more than the granting key has. */
export async function createApiKey(db: Transactor, request: KeyRequest): Promise<NewApiKey | null> {
  return db.transaction(async (tx) => {
    if (request.grantedBy !== null) await assertMayGrant(tx, request, request.grantedBy);
    return insertApiKey(tx, request);
  });
}

async function assertMayGrant(tx: Queryable, wanted: KeyRequest, keyId: string): Promise<void> {
  const [row] = await tx.query<{ scopes: KeyScope[]; expires_at: Date | null }>(HOLD_GRANTER, [
    wanted.workspaceId,
    keyId,
  ]);
  const refused =
    row === undefined
      ? "The key that asks has been revoked, or has expired."
      : refusedGrant({ scopes: row.scopes, expiresAt: row.expires_at }, wanted);
  if (refused !== null) throw new Problem(403, "Not allowed", refused);
}

/** In the caller's transaction, with its entry in the audit log. */
export async function insertApiKey(
  tx: Queryable,
  { workspaceId, name, scopes, expiresAt }: Omit<KeyRequest, "grantedBy">,
): Promise<NewApiKey | null> {
  const apiKey = newApiKey();
  const [row] = await tx.query<KeyRow>(INSERT, [
    workspaceId,
    sha256(apiKey),
    name,
    [...new Set(scopes)],
    expiresAt,
  ]);
  if (row === undefined) return null;
  await recordAudit(tx, {
    workspaceId,
    action: "key.created",
    subjectId: row.id,
    details: { scopes: row.scopes, expiresAt: row.expires_at?.toISOString() ?? null },
  });
  return { ...view(row), apiKey };
}

/** Those that were not revoked, expired ones too, by id. */
export async function listApiKeys(
  on: Queryable,
  workspaceId: string,
  { limit, afterId }: { limit: number; afterId?: string },
): Promise<ApiKeyView[]> {
  const rows = await on.query<KeyRow>(
    `/* connectors.list-keys */
     SELECT ${COLUMNS} FROM api_keys
     WHERE workspace_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR id > $2)
     ORDER BY id LIMIT $3`,
    [workspaceId, afterId ?? null, limit],
  );
  return rows.map(view);
}

const REVOKE = `/* connectors.revoke-key */
UPDATE api_keys SET revoked_at = now()
WHERE id = $1 AND ($2::uuid IS NULL OR workspace_id = $2) AND revoked_at IS NULL
RETURNING workspace_id`;

/**
 * False when there is no such key, or none any more. `workspaceId` undefined: of any workspace. Every
 * process refuses the key within a second.
 */
export async function revokeApiKey(
  db: Transactor,
  { workspaceId, id }: { workspaceId?: string; id: string },
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const [row] = await tx.query<{ workspace_id: string }>(REVOKE, [id, workspaceId ?? null]);
    if (row === undefined) return false;
    await recordAudit(tx, {
      workspaceId: row.workspace_id,
      action: "key.revoked",
      subjectId: id,
    });
    return true;
  });
}

const FIND = `/* connectors.find-key */
SELECT workspace_id, id, scopes,
  (extract(epoch FROM least(expires_at, now() + interval '1 day') - clock_timestamp()) * 1000)
    ::float8 AS expires_in_ms,
  expires_at IS NULL AS for_ever,
  coalesce(last_used_at < now() - interval '1 h', true) AS use_is_news
FROM api_keys WHERE key_hash = $1 AND ${VALID}`;

const USED = `/* connectors.key-used */
UPDATE api_keys SET last_used_at = now()
WHERE workspace_id = $1 AND id = $2 AND coalesce(last_used_at < now() - interval '1 h', true)`;

interface FoundKey {
  workspace_id: string;
  id: string;
  scopes: KeyScope[];
  expires_in_ms: number;
  for_ever: boolean;
  use_is_news: boolean;
}

/** Who has this key; null when there is no such key (any more). */
export async function findKeyHolder(on: Queryable, apiKey: string): Promise<KeyHolder | null> {
  const [row] = await on.query<FoundKey>(FIND, [sha256(apiKey)]);
  if (row === undefined) return null;
  // That it was used is worth a try, not a failed call.
  if (row.use_is_news) await on.query(USED, [row.workspace_id, row.id]).catch(() => {});
  return {
    workspaceId: row.workspace_id,
    keyId: row.id,
    scopes: row.scopes,
    expiresInMs: row.for_ever ? null : row.expires_in_ms,
  };
}

function view(row: KeyRow): ApiKeyView {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  };
}
