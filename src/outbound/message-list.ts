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

const AFTER = `(m.created_at, m.id) < (coalesce($2::timestamptz, 'infinity'),
      coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))`;

/**
 * A probe for each bot and state, each the length of a page at most: what is shown costs the same
 * whatever else the workspace has sent.
 */
const OF_BOTS = `/* outbound.list */
SELECT m.* FROM connectors c
CROSS JOIN unnest($4::text[]) AS s(state)
CROSS JOIN LATERAL (
  SELECT ${VIEW_COLUMNS}, ${PLACE} FROM outbound_messages m
  WHERE m.workspace_id = $1 AND m.connector_id = c.id AND m.state = s.state AND m.kind = 'message'
    AND ${AFTER}
  ORDER BY m.created_at DESC, m.id DESC LIMIT $6
) m
WHERE c.workspace_id = $1 AND ($5::uuid IS NULL OR c.id = $5)
ORDER BY m.created_at DESC, m.id DESC LIMIT $6`;

/** The same for each state: one chat may have had a hundred thousand messages, of which none failed. */
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
  { limit, after }: { limit: number; after?: MessagePlace },
): Promise<MessagePage> {
  const { workspaceId, connectorId, chatId, states = MESSAGE_STATES } = filter;
  const params = [
    workspaceId,
    after?.createdAt ?? null,
    after?.id ?? null,
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
