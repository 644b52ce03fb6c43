import { InvalidCursor } from "../conversations/index.ts";
import type { MessageState } from "../outbound/index.ts";
import type { Queryable } from "../platform/index.ts";

/** Where one recipient stands, as `BroadcastCounts` counts them. */
export const RECIPIENT_STATES = [
  "waiting",
  "queued",
  "sending",
  "sent",
  "unknown",
  "failed",
  "cancelled",
  "optedOut",
  "unreachable",
] as const;
export type RecipientState = (typeof RECIPIENT_STATES)[number];

export interface RecipientView {
  chatId: string;
  state: RecipientState;
  messageId?: string;
  /** Why it was not sent, or what is to be known of it. */
  error?: string;
}

/**
 * Where a list goes on: in which of its sources, and after which row of it. A state is read by the
 * index that leads to it, which for some states is two: cancelled are messages, and recipients that
 * had none yet.
 */
export const RECIPIENT_PLACE =
  /^(?:(?:all|unfed|skipped)\|(?:-?[0-9]{1,19})?|messages\|(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?)$/;

type Source = "all" | "messages" | "unfed" | "skipped";

interface Row {
  chat_id: string;
  message_id: string | null;
  skipped: "opted_out" | "unreachable" | null;
  state: MessageState | null;
  error: string | null;
}

/** Each takes workspace, broadcast, the row to go on after, how many, and what is asked of them. */
const SQL: Record<Source, string> = {
  all: `/* broadcasts.list-recipients */
SELECT r.chat_id, r.message_id, r.skipped, m.state, m.error
FROM (
  SELECT chat_id, message_id, skipped FROM broadcast_recipients
  WHERE workspace_id = $1 AND broadcast_id = $2 AND ($3::bigint IS NULL OR chat_id > $3)
  ORDER BY chat_id LIMIT $4
) r
LEFT JOIN LATERAL (
  SELECT x.state, x.error FROM outbound_messages x
  WHERE x.workspace_id = $1 AND x.id = r.message_id OFFSET 0
) m ON true
ORDER BY r.chat_id`,
  messages: `/* broadcasts.list-messages */
SELECT m.chat_id, m.id AS message_id, NULL AS skipped, m.state, m.error FROM outbound_messages m
WHERE m.broadcast_id = $2 AND m.workspace_id = $1 AND m.state = $5
  AND ($3::uuid IS NULL OR m.id > $3)
ORDER BY m.id LIMIT $4`,
  unfed: `/* broadcasts.list-unfed */
SELECT chat_id, NULL AS message_id, NULL AS skipped, NULL AS state, NULL AS error
FROM broadcast_recipients
WHERE broadcast_id = $2 AND (workspace_id = $1) IS TRUE AND message_id IS NULL AND skipped IS NULL
  AND ($3::bigint IS NULL OR chat_id > $3)
ORDER BY chat_id LIMIT $4`,
  skipped: `/* broadcasts.list-skipped */
SELECT chat_id, NULL AS message_id, skipped, NULL AS state, NULL AS error
FROM broadcast_recipients
WHERE broadcast_id = $2 AND (workspace_id = $1) IS TRUE AND skipped = $5
  AND ($3::bigint IS NULL OR chat_id > $3)
ORDER BY chat_id LIMIT $4`,
};

interface Part {
  source: Source;
  asked?: string;
}

/** What a list is read from, in order. */
function partsOf(state: RecipientState | undefined, isOver: boolean): Part[] {
  switch (state) {
    case undefined:
      return [{ source: "all" }];
    case "waiting":
      return isOver ? [] : [{ source: "unfed" }];
    case "cancelled":
      return [
        { source: "messages", asked: state },
        ...(isOver ? [{ source: "unfed" } as const] : []),
      ];
    case "optedOut":
      return [{ source: "skipped", asked: "opted_out" }];
    case "unreachable":
      return [{ source: "skipped", asked: "unreachable" }];
    default:
      return [{ source: "messages", asked: state }];
  }
}

const FIND = `/* broadcasts.state */
SELECT state IN ('cancelled', 'rejected') AS is_over FROM broadcasts
WHERE workspace_id = $1 AND id = $2`;

/**
 * A broadcast's recipients and what became of them, `limit` at most; `next` is the place after them,
 * null at the end. `after` is such a place, as `RECIPIENT_PLACE` has it. Null when the workspace has no
 * such broadcast. Throws `InvalidCursor` for the place of another list.
 */
export async function listRecipients(
  on: Queryable,
  request: {
    workspaceId: string;
    id: string;
    state?: RecipientState;
    limit: number;
    after?: string;
  },
): Promise<{ data: RecipientView[]; next: string | null } | null> {
  const { workspaceId, id, state, limit, after } = request;
  const [broadcast] = await on.query<{ is_over: boolean }>(FIND, [workspaceId, id]);
  if (broadcast === undefined) return null;
  const { is_over: isOver } = broadcast;
  const parts = partsOf(state, isOver);
  const [source, afterRow = ""] = after?.split("|") ?? [parts[0]?.source];
  const first = parts.findIndex((part) => part.source === source);
  if (after !== undefined && first === -1) throw new InvalidCursor();

  const data: RecipientView[] = [];
  for (const [n, part] of parts.entries()) {
    if (n < first) continue;
    const place = n === first && afterRow !== "" ? afterRow : null;
    const wanted = limit - data.length;
    const asked = part.asked === undefined ? [] : [part.asked];
    const params = [workspaceId, id, place, wanted + 1, ...asked];
    const rows = await on.query<Row>(SQL[part.source], params);
    data.push(...rows.slice(0, wanted).map((row) => viewOf(row, isOver)));
    if (rows.length > wanted) return { data, next: placeAfter(part.source, rows[wanted - 1]) };
  }
  return { data, next: null };
}

/** Undefined: nothing of that source is shown yet. */
function placeAfter(source: Source, row: Row | undefined): string {
  const key = source === "messages" ? row?.message_id : row?.chat_id;
  return `${source}|${key ?? ""}`;
}

function viewOf(
  { chat_id, message_id, skipped, state, error }: Row,
  isOver: boolean,
): RecipientView {
  return {
    chatId: chat_id,
    state: stateOf({ skipped, state }, isOver),
    ...(message_id === null ? {} : { messageId: message_id }),
    ...(error === null ? {} : { error }),
  };
}

function stateOf(
  { skipped, state }: Pick<Row, "skipped" | "state">,
  isOver: boolean,
): RecipientState {
  if (skipped !== null) return skipped === "opted_out" ? "optedOut" : "unreachable";
  if (state === null) return isOver ? "cancelled" : "waiting";
  if (state === "awaiting_approval") return "queued";
  return state === "rejected" ? "cancelled" : state;
}
