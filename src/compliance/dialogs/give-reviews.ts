import type { Queryable, Transaction } from "../../platform/index.ts";
import { show } from "./advance.ts";
import { newDialog } from "./dialog.ts";
import { writeDialogs } from "./dialog-rows.ts";
import { complianceReview } from "./machine-compliance-review.ts";
import { readSubjects, type Subject } from "./review-subjects.ts";
import { MAX_CARDS, openCards, type ReviewPlace, reviewsFor } from "./reviewers.ts";
import type { Said } from "./said.ts";
import { BY_API } from "./standing.ts";
import { MOST_WAITING } from "./words.ts";

/** A chat by itself, whichever bot shows the cards: of two who give it some, one waits for the other. */
const HOLD = `/* dialogs.hold-reviews-of-chat */
SELECT pg_advisory_xact_lock(hashtext('heliograph reviews'), hashtext($1::text || '/' || $2::text))`;

const PLACE = `(SELECT $1::uuid AS workspace_id, $2::uuid AS connector_id, $3::bigint AS chat_id,
  $4::bigint AS migrated_from) p`;

const OPEN = `/* dialogs.open-reviews */
SELECT (${openCards("p")}) AS open FROM ${PLACE}`;

const NEXT = `/* dialogs.next-reviews */
SELECT r.id FROM (SELECT p.*, $5::text[] AS own FROM ${PLACE}) p
CROSS JOIN LATERAL (
  (${reviewsFor("p", "p.connector_id")} AND $6::boolean ORDER BY e.number LIMIT $8)
  UNION ALL
  (${reviewsFor("p", BY_API)} AND $7::boolean ORDER BY e.number LIMIT $8)
) r
ORDER BY r.number LIMIT $8`;

/**
 * Held until the cards are there: whoever decides on one of them meanwhile waits, and the card is told.
 * What somebody has in hand just now is left to the next turn. Looked for by keys alone: by the index of
 * what waits, all of it would be gone through.
 */
const HOLD_EVIDENCE = `/* dialogs.hold-to-review */
SELECT e.id, e.awaits_review AS waits FROM evidence e
WHERE e.workspace_id = $1 AND e.id = ANY ($2::uuid[]) FOR SHARE SKIP LOCKED`;

const waiting = (bot: string) => `(SELECT count(*)::int FROM (
  SELECT FROM evidence e WHERE e.workspace_id = $1 AND e.review_connector_id = ${bot} AND e.awaits_review
  LIMIT ${MOST_WAITING + MAX_CARDS + 1}) w)`;
const WAITING = `/* dialogs.reviews-waiting */
SELECT CASE WHEN $3::boolean THEN ${waiting("$2")} ELSE 0 END
  + CASE WHEN $4::boolean THEN ${waiting(BY_API)} ELSE 0 END AS n`;

/**
 * Gives a chat cards of what waits for it, the oldest first, until it has `MAX_CARDS`; the last one says how
 * much more there is. In a transaction of its own; gives what is to be said, last in it.
 */
export async function giveReviews(
  tx: Transaction,
  place: ReviewPlace,
  nowMs: number,
): Promise<Said[]> {
  const { workspaceId, connectorId, chatId, migratedFrom, own, ofBot, ofApi } = place;
  await tx.query(HOLD, [workspaceId, chatId]);
  const chat = [workspaceId, connectorId, chatId, migratedFrom];
  const [shown] = await tx.query<{ open: number }>(OPEN, chat);
  const room = MAX_CARDS - (shown?.open ?? 0);
  if (room <= 0) return [];
  const next = await tx.query<{ id: string }>(NEXT, [...chat, own, ofBot, ofApi, room]);
  const ids = next.map(({ id }) => id);
  const held = await tx.query<{ id: string; waits: boolean }>(HOLD_EVIDENCE, [workspaceId, ids]);
  const waits = held.filter((one) => one.waits).map(({ id }) => id);
  if (waits.length === 0) return [];
  const subjects = await readSubjects(tx, workspaceId, waits);
  if (subjects.length === room) await tellOfMore(tx, place, subjects);
  const given = subjects.map(({ evidenceId, data, language }) => {
    const begun = { machine: complianceReview, state: "deciding", userId: place.userId } as const;
    const speaks = { language: place.language ?? language };
    const dialog = newDialog(place, { ...begun, ...speaks, data, evidenceId, nowMs });
    return show(dialog, dialog);
  });
  await writeDialogs(
    tx,
    given.map(({ dialog }) => dialog),
  );
  return given.flatMap(({ said }) => said);
}

/** Of a chat that is full now: how much waits beside what it is shown. */
async function tellOfMore(
  on: Queryable,
  { workspaceId, connectorId, ofBot, ofApi }: ReviewPlace,
  subjects: readonly Subject[],
): Promise<void> {
  const [row] = await on.query<{ n: number }>(WAITING, [workspaceId, connectorId, ofBot, ofApi]);
  const last = subjects.at(-1);
  if (last !== undefined) last.data.waiting = Math.max(0, (row?.n ?? 0) - MAX_CARDS);
}
