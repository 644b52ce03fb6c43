import type { MessageState } from "../outbound/index.ts";
import type { Queryable } from "../platform/index.ts";
import type { Segment } from "./recipients.ts";

/** `scheduled`: it runs, but its time has not come. */
export type BroadcastState =
  | "awaiting_approval"
  | "scheduled"
  | "running"
  | "paused"
  | "cancelled"
  | "rejected"
  | "done";

/** Where its recipients stand; together they are all of them, at any moment. */
export interface BroadcastCounts {
  /** No message yet. */
  waiting: number;
  queued: number;
  sending: number;
  sent: number;
  unknown: number;
  failed: number;
  /** Messages that were cancelled, and recipients that were to have one. */
  cancelled: number;
  optedOut: number;
  unreachable: number;
}

export interface ListedBroadcast {
  id: string;
  connectorId: string;
  state: BroadcastState;
  recipients: number;
  createdAt: string;
  sendAt?: string;
  finishedAt?: string;
  /** Why it ended though nobody ended it. */
  error?: string;
  segment?: Segment;
}

export interface BroadcastView extends ListedBroadcast {
  counts: BroadcastCounts;
}

interface Row {
  id: string;
  number: string;
  connector_id: string;
  state: Exclude<BroadcastState, "scheduled">;
  is_later: boolean;
  segment: Segment | null;
  recipients: number;
  created_at: Date;
  send_at: Date | null;
  finished_at: Date | null;
  error: string | null;
}

const COLUMNS = `b.id, b.number, b.connector_id, b.state, b.send_at > now() AS is_later, b.segment,
  b.recipients, b.created_at, b.send_at, b.finished_at, b.error`;

/** In one statement, so that what the feeder commits meanwhile is counted before or after, not both. */
const GET = `/* broadcasts.get */
SELECT ${COLUMNS}, b.fed, b.opted_out, b.unreachable, (
    SELECT json_object_agg(s.state, s.n) FROM (
      SELECT m.state, count(*) AS n FROM outbound_messages m
      WHERE m.broadcast_id = b.id AND m.workspace_id = b.workspace_id GROUP BY m.state
    ) s
  ) AS messages
FROM broadcasts b WHERE b.workspace_id = $1 AND b.id = $2`;

interface CountedRow extends Row {
  fed: number;
  opted_out: number;
  unreachable: number;
  messages: Partial<Record<MessageState, number>> | null;
}

/** A broadcast and how far it is; null when the workspace has none of that id. */
export async function getBroadcast(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<BroadcastView | null> {
  const [row] = await on.query<CountedRow>(GET, [workspaceId, id]);
  return row === undefined ? null : { ...listed(row), counts: countsOf(row) };
}

function countsOf({ recipients, fed, opted_out, unreachable, state, messages }: CountedRow) {
  const of = (...states: MessageState[]) =>
    states.reduce((sum, one) => sum + (messages?.[one] ?? 0), 0);
  const unfed = recipients - fed - opted_out - unreachable;
  const isOver = state === "cancelled" || state === "rejected";
  return {
    waiting: isOver ? 0 : unfed,
    queued: of("queued", "awaiting_approval"),
    sending: of("sending"),
    sent: of("sent"),
    unknown: of("unknown"),
    failed: of("failed"),
    cancelled: of("cancelled", "rejected") + (isOver ? unfed : 0),
    optedOut: opted_out,
    unreachable,
  };
}

const LIST = `/* broadcasts.list */
SELECT ${COLUMNS} FROM broadcasts b
WHERE b.workspace_id = $1 AND b.number > 0 AND ($2::bigint IS NULL OR b.number < $2)
  AND ($3::uuid IS NULL OR b.connector_id = $3)
ORDER BY b.number DESC LIMIT $4`;

/**
 * A workspace's broadcasts, the newest first, `rows` at most, each with the place after which the next
 * page goes on. `after`: the place of the last one of the page before.
 */
export async function listBroadcasts(
  on: Queryable,
  request: { workspaceId: string; connectorId?: string; after?: string; rows: number },
): Promise<{ place: string; broadcast: ListedBroadcast }[]> {
  const { workspaceId, connectorId, after, rows } = request;
  const params = [workspaceId, after ?? null, connectorId ?? null, rows];
  const found = await on.query<Row>(LIST, params);
  return found.map((row) => ({ place: row.number, broadcast: listed(row) }));
}

function listed(row: Row): ListedBroadcast {
  return {
    id: row.id,
    connectorId: row.connector_id,
    state: row.state === "running" && row.is_later ? "scheduled" : row.state,
    recipients: row.recipients,
    createdAt: row.created_at.toISOString(),
    ...(row.send_at === null ? {} : { sendAt: row.send_at.toISOString() }),
    ...(row.finished_at === null ? {} : { finishedAt: row.finished_at.toISOString() }),
    ...(row.error === null ? {} : { error: row.error }),
    ...(row.segment === null ? {} : { segment: row.segment }),
  };
}
