import { fewRows, type Queryable, type Transaction } from "../platform/index.ts";

/**
 * The lease: which process asks for a bot's updates, written on the bot's row of `polled_bots`.
 *
 * Promises
 * - At most one live holder a bot. Times are Postgres's; a lease that ends too far in the future
 *   (the clock went back) counts as ended, so none is immortal.
 * - A holder that lost its lease stores nothing: each batch is committed under `guard`, which locks
 *   the row against a successor until the commit. Owner and epoch together name a hold, since a
 *   crash of Postgres may hand out an epoch twice, but never to the same owner.
 * What it does not promise: that a former holder sends no request any more. Telegram ends the older
 * of two requests itself, and what both of them brought is stored once, by its key.
 */
export interface PollLease {
  workspaceId: string;
  connectorId: string;
  owner: string;
  epoch: string;
}

/** The bot has another holder now, or is not connected any more: nothing of it may be stored. */
export class NotHeld extends Error {
  override name = "NotHeld";
}

/** A bot as whoever took its lease finds it. */
export interface TakenBot {
  lease: PollLease;
  username: string | null;
  /** The row says that Telegram sends its updates to a webhook of this installation. */
  hasWebhook: boolean;
  /** How long it is to be left alone, in ms. */
  heldMs: number;
}

/** Rows of bots that were connected since: what is locked below must be there. */
const ENROL = `/* polling.enrol */
INSERT INTO polled_bots (workspace_id, connector_id)
SELECT c.workspace_id, c.id FROM connectors c
WHERE c.status = 'active' AND NOT EXISTS (
  SELECT 1 FROM polled_bots p WHERE p.workspace_id = c.workspace_id AND p.connector_id = c.id)
ORDER BY 1, 2 ON CONFLICT DO NOTHING`;

/**
 * Some of those that nobody holds, any of them: processes that ask in the same moment don't all
 * reach for the same. A row that is locked (by a holder that stands still in the middle of a commit)
 * is left out: whoever waited for it would miss the renewal of its own.
 */
const TAKE = `/* polling.take */
WITH free AS MATERIALIZED (
  SELECT p.workspace_id, p.connector_id FROM polled_bots p
  JOIN connectors c ON c.workspace_id = p.workspace_id AND c.id = p.connector_id
  WHERE c.status = 'active' AND c.id <> ALL ($4::uuid[])
    AND (p.lease_until IS NULL OR p.lease_until < now()
      OR p.lease_until > now() + 2 * $2 * interval '1 ms')
  ORDER BY random() LIMIT $3
  FOR NO KEY UPDATE OF p SKIP LOCKED
), taken AS (
  UPDATE polled_bots p
  SET owner = $1, epoch = p.epoch + 1, lease_until = now() + $2 * interval '1 ms',
    trouble = NULL, trouble_since = NULL
  FROM free WHERE p.workspace_id = free.workspace_id AND p.connector_id = free.connector_id
  RETURNING p.workspace_id, p.connector_id, p.epoch, p.held_until
)
SELECT t.workspace_id, t.connector_id, t.epoch, c.username, c.webhook_url IS NOT NULL AS has_webhook,
  greatest(0, extract(epoch FROM t.held_until - now()) * 1000)::float8 AS held_ms
FROM taken t
JOIN connectors c ON c.workspace_id = t.workspace_id AND c.id = t.connector_id`;

export interface TakeWish {
  owner: string;
  leaseMs: number;
  limit: number;
  /** Not these: this process is still at them. */
  except: readonly string[];
}

/** Takes the leases of bots that are active and that nobody holds. */
export async function takeBots(
  on: Queryable,
  { owner, leaseMs, limit, except }: TakeWish,
): Promise<TakenBot[]> {
  await on.query(ENROL);
  const rows = await on.query<{
    workspace_id: string;
    connector_id: string;
    epoch: string;
    username: string;
    has_webhook: boolean;
    held_ms: number | null;
  }>(TAKE, [owner, leaseMs, limit, except]);
  return rows.map((row) => ({
    lease: {
      workspaceId: row.workspace_id,
      connectorId: row.connector_id,
      owner,
      epoch: row.epoch,
    },
    username: row.username || null,
    hasWebhook: row.has_webhook,
    heldMs: row.held_ms ?? 0,
  }));
}

const NAMED = `named AS MATERIALIZED (
  SELECT workspace_id, connector_id, epoch
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS n(workspace_id, connector_id, epoch)
  ${fewRows("$1")}
)`;
const OWN = `n.workspace_id = p.workspace_id AND n.connector_id = p.connector_id
  AND n.epoch = p.epoch AND p.owner = $4`;

/** All of one owner. */
const namesOf = (leases: readonly PollLease[]) => [
  leases.map((lease) => lease.workspaceId),
  leases.map((lease) => lease.connectorId),
  leases.map((lease) => lease.epoch),
  leases[0]?.owner,
];

const LOOK = `/* polling.look */
WITH ${NAMED}
SELECT p.connector_id, c.webhook_url IS NOT NULL AS has_webhook
FROM named n JOIN polled_bots p ON ${OWN}
JOIN connectors c ON c.workspace_id = p.workspace_id AND c.id = p.connector_id
WHERE c.status = 'active'`;

/** Of these bots, those to go on with: still held, still active; and which have a webhook (again). */
export async function lookAtBots(
  on: Queryable,
  leases: readonly PollLease[],
): Promise<Map<string, { hasWebhook: boolean }>> {
  if (leases.length === 0) return new Map();
  const rows = await on.query<{ connector_id: string; has_webhook: boolean }>(
    LOOK,
    namesOf(leases),
  );
  return new Map(rows.map((row) => [row.connector_id, { hasWebhook: row.has_webhook }]));
}

/** A row that is locked (a batch is being committed) is left to the next time: see `renewBots`. */
const RENEW = `/* polling.renew */
WITH ${NAMED}, free AS (
  SELECT p.workspace_id, p.connector_id FROM named n JOIN polled_bots p ON ${OWN}
  FOR NO KEY UPDATE OF p SKIP LOCKED
)
UPDATE polled_bots p SET lease_until = now() + $5 * interval '1 ms'
FROM free WHERE p.workspace_id = free.workspace_id AND p.connector_id = free.connector_id
RETURNING p.connector_id`;

/** Renews leases; answers the connectors whose lease lasts `leaseMs` from now. */
export async function renewBots(
  on: Queryable,
  leases: readonly PollLease[],
  leaseMs: number,
): Promise<Set<string>> {
  if (leases.length === 0) return new Set();
  const rows = await on.query<{ connector_id: string }>(RENEW, [...namesOf(leases), leaseMs]);
  return new Set(rows.map((row) => row.connector_id));
}

const RELEASE = `/* polling.release */
WITH ${NAMED}, own AS (
  SELECT p.workspace_id, p.connector_id FROM named n JOIN polled_bots p ON ${OWN}
  ORDER BY 1, 2 FOR NO KEY UPDATE OF p
)
UPDATE polled_bots p
SET owner = NULL, lease_until = NULL, trouble = NULL, trouble_since = NULL
FROM own WHERE p.workspace_id = own.workspace_id AND p.connector_id = own.connector_id`;

/** Hands bots back: the next process that looks takes them at once. */
export async function releaseBots(on: Queryable, leases: readonly PollLease[]): Promise<void> {
  if (leases.length > 0) await on.query(RELEASE, namesOf(leases));
}

const GUARD = `/* polling.guard */
SELECT 1 AS yes FROM polled_bots p
JOIN connectors c ON c.workspace_id = p.workspace_id AND c.id = p.connector_id
WHERE p.workspace_id = $1 AND p.connector_id = $2 AND p.epoch = $3 AND p.owner = $4
  AND c.status = 'active'
FOR SHARE OF p`;

/** Keeps others from taking the bot until the transaction ends. Throws `NotHeld`. */
export async function guard(
  tx: Transaction,
  { workspaceId, connectorId, epoch, owner }: PollLease,
): Promise<void> {
  const held = await tx.query(GUARD, [workspaceId, connectorId, epoch, owner]);
  if (held.length === 0) throw new NotHeld(`bot ${connectorId} is not this process's any more`);
}

const SAVE_TROUBLE = `/* polling.trouble */
UPDATE polled_bots SET trouble = $5,
  trouble_since = CASE WHEN $5::text IS NOT NULL THEN coalesce(trouble_since, now()) END,
  held_until = now() + $6 * interval '1 ms'
WHERE workspace_id = $1 AND connector_id = $2 AND epoch = $3 AND owner = $4`;

/** Writes down why a bot's updates may not come, and how long it is to be left alone; null: nothing. */
export async function saveTrouble(
  on: Queryable,
  { workspaceId, connectorId, epoch, owner }: PollLease,
  trouble: string | null,
  heldMs: number | null,
): Promise<void> {
  await on.query(SAVE_TROUBLE, [workspaceId, connectorId, epoch, owner, trouble, heldMs]);
}
