import type { Queryable } from "../platform/index.ts";
import { conversationsOfAccount } from "./account-of.ts";
import {
  type ConversationRow,
  type ConversationView,
  conversationView,
  selectConversations,
} from "./conversation-view.ts";
import { isBigint, keysAfter, limitOf, type Page, type PageRequest, pageOf } from "./paging.ts";
import { CONVERSATION_STATUSES, type ConversationStatus } from "./queue-status.ts";

/** All that is given must hold. A filter that is not an id matches nothing. */
export interface ConversationFilter {
  workspaceId: string;
  connectorId?: string;
  /** A group's id from before it became a supergroup as well as its present one. */
  chatId?: string;
  status?: ConversationStatus;
  /** Null: nobody. */
  assignee?: string | null;
  accountId?: string;
  /**
   * `newest` (default): by id, not by last message, since an index on that would make every message
   * rewrite it. `waiting`: the open ones, whoever waits longest first.
   */
  sort?: "newest" | "waiting";
}

/** A way through the list: which rows, in which order, and a row's place in it as one or two numbers. */
interface Walk {
  /** Of its cursors. */
  name: string;
  keys: number;
  order: string;
  columns: string;
  after(keys: string[]): string;
  placeOf(row: ConversationRow & { place: string }): string;
}

const NEWEST: Walk = {
  name: "conversations",
  keys: 1,
  order: "c.id DESC",
  columns: "c.*, NULL AS place",
  after: ([id]) => `c.id < ${id}`,
  placeOf: ({ id }) => id,
};

/** In microseconds, as Postgres keeps time: the place must be the row's to the last of them. */
const WAITING: Walk = {
  name: "queue",
  keys: 2,
  order: "c.waiting_since, c.id",
  columns: "c.*, (extract(epoch FROM c.waiting_since) * 1000000)::bigint AS place",
  after: ([micros, id]) =>
    `(c.waiting_since, c.id) > ('epoch'::timestamptz + ${micros} * interval '1 microsecond', ${id})`,
  placeOf: ({ place, id }) => `${place}|${id}`,
};

/**
 * Conversations, page by page; each order and each status has an index that goes the same way
 * (migration 0013), so that a page reads what it shows. Which connector or chat is looked at on the
 * way, and an account's conversations are all read for a page of them. Throws `InvalidCursor`.
 */
export async function listConversations(
  db: Queryable,
  request: PageRequest & ConversationFilter,
): Promise<Page<ConversationView>> {
  const walk = request.sort === "waiting" ? WAITING : NEWEST;
  const limit = limitOf(request);
  const after = keysAfter(walk.name, request, walk.keys);
  const { connectorId, chatId, accountId } = request;
  const isNothing = (id: string | undefined) => id !== undefined && !isUuid(id);
  if (isNothing(connectorId) || isNothing(accountId) || (chatId && !isBigint(chatId))) {
    return { data: [], nextCursor: null };
  }
  const { sql, params } = statementOf(request, walk, after, limit + 1);
  const rows = await db.query<ConversationRow & { place: string }>(sql, params);
  return pageOf(walk.name, rows, limit, conversationView, walk.placeOf);
}

/** Planned for what is asked, each time: there are many ways to ask, and none of them is hot. */
function statementOf(
  filter: ConversationFilter,
  walk: Walk,
  after: string[] | null,
  rows: number,
): { sql: string; params: unknown[] } {
  const params: unknown[] = [filter.workspaceId];
  const param = (value: unknown) => `$${params.push(value)}`;
  const conditions = ["c.workspace_id = $1"];
  const { connectorId, chatId, assignee, accountId } = filter;
  if (connectorId !== undefined) conditions.push(`c.connector_id = ${param(connectorId)}`);
  if (chatId !== undefined) conditions.push(inChat(param(chatId)));
  if (assignee !== undefined) {
    conditions.push(`c.assignee = ${param(assignee ?? "")}`);
  }
  if (after !== null) conditions.push(walk.after(after.map((key) => `${param(key)}::bigint`)));

  const source =
    accountId === undefined ? "conversations" : conversationsOfAccount(param(accountId));
  const limited = (more: string[]) =>
    `SELECT ${walk.columns} FROM ${source} c
     WHERE ${[...conditions, ...more].join(" AND ")} ORDER BY ${walk.order} LIMIT ${rows}`;
  const page =
    walk === WAITING ? limited([...statusIs(filter.status), "c.status = 'open'"]) : newest();

  /** Whose conversations they are is indexed by status: a few of each are one page. */
  function newest(): string {
    if (filter.status !== undefined || assignee === undefined || accountId !== undefined) {
      return limited(statusIs(filter.status));
    }
    const each = CONVERSATION_STATUSES.map((status) => `(${limited(statusIs(status))})`);
    return `SELECT * FROM (${each.join(" UNION ALL ")}) c ORDER BY c.id DESC LIMIT ${rows}`;
  }

  const sql = `${selectConversations(`(${page})`, "c.place, ")}\nORDER BY ${walk.order}`;
  return { sql, params };
}

/** Of the closed list, so that the planner sees which partial index it implies. */
const statusIs = (status: ConversationStatus | undefined): string[] =>
  CONVERSATION_STATUSES.flatMap((one) => (one === status ? [`c.status = '${one}'`] : []));

const inChat = (
  chatId: string,
) => `(c.chat_id = ${chatId}::bigint OR (c.connector_id, c.chat_id) IN (
  SELECT connector_id, migrated_to FROM chats WHERE workspace_id = $1 AND chat_id = ${chatId}::bigint))`;

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
