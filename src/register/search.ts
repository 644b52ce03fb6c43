import type { Queryable } from "../platform/index.ts";

/**
 * Searches by words over controls, evidence and risks: what people type while they look for one of
 * them. Which words an entry has, how a query is read, and the index that both meet in are in
 * migrations/0021; why, in docs/decisions/0035.
 */

export const SEARCH_KINDS = ["control", "evidence", "risk"] as const;
export type SearchKind = (typeof SEARCH_KINDS)[number];

export interface RegisterSearch {
  workspaceId: string;
  /** As somebody typed it. Empty: what there is, by code, evidence from the newest on. */
  query: string;
  /** Default: all. */
  kinds?: readonly SearchKind[];
  /** Of a page. */
  limit: number;
  /** How many were shown before. */
  offset: number;
}

export interface FoundEntry {
  kind: SearchKind;
  id: string;
  /** As people call it; of evidence `EV-<number>`. */
  code: string;
  /** Of evidence the beginning of its description, or its type. */
  title: string;
  /** Cut after 500 characters. */
  description: string;
  status: string;
}

/** So many are found and put in order, however many match. */
export const MAX_FOUND = 500;
/** What is longer is cut. */
export const MAX_QUERY_LETTERS = 256;

/** What each kind is read from, and what of it is shown. The words are the indexes' own expressions. */
const SOURCES: Record<SearchKind, { from: string; shown: string; words: string }> = {
  control: {
    from: "controls e",
    shown: "e.code, e.title, e.description, e.status",
    words: "register_words(e.workspace_id, e.code, e.title, e.description)",
  },
  risk: {
    from: "risks e",
    shown: "e.code, e.title, e.description, e.status",
    words: "register_words(e.workspace_id, e.code, e.title, e.description)",
  },
  evidence: {
    from: "evidence e",
    shown: `'EV-' || e.number::text, coalesce(nullif(left(e.description, 120), ''), e.type),
      e.description, e.status`,
    words: `register_words(e.workspace_id, 'EV-' || e.number::text,
      e.type || ' ' || left(e.description, 300), e.description)`,
  },
};

/** A code sorts as it is written; evidence from the newest on. */
const CODE_PLACE = `e.code COLLATE "C"`;
const EVIDENCE_PLACE = `('EV' || lpad((9223372036854775807 - e.number)::text, 19, '0')) COLLATE "C"`;

const matching = (kind: SearchKind, asked: string, standing: number, limit: string) => {
  const { from, shown, words } = SOURCES[kind];
  const place = kind === "evidence" ? EVIDENCE_PLACE : CODE_PLACE;
  return `(SELECT '${kind}'::text, e.workspace_id, e.id, ${shown}, ${place}, ${standing}
    FROM ${from} WHERE '${kind}' = ANY ($2::text[]) AND ${words} @@ ${asked} LIMIT ${limit})`;
};

/** Codes that begin as somebody typed it; in the order of codes, so that no more are read than shown. */
const byCode = (kind: "control" | "risk", typed: string) => {
  const { from, shown } = SOURCES[kind];
  return `(SELECT '${kind}'::text, e.workspace_id, e.id, ${shown}, ${CODE_PLACE}, 1
    FROM ${from} WHERE '${kind}' = ANY ($2::text[]) AND e.workspace_id = $1
      AND e.code >= ${typed}::text AND e.code < ${typed}::text || chr(1114111)
    ORDER BY e.code LIMIT $6)`;
};

/** Where nothing was typed. */
const NEWEST_EVIDENCE = `(SELECT 'evidence'::text, e.workspace_id, e.id, ${SOURCES.evidence.shown},
    ${EVIDENCE_PLACE}, 1
  FROM evidence e WHERE 'evidence' = ANY ($2::text[]) AND $3::text = '' AND e.workspace_id = $1
    AND e.number > 0
  ORDER BY e.number DESC LIMIT $6)`;

/**
 * What is called exactly so, what has a code that begins so, and what has all the words: of each no
 * more than are put in order. One found in several ways stands where it stands best. Its lexemes carry
 * the workspace; that each row is the workspace's is asked of it all the same.
 */
const SEARCH = `/* register.search */
WITH found (kind, workspace_id, id, code, title, description, status, place, standing) AS (
  ${[
    ...SEARCH_KINDS.map((kind) =>
      matching(kind, "register_code_query($1::uuid, $3::text)", 0, "10"),
    ),
    ...SEARCH_KINDS.map((kind) =>
      matching(kind, "register_query($1::uuid, $3::text)", 2, String(MAX_FOUND)),
    ),
    byCode("control", "$3"),
    byCode("risk", "$3"),
    byCode("control", "$4"),
    byCode("risk", "$4"),
    NEWEST_EVIDENCE,
  ].join("\n  UNION ALL\n  ")}
), best AS (
  SELECT DISTINCT ON (kind, id) *,
    CASE WHEN standing < 2 THEN standing
      WHEN starts_with(lower(title COLLATE "C"), lower($3 COLLATE "C")) THEN 2
      WHEN strpos(lower(title COLLATE "C"), lower($3 COLLATE "C")) > 0 THEN 3
      ELSE 4 END AS rank
  FROM found WHERE workspace_id = $1
  ORDER BY kind, id, standing
), page AS (
  SELECT * FROM best ORDER BY rank, place, kind, id LIMIT $5 OFFSET $7
)
SELECT kind, id, code, title, left(description, 500) AS description, status
FROM page ORDER BY rank, place, kind, id`;

/**
 * What matches, the best first: an entry called exactly so, codes that begin so (in the case they were
 * typed in, or in capitals), titles that begin so, titles that hold it as it was typed, and then the
 * rest by code. Every word must be there, each at least by its beginning. At most `MAX_FOUND` are
 * there to be paged through; of more matches those are put in order that the database came upon first.
 *
 * `on` is the engine's: a workspace's own role may not search by such an index, so that the workspace
 * is in the statement itself. Whatever is typed has an answer.
 */
export async function searchRegister(
  on: Queryable,
  { workspaceId, query, kinds = SEARCH_KINDS, limit, offset }: RegisterSearch,
): Promise<FoundEntry[]> {
  const shown = Math.min(limit, MAX_FOUND - offset);
  if (shown <= 0) return [];
  const typed = typedWords(query);
  return on.query<FoundEntry>(SEARCH, [
    workspaceId,
    [...kinds],
    typed,
    typed.toUpperCase(),
    shown,
    shown + offset,
    offset,
  ]);
}

/** Without what Postgres cannot hold. */
export function typedWords(query: string): string {
  const plain = query.replace(/[\0\p{Surrogate}]/gu, " ").trim();
  return [...plain].slice(0, MAX_QUERY_LETTERS).join("");
}
