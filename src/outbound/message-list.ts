import type { Queryable } from "../platform/index.ts";
import {
  type MessageView,
  type MessageViewRow,
  messageView,
  VIEW_COLUMNS,
} from "./message-view.ts";
import { MESSAGE_STATES, type MessageState } from "./new-message.ts";

/** Which messages of a workspace; everything given must hold. */
export interface MessageFilter {
  workspaceId: string;
  connectorId?: string;
  chatId?: string;
  /** Default: all of them. */
  states?: readonly MessageState[];
}

/** Where a page begins: after this message, given by the page before. */
export interface MessagePlace {
  createdAt: string;
  id: string;
}

export interface MessagePage {
  data: MessageView[];
  /** Null: that was the last. */
  next: MessagePlace | null;
}

/** To the microsecond: many messages of a broadcast were created at the same time. */
const PLACE = `to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS place`;

/** Behind any message. No `coalesce` in SQL: where it is not folded, row-level security keeps it from the index. */
const BEHIND_ALL: MessagePlace = {
  createdAt: "infinity",
  id: "ffffffff-ffff-ffff-ffff-ffffffffffff",
};
const AFTER = "(m.created_at, m.id) < ($2::timestamptz, $3::uuid)";

/**
 * A page is among the bots and states whose newest message is among the newest: first that one of each
 * bot and state, then of as many of these as a page is long what is not older than the last of them. So
 * what is read is one row for each bot and state, and little more than what is shown, whatever else the
 * workspace has sent; a page of each of 500 bots would be 25,000 rows.
 */
const OF_BOTS = `/* outbound.list */
WITH newest AS MATERIALIZED (
  SELECT c.id AS connector_id, s.state, n.created_at, n.id FROM connectors c
  CROSS JOIN unnest($4::text[]) AS s(state)
  CROSS JOIN LATERAL (
    SELECT m.created_at, m.id FROM outbound_messages m
    WHERE m.workspace_id = $1 AND m.connector_id = c.id AND m.state = s.state AND m.kind = 'message'
      AND ${AFTER}
    ORDER BY m.created_at DESC, m.id DESC LIMIT 1
  ) n
  WHERE c.workspace_id = $1 AND ($5::uuid IS NULL OR c.id = $5)
  ORDER BY n.created_at DESC, n.id DESC LIMIT $6
), bound AS MATERIALIZED (
  SELECT created_at, id FROM (
    SELECT created_at, id FROM newest
    UNION ALL
    SELECT '-infinity', '00000000-0000-0000-0000-000000000000' FROM generate_series(1, $6)
  ) b
  ORDER BY created_at DESC, id DESC OFFSET $6 - 1 LIMIT 1
)
SELECT m.* FROM newest n
CROSS JOIN LATERAL (
  SELECT ${VIEW_COLUMNS}, ${PLACE} FROM outbound_messages m
  WHERE m.workspace_id = $1 AND m.connector_id = n.connector_id AND m.state = n.state
    AND m.kind = 'message' AND (m.created_at, m.id) <= (n.created_at, n.id)
    AND (m.created_at, m.id) >= ((SELECT created_at FROM bound), (SELECT id FROM bound))
  ORDER BY m.created_at DESC, m.id DESC LIMIT $6
) m
ORDER BY m.created_at DESC, m.id DESC LIMIT $6`;

/** A probe for each state, each the length of a page at most: one chat may have had a hundred thousand messages, of which none failed. */
const OF_CHAT = `/* outbound.list-of-chat */
SELECT m.* FROM unnest($4::text[]) AS s(state)
CROSS JOIN LATERAL (
  SELECT ${VIEW_COLUMNS}, ${PLACE} FROM outbound_messages m
  WHERE m.workspace_id = $1 AND m.chat_id = $7 AND m.kind = 'message' AND m.state = s.state
    AND ($5::uuid IS NULL OR m.connector_id = $5) AND ${AFTER}
  ORDER BY m.created_at DESC, m.id DESC LIMIT $6
) m
ORDER BY m.created_at DESC, m.id DESC LIMIT $6`;

/** A workspace's messages without what they say, newest first. `limit`: those of a page. */
export async function listOutbound(
  on: Queryable,
  filter: MessageFilter,
  { limit, after = BEHIND_ALL }: { limit: number; after?: MessagePlace },
): Promise<MessagePage> {
  const { workspaceId, connectorId, chatId, states = MESSAGE_STATES } = filter;
  const params = [
    workspaceId,
    after.createdAt,
    after.id,
    [...new Set(states)],
    connectorId ?? null,
    limit + 1,
    ...(chatId === undefined ? [] : [chatId]),
  ];
  const sql = chatId === undefined ? OF_BOTS : OF_CHAT;
  const rows = await on.query<MessageViewRow & { place: string }>(sql, params);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const isMore = rows.length > limit && last !== undefined;
  return {
    data: shown.map(messageView),
    next: isMore ? { createdAt: last.place, id: last.id } : null,
  };
}
