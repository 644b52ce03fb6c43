import { fewRows, type Queryable, type Transaction } from "../platform/index.ts";
import { LeaseLost } from "./errors.ts";
import type { QueueName } from "./types.ts";

/**
 * The lease: a worker's hold on a lane, written on the lane's row.
 *
 * Promises
 * - At most one live holder a lane. Times are Postgres's; a lease that ends too far in the future
 *   (the clock went back) counts as ended, so none is immortal.
 * - A holder that lost its lease writes nothing: every commit locks the lane's row and checks owner
 *   and epoch (`fence`, `finishLanes`). Owner and epoch together, because a crash of Postgres may hand out an
 *   epoch twice, but never to the same owner.
 * - Release clears `due_at` only where `seq` is what the holder last read, so a job committed
 *   between its last look and the release is never left behind.
 * What it does not promise: that a holder notices the loss at once. Outside calls look again
 * right before they leave (the fence of the attempt's own commit).
 *
 * Every statement that locks several lanes does so in the order of their names.
 */
export interface Lease {
  queue: QueueName;
  lane: string;
  workspaceId: string;
  owner: string;
  epoch: string;
  /** Of the lane's lease before this one, whoever held it. */
  previousEpoch?: string;
  /** The last holder ended without a release: it crashed, or was cut off, with jobs in hand. */
  inherited: boolean;
  /** The lane was woken as urgent since it became due (enqueue.ts): it comes back as such. */
  urgent?: boolean;
}

export interface LeaseOptions {
  /** Process-wide unique id of the holder (UUID). */
  owner: string;
  leaseMs: number;
}

/**
 * A lease or a release that a crash of Postgres forgets harms nobody (owner and epoch are checked
 * together, and an unreleased lane runs out), so their commits do not wait for the disk. Never part
 * of a statement that runs inside a larger transaction.
 */
export const RELAXED = "CROSS JOIN (SELECT set_config('synchronous_commit', 'off', true)) relaxed";

const RENEW = `/* jobs.renew */
WITH names AS MATERIALIZED (
  SELECT n, queue, lane, epoch
  FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[]) AS n(n, queue, lane, epoch)
  ${fewRows("$1")}
), own AS MATERIALIZED (
  SELECT n.n, l.queue, l.lane, l.epoch FROM names n
  JOIN lanes l ON l.queue = n.queue AND l.lane = n.lane AND l.epoch = n.epoch
  WHERE l.owner = $5
), free AS (
  SELECT l.queue, l.lane, l.epoch FROM own o
  JOIN lanes l ON l.queue = o.queue AND l.lane = o.lane AND l.epoch = o.epoch
  WHERE l.owner = $5
  FOR NO KEY UPDATE OF l SKIP LOCKED
), renewed AS (
  UPDATE lanes l SET lease_until = now() + $6 * interval '1 ms'
  FROM free
  WHERE l.queue = free.queue AND l.lane = free.lane AND l.epoch = free.epoch AND l.owner = $5
  RETURNING l.queue, l.lane
)
SELECT o.n, EXISTS (
  SELECT FROM renewed r WHERE r.queue = o.queue AND r.lane = o.lane
) AS renewed FROM own o`;

/** What a heartbeat came to. */
export interface Renewal {
  renewed: Set<Lease>;
  /** Still held, but somebody has the row locked at the moment: to be renewed by the next heartbeat. */
  busy: Set<Lease>;
}

/**
 * Renews leases; what is in neither set is lost. A row that is locked is left out: one enqueue that
 * takes its time would else have every lease of this process run out.
 */
export async function renewLeases(
  on: Queryable,
  leases: Lease[],
  { owner, leaseMs }: LeaseOptions,
): Promise<Renewal> {
  const rows = await on.query<{ n: number; renewed: boolean }>(RENEW, [
    leases.map((_, n) => n),
    leases.map((lease) => lease.queue),
    leases.map((lease) => lease.lane),
    leases.map((lease) => lease.epoch),
    owner,
    leaseMs,
  ]);
  const ofRows = (renewed: boolean) =>
    new Set(rows.filter((row) => row.renewed === renewed).flatMap((row) => leases[row.n] ?? []));
  return { renewed: ofRows(true), busy: ofRows(false) };
}

const FENCE = `/* jobs.fence */
WITH names AS MATERIALIZED (
  SELECT $1::text AS queue, lane, epoch FROM unnest($2::text[], $3::bigint[]) AS n(lane, epoch)
  ${fewRows("$2")}
)
SELECT l.lane FROM names n
JOIN lanes l ON l.queue = n.queue AND l.lane = n.lane AND l.epoch = n.epoch
WHERE l.owner = $4
ORDER BY l.lane
FOR NO KEY UPDATE OF l`;

/**
 * Locks the rows of lanes until the transaction ends and answers the names of those whose lease is
 * still this holder's. What is written for the others must not be written.
 */
export async function fence(tx: Transaction, leases: Lease[]): Promise<Set<string>> {
  const first = leases[0];
  if (first === undefined) return new Set();
  const rows = await tx.query<{ lane: string }>(FENCE, [
    first.queue,
    leases.map((lease) => lease.lane),
    leases.map((lease) => lease.epoch),
    first.owner,
  ]);
  return new Set(rows.map((row) => row.lane));
}

/** Locks a lane's row until the transaction ends. Throws `LeaseLost`. */
export async function mustHold(tx: Transaction, lease: Lease): Promise<void> {
  const held = await fence(tx, [lease]);
  if (!held.has(lease.lane)) throw new LeaseLost(`lane ${lease.lane} has another holder`);
}

const LATEST = `/* jobs.latest-holder */
SELECT epoch <= $3::bigint AS "isLatest" FROM lanes WHERE queue = $1 AND lane = $2
FOR NO KEY UPDATE`;

/**
 * Whether nobody has taken the lane since the lease of that epoch, be it handed back or not; nobody
 * does until the transaction ends. For what a holder has learned and keeps when it has ended.
 */
export async function isLatestHolder(
  tx: Transaction,
  { queue, lane, epoch }: Pick<Lease, "queue" | "lane" | "epoch">,
): Promise<boolean> {
  const [row] = await tx.query<{ isLatest: boolean }>(LATEST, [queue, lane, epoch]);
  return row?.isLatest ?? true;
}

/** How a lane is handed back. */
export interface Release {
  lease: Lease;
  /** `seq` as the last claim read it. */
  seq: string;
  /**
   * When the lane has something to do again: ms from now, null when nothing is left,
   * `"unchanged"` when the holder only ends its turn.
   */
  dueInMs: number | null | "unchanged";
}

const RELEASE = `/* jobs.release */
WITH ended AS MATERIALIZED (
  SELECT $1::text AS queue, lane, epoch, seq, due_in_ms, keep
  FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::double precision[], $6::boolean[])
    AS r(lane, epoch, seq, due_in_ms, keep) ${fewRows("$2")}
), done AS (
  SELECT l.queue, l.lane, r.due_in_ms, r.keep FROM ended r
  JOIN lanes l ON l.queue = r.queue AND l.lane = r.lane AND l.epoch = r.epoch
  WHERE l.owner = $7 AND (r.keep OR l.seq = r.seq)
  ORDER BY l.lane
  FOR NO KEY UPDATE OF l
)
UPDATE lanes l
SET owner = NULL, lease_until = NULL,
  due_at = CASE WHEN done.keep THEN l.due_at
    ELSE now() + done.due_in_ms * interval '1 ms' END
FROM done ${RELAXED} WHERE l.queue = done.queue AND l.lane = done.lane
RETURNING l.lane`;

/**
 * Releases lanes of one queue and one owner. Answers the names of those released; a lane that is
 * missing has news since the claim (claim again), or is no longer held. Never inside a transaction
 * that must be durable.
 */
export async function releaseLeases(on: Queryable, releases: Release[]): Promise<Set<string>> {
  const first = releases[0];
  if (first === undefined) return new Set();
  const rows = await on.query<{ lane: string }>(RELEASE, [
    first.lease.queue,
    releases.map((release) => release.lease.lane),
    releases.map((release) => release.lease.epoch),
    releases.map((release) => release.seq),
    releases.map((release) => (release.dueInMs === "unchanged" ? null : release.dueInMs)),
    releases.map((release) => release.dueInMs === "unchanged"),
    first.lease.owner,
  ]);
  return new Set(rows.map((row) => row.lane));
}
