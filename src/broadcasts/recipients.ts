import { fewRows, type Queryable } from "../platform/index.ts";

/** Which of a connector's chats; all that is given must hold. Those that cannot be reached are none. */
export interface Segment {
  linked?: boolean;
  tag?: string;
  /** Somebody wrote there within so many days. */
  lastSeenWithinDays?: number;
  types?: readonly ("private" | "group" | "supergroup" | "channel")[];
}

/** Of one broadcast: what one transaction can write in seconds. */
export const MAX_RECIPIENTS = 500_000;

/** Recipients that were written, and those among them that want no broadcasts. */
export interface Recipients {
  count: number;
  optedOut: number;
}

/** `chosen` gives the chats' ids, each once. */
const insert = (tag: string, chosen: string) => `/* broadcasts.${tag} */
WITH inserted AS (
  INSERT INTO broadcast_recipients (workspace_id, broadcast_id, chat_id, skipped)
  SELECT $1, $2, c.chat_id, CASE WHEN o.chat_id IS NOT NULL THEN 'opted_out' END
  FROM (${chosen}) c
  LEFT JOIN LATERAL (
    SELECT x.chat_id FROM broadcast_opt_outs x
    WHERE x.workspace_id = $1 AND x.connector_id = $3 AND x.chat_id = c.chat_id OFFSET 0
  ) o ON true
  RETURNING skipped
)
SELECT count(*)::int AS count, count(skipped)::int AS "optedOut" FROM inserted`;

/** An id from before a group became a supergroup is meant for the group as it is now. */
const OF_IDS = insert(
  "recipients-of-ids",
  `SELECT DISTINCT coalesce(known.migrated_to, t.chat_id) AS chat_id
   FROM (SELECT * FROM unnest($4::bigint[]) AS t(chat_id) ${fewRows("$4")}) t
   LEFT JOIN LATERAL (
     SELECT m.migrated_to FROM chats m
     WHERE m.workspace_id = $1 AND m.connector_id = $3 AND m.chat_id = t.chat_id OFFSET 0
   ) known ON true`,
);

const TAGGED = `(
       SELECT t.chat_id FROM chat_tags t
       WHERE t.tag = $7 AND t.connector_id = $3 AND t.workspace_id = $1
     ) g CROSS JOIN LATERAL (
       SELECT x.* FROM chats x
       WHERE x.workspace_id = $1 AND x.connector_id = $3 AND x.chat_id = g.chat_id OFFSET 0
     ) s`;

/**
 * Of a segment. A tag leads to its chats: a bot may have a million others. When somebody wrote is known
 * from the support queue, and from sessions, for which commands count too.
 */
const OF_SEGMENT = (hasTag: boolean) =>
  insert(
    hasTag ? "recipients-of-tag" : "recipients-of-segment",
    `SELECT s.chat_id FROM ${hasTag ? TAGGED : "chats s"}
     WHERE s.workspace_id = $1 AND s.connector_id = $3 AND s.migrated_to IS NULL AND s.reachable
       AND ($4::boolean IS NULL OR s.linked = $4)
       AND ($5::text[] IS NULL OR s.type = ANY ($5))
       AND ($6::int IS NULL OR EXISTS (
         SELECT FROM conversations v
         WHERE v.workspace_id = $1 AND v.connector_id = $3 AND v.chat_id = s.chat_id
           AND greatest(v.customer_at, v.session_last_at) > now() - $6 * interval '1 day'
         OFFSET 0))
     LIMIT ${MAX_RECIPIENTS + 1}`,
  );

interface Of {
  workspaceId: string;
  connectorId: string;
  broadcastId: string;
}

/** Writes the chats named as a broadcast's recipients, each once, in one statement. */
export async function insertNamed(
  tx: Queryable,
  { workspaceId, connectorId, broadcastId }: Of,
  chatIds: readonly string[],
): Promise<Recipients> {
  const params = [workspaceId, broadcastId, connectorId, chatIds];
  return counted(await tx.query<Recipients>(OF_IDS, params));
}

/** Writes the chats of a segment as they are now; one more than `MAX_RECIPIENTS` at most. */
export async function insertSegment(
  tx: Queryable,
  { workspaceId, connectorId, broadcastId }: Of,
  { linked, types, lastSeenWithinDays, tag }: Segment,
): Promise<Recipients> {
  const asked = [linked ?? null, types ?? null, lastSeenWithinDays ?? null];
  const params = [workspaceId, broadcastId, connectorId, ...asked];
  const sql = OF_SEGMENT(tag !== undefined);
  return counted(await tx.query<Recipients>(sql, tag === undefined ? params : [...params, tag]));
}

function counted([row]: Recipients[]): Recipients {
  if (row === undefined) throw new Error("a count gave no row");
  return row;
}
