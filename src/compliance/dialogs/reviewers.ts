import { type Language, languageOf, type Queryable } from "../../platform/index.ts";
import type { Place } from "./dialog.ts";
import { BY_API } from "./standing.ts";

/**
 * Who has something to review and room for it. What waits is not handed out once, when it is submitted, but
 * looked for again and again: whoever becomes an officer later, is bound to an account, or opens a chat with
 * the bot, is given what waits by then.
 */

/** Cards that ask for a decision in one chat of a bot at a time; as they end, what waits comes after them. */
export const MAX_CARDS = 10;
/** Officers who are given what came by one bot, and groups; whoever else may decide does so by the API. */
const MAX_PEOPLE = 20;
const MAX_GROUPS = 5;

/** A chat whose reviewers have room. */
export interface ReviewPlace extends Place {
  /** Telegram's id of the officer; "0": a group's. */
  userId: string;
  /** Of the officer; null: a group, which is spoken to as whoever handed it in speaks. */
  language: Language | null;
  /** Of a group that became a supergroup: cards of then are its own. */
  migratedFrom: string | null;
  /** The officer as evidence names who handed it in; empty: a group. */
  own: string[];
  /** What came by this bot is theirs, and what came by the API. */
  ofBot: boolean;
  ofApi: boolean;
}

/** Chats, as parameters and columns call them. */
export const placeKey = ({ workspaceId, connectorId, chatId }: Place): string =>
  `${workspaceId}/${connectorId}/${chatId}`;

/** By the rows of an index that holds nothing else, and of each workspace one. */
const WORKSPACES = `/* dialogs.workspaces-to-review */
WITH RECURSIVE waiting AS (
  (SELECT e.workspace_id, 1 AS n FROM evidence e
   WHERE e.awaits_review AND e.workspace_id > $1 ORDER BY e.workspace_id LIMIT 1)
  UNION ALL
  SELECT (SELECT e.workspace_id FROM evidence e
    WHERE e.awaits_review AND e.workspace_id > w.workspace_id ORDER BY e.workspace_id LIMIT 1), w.n + 1
  FROM waiting w WHERE w.workspace_id IS NOT NULL AND w.n < $2
)
SELECT workspace_id AS id FROM waiting WHERE workspace_id IS NOT NULL`;

const FIRST = "00000000-0000-0000-0000-000000000000";

/** Workspaces where something waits for its review, by their ids, from behind `after`; null: the first. */
export async function workspacesToReview(
  on: Queryable,
  after: string | null,
  limit: number,
): Promise<string[]> {
  const rows = await on.query<{ id: string }>(WORKSPACES, [after ?? FIRST, limit]);
  return rows.map(({ id }) => id);
}

/** The bot that it came by; of what came by the API any that they talk to, the one last seen. */
const OFFICERS = `
SELECT c.connector_id, c.chat_id, c.chat_id AS user_id, NULL::bigint AS migrated_from,
  ARRAY['person:' || p.id, 'telegram:' || p.telegram_user_id] AS own
FROM people p
CROSS JOIN LATERAL (
  SELECT c.connector_id, c.chat_id FROM connectors k
  JOIN chats c ON c.workspace_id = k.workspace_id AND c.connector_id = k.id
    AND c.chat_id = p.telegram_user_id
  WHERE k.workspace_id = p.workspace_id AND k.status = 'active' AND k.id = coalesce(s.bot, k.id)
    AND c.reachable AND c.purpose IS DISTINCT FROM 'support'
  ORDER BY c.updated_at DESC, c.connector_id LIMIT 1
) c
WHERE p.workspace_id = s.workspace_id AND p.role = 'officer'
ORDER BY p.id LIMIT ${MAX_PEOPLE}`;

const GROUPS = `
SELECT c.connector_id, c.chat_id, 0 AS user_id, c.migrated_from, '{}'::text[] AS own
FROM connectors k
CROSS JOIN LATERAL (
  SELECT c.connector_id, c.chat_id, c.migrated_from FROM chats c
  WHERE c.workspace_id = k.workspace_id AND c.connector_id = k.id
    AND c.linked AND c.purpose = 'compliance' AND c.reachable AND c.migrated_to IS NULL
  ORDER BY c.updated_at DESC, c.chat_id LIMIT ${MAX_GROUPS}
) c
WHERE k.workspace_id = s.workspace_id AND k.status = 'active' AND k.id = coalesce(s.bot, k.id)
LIMIT ${MAX_GROUPS}`;

const inChat = (place: string) => `d.chat_id IN (${place}.chat_id, ${place}.migrated_from)`;

/** How many cards of the chat `place` ask for a decision. */
export const openCards = (place: string) => `
SELECT count(*)::int FROM unnest(ARRAY[${place}.chat_id, ${place}.migrated_from]) AS o(chat_id)
CROSS JOIN LATERAL (
  SELECT FROM dialogs d
  WHERE d.workspace_id = ${place}.workspace_id AND d.connector_id = ${place}.connector_id
    AND d.chat_id = o.chat_id AND d.kind = 'compliance_review' AND d.ended_at IS NULL OFFSET 0
) open`;

/**
 * What of `bot`'s waits for the chat `place`: not what the officer handed in, whoever their account was bound
 * to at that time, and nothing that the chat was asked for in this revision, whatever came of it, by
 * whichever bot. OFFSET keeps the looks at single rows
 * from becoming joins, for which all that waits would be read.
 */
export const reviewsFor = (place: string, bot: string) => `
SELECT e.id, e.number FROM evidence e
WHERE e.workspace_id = ${place}.workspace_id AND e.review_connector_id = ${bot} AND e.awaits_review
  AND NOT (SELECT r.submitted_by = ANY (${place}.own)
      OR coalesce(r.submitted_account = ${place}.chat_id, false) FROM evidence_revisions r
    WHERE r.workspace_id = e.workspace_id AND r.evidence_id = e.id AND r.number = e.revision)
  AND NOT EXISTS (SELECT FROM dialogs d
    WHERE d.evidence_id = e.id AND d.workspace_id = e.workspace_id AND d.kind = 'compliance_review'
      AND ${inChat(place)} AND d.data ->> 'revision' = e.revision::text OFFSET 0)`;

const waits = (bot: string) => `EXISTS (SELECT FROM evidence e
  WHERE e.workspace_id = a.workspace_id AND e.review_connector_id = ${bot} AND e.awaits_review)`;

const PLACES = `/* dialogs.review-places */
WITH streams AS (
  SELECT a.workspace_id, b.bot FROM unnest($1::uuid[]) AS a(workspace_id)
  CROSS JOIN LATERAL (
    SELECT k.id AS bot FROM connectors k
    WHERE k.workspace_id = a.workspace_id AND k.status = 'active' AND ${waits("k.id")}
    UNION ALL
    SELECT NULL::uuid WHERE ${waits(BY_API)}
  ) b
), places AS (
  SELECT s.workspace_id, p.connector_id, p.chat_id, p.user_id, p.migrated_from, p.own,
    bool_or(s.bot IS NOT NULL) AS of_bot, bool_or(s.bot IS NULL) AS of_api
  FROM streams s CROSS JOIN LATERAL ((${OFFICERS}) UNION ALL (${GROUPS})) p
  GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT p.*, (SELECT c.language_code FROM contacts c
    WHERE c.workspace_id = p.workspace_id AND c.telegram_user_id = p.user_id) AS language_code
FROM places p
WHERE p.workspace_id || '/' || p.connector_id || '/' || p.chat_id <> ALL ($2::text[])
  AND (${openCards("p")}) < ${MAX_CARDS}
  AND (p.of_bot AND EXISTS (${reviewsFor("p", "p.connector_id")})
    OR p.of_api AND EXISTS (${reviewsFor("p", BY_API)}))
ORDER BY row_number() OVER (PARTITION BY p.workspace_id ORDER BY p.connector_id, p.chat_id),
  p.workspace_id
LIMIT $3`;

interface PlaceRow {
  workspace_id: string;
  connector_id: string;
  chat_id: string;
  user_id: string;
  language_code: string | null;
  migrated_from: string | null;
  own: string[];
  of_bot: boolean;
  of_api: boolean;
}

/** Chats of these workspaces with room and something for it, workspaces in turn; `except`: by their keys. */
export async function findReviewPlaces(
  on: Queryable,
  {
    workspaces,
    except,
    limit,
  }: { workspaces: readonly string[]; except: readonly string[]; limit: number },
): Promise<ReviewPlace[]> {
  const rows = await on.query<PlaceRow>(PLACES, [workspaces, except, limit]);
  return rows.map((row) => ({
    workspaceId: row.workspace_id,
    connectorId: row.connector_id,
    chatId: row.chat_id,
    threadId: "0",
    userId: row.user_id,
    language: row.user_id === "0" ? null : languageOf(row.language_code),
    migratedFrom: row.migrated_from,
    own: row.own,
    ofBot: row.of_bot,
    ofApi: row.of_api,
  }));
}
