import type { Queryable, Transaction } from "../../platform/index.ts";
import { show } from "./advance.ts";
import type { Dialog, Place } from "./dialog.ts";
import { holdConversation, holdOfEvidence, writeAskedUntil, writeDialogs } from "./dialog-rows.ts";
import type { Context, DialogEvent, Standing } from "./machine.ts";
import { type Said, sayIn } from "./said.ts";
import { holdToTell, markTold, TO_TELL } from "./standing.ts";
import { step } from "./step.ts";

/**
 * Chats are told how evidence stands: whoever sent it what became of it, and every card of it what it is
 * now. Wherever it was submitted or decided, in a chat or by the API, it is this that tells: the change
 * itself knows nothing of chats. Those who review what waits are given it afterwards (give-reviews.ts).
 */

export interface EvidenceKey {
  workspaceId: string;
  evidenceId: string;
}

/** Of each workspace so many at a time: one that submits thousands keeps the news of others by no more. */
const SHARE = 10;

const NIL = "00000000-0000-0000-0000-000000000000";
const FIND = `/* dialogs.evidence-to-tell */
WITH RECURSIVE waiting AS (
  (SELECT e.workspace_id FROM evidence e WHERE ${TO_TELL} ORDER BY e.workspace_id LIMIT 1)
  UNION ALL
  SELECT (SELECT e.workspace_id FROM evidence e
    WHERE ${TO_TELL} AND e.workspace_id > w.workspace_id ORDER BY e.workspace_id LIMIT 1)
  FROM waiting w WHERE w.workspace_id IS NOT NULL
)
SELECT f.workspace_id AS "workspaceId", f.id AS "evidenceId" FROM waiting w
CROSS JOIN LATERAL (
  SELECT e.workspace_id, e.id, row_number() OVER (ORDER BY e.id) AS n FROM evidence e
  WHERE ${TO_TELL} AND e.workspace_id = w.workspace_id AND e.id <> ALL ($2::uuid[])
  ORDER BY e.id LIMIT ${SHARE}
) f
ORDER BY f.n, f.workspace_id <= $3, f.workspace_id LIMIT $1`;

/**
 * Of which chats are not told yet, workspaces in turn, from behind `after` (default: the first);
 * without those that could not be told just now.
 */
export const findToTell = (
  on: Queryable,
  limit: number,
  { after, except }: { after?: string; except: readonly string[] },
): Promise<EvidenceKey[]> => on.query<EvidenceKey>(FIND, [limit, except, after ?? NIL]);

const PRIVATE_PLACES = `/* dialogs.private-places */
SELECT DISTINCT d.connector_id, d.chat_id, d.thread_id FROM dialogs d
WHERE d.evidence_id = $2 AND d.workspace_id = $1 AND d.chat_id > 0
  AND (d.ended_at IS NULL OR d.state = 'submitted')
ORDER BY d.connector_id, d.chat_id, d.thread_id LIMIT 200`;

/** Conversations come before dialogs, as everywhere. */
async function holdPlaces(
  tx: Queryable,
  { workspaceId, evidenceId }: EvidenceKey,
): Promise<Place[]> {
  const rows = await tx.query<{ connector_id: string; chat_id: string; thread_id: string }>(
    PRIVATE_PLACES,
    [workspaceId, evidenceId],
  );
  const places = rows.map((row) => ({
    workspaceId,
    connectorId: row.connector_id,
    chatId: row.chat_id,
    threadId: row.thread_id,
  }));
  for (const place of places) await holdConversation(tx, place);
  return places;
}

/** In one transaction, once for each way it stands; gives what is to be said, last in the transaction. */
export async function tellStanding(
  tx: Transaction,
  key: EvidenceKey,
  nowMs: number,
): Promise<Said[]> {
  const places = await holdPlaces(tx, key);
  const dialogs = await holdOfEvidence(tx, key);
  const standing = await holdToTell(tx, key);
  if (standing === null) return [];
  const context = { nowMs, userId: "0" };
  const told = dialogs.map((dialog) => tellDialog(dialog, standing, context));
  const changed = told.filter(({ isChanged }) => isChanged);
  await writeDialogs(
    tx,
    changed.map(({ dialog }) => dialog),
  );
  for (const place of places) await writeAskedUntil(tx, place);
  await markTold(tx, key);
  return changed.flatMap(({ said }) => said);
}

interface Told {
  dialog: Dialog;
  said: Said[];
  isChanged: boolean;
}

function tellDialog(before: Dialog, standing: Standing, context: Context): Told {
  const event: DialogEvent = { type: "standing-changed", standing };
  const { dialog: becomes, effects } = step(before, event, context);
  const { dialog, said } = show(before, becomes);
  const words = effects.flatMap((effect) =>
    effect.type === "say" ? [sayIn(dialog, effect.text)] : [],
  );
  return { dialog, said: [...said, ...words], isChanged: becomes !== before };
}
