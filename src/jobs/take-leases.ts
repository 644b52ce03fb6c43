import { fewRows, type Queryable } from "../platform/index.ts";
import { BODY, type Claim, type ClaimRow, claimsByLane, jobsInOrder } from "./claim.ts";
import { type Lease, type LeaseOptions, RELAXED } from "./lease.ts";
import { NOT_PAUSED } from "./paused-queues.ts";
import type { QueueName } from "./types.ts";

/** What a drain begins with. */
export interface TakenLane {
  lease: Lease;
  /** The lane's first jobs, read by the same statement; null: claim apart. */
  firstClaim: Claim | null;
}

export interface TakeOptions extends LeaseOptions {
  /** Most jobs that a first claim of a lane holds, in their order; 0: leases only. */
  claimLimit: number;
}

/**
 * Takes leases, and reads what is first in those lanes, in one statement.
 *
 * The trap: a statement has one snapshot, made before it waits for a lane's row. The row itself is
 * read again once it is locked (and its conditions are checked again); the jobs are those of the
 * snapshot. What an insert or a former holder committed meanwhile is not in them. So a claim is only
 * given out where nothing happened to the lane between the snapshot and the lock: `seen` is the row
 * as the snapshot has it, which this very statement's update does not change, and it must be the row
 * that was locked.
 *
 * - `seq` is the same: nothing was inserted and nothing was changed by hand; both raise it, under
 *   the lane's row, in the transaction of the jobs.
 * - It had no owner in the snapshot, and `epoch` is the same: nobody took it meanwhile, since each
 *   lease draws a new epoch. So no fence was passed either, and what completes, marks, unmarks or
 *   puts off a job of the lane passes one first. Nor is such a transaction still open from before the
 *   snapshot: it holds the lane's row until it ends, and the release, by which the owner went, needed
 *   the row.
 *
 * An owner in the snapshot is one who died or stands still, and proves nothing: a commit that keeps
 * its lease locks the row and leaves it as it is, and so would pass for nothing having happened. Such
 * a lane is claimed apart. What is written without a lease (the outcome of an outside call) may come
 * at any time after any claim, and is told by the job's own row.
 *
 * Due is what is due when the jobs are read, not when the statement began, which may be a wait ago.
 */
const TAKE = `/* jobs.lease */
WITH names AS MATERIALIZED (
  SELECT $1::text AS queue, lane FROM unnest($2::text[]) AS n(lane) ${fewRows("$2")}
), free AS (
  SELECT l.queue, l.lane, l.owner IS NOT NULL AS inherited, l.epoch AS former_epoch
  FROM names n JOIN lanes l ON l.queue = n.queue AND l.lane = n.lane
  WHERE l.due_at <= clock_timestamp()
    AND (l.lease_until IS NULL OR l.lease_until < now()
      OR l.lease_until > now() + 2 * $4 * interval '1 ms')
    AND ${NOT_PAUSED("$1")}
  ORDER BY l.lane
  FOR NO KEY UPDATE OF l
), taken AS (
  UPDATE lanes l
  SET owner = $3, epoch = nextval('lease_epochs'), lease_until = now() + $4 * interval '1 ms'
  FROM free ${RELAXED}
  WHERE l.queue = free.queue AND l.lane = free.lane
  RETURNING l.queue, l.lane, l.workspace_id, l.epoch, l.seq, l.urgent_seq >= l.due_seq AS urgent,
    free.inherited, free.former_epoch
)
SELECT t.lane AS of_lane, t.workspace_id AS of_workspace, t.epoch, t.former_epoch, t.urgent,
  t.inherited, seen.seq,
  clock_timestamp()::text AS claimed_at, j.*, b.body
FROM taken t
LEFT JOIN LATERAL (
  SELECT l.queue, l.lane, l.seq FROM lanes l
  WHERE $5 > 0 AND l.queue = t.queue AND l.lane = t.lane
    AND l.seq = t.seq AND l.owner IS NULL AND l.epoch = t.former_epoch OFFSET 0
) seen ON true
LEFT JOIN LATERAL (${jobsInOrder("seen", "$5", "clock_timestamp()")}) j ON true
${BODY}
ORDER BY t.lane, j.id`;

type TakenRow = Omit<ClaimRow, "seq"> & {
  of_workspace: string;
  epoch: string;
  former_epoch: string;
  inherited: boolean;
  urgent: boolean;
  seq: string | null;
};

/**
 * Rows are sent while the lanes are locked. So many, of about a kilobyte each, fit into a connection's
 * buffers: a process that stands still before it has read them must not keep receivers from its lanes.
 */
const MAX_FIRST_JOBS = 128;

/**
 * Takes the leases of those lanes of a queue that are due and free. A first claim is what
 * `claimInOrder` with `claimLimit` would have answered, or null.
 */
export async function takeLeases(
  on: Queryable,
  queue: QueueName,
  lanes: string[],
  { owner, leaseMs, claimLimit }: TakeOptions,
): Promise<Map<string, TakenLane>> {
  // A lane's share, and one more to see whether it was enough.
  const share = Math.floor(MAX_FIRST_JOBS / lanes.length);
  const limit = share === 0 ? 0 : Math.min(claimLimit, share + 1);
  const rows = await on.query<TakenRow>(TAKE, [queue, lanes, owner, leaseMs, limit]);
  const claims = claimsByLane(rows.filter(hasClaim));
  return new Map(
    rows.map((row) => {
      const { of_lane: lane, of_workspace: workspaceId, epoch, inherited, urgent } = row;
      const claim = claims.get(lane);
      const isWhole = limit === claimLimit || (claim?.jobs.length ?? 0) < limit;
      const firstClaim = claim === undefined || !isWhole ? null : claim;
      const taken = { epoch, previousEpoch: row.former_epoch, inherited, urgent };
      const lease = { queue, lane, workspaceId, owner, ...taken };
      return [lane, { lease, firstClaim }];
    }),
  );
}

function hasClaim(row: TakenRow): row is TakenRow & ClaimRow {
  return row.seq !== null;
}
