import type { Button, MessageEntity, NewMessage } from "../outbound/index.ts";
import type { Queryable, Transaction } from "../platform/index.ts";
import type { BroadcastText } from "./create-broadcast.ts";
import { messageFor } from "./message-for.ts";

/**
 * A broadcast that has to be approved is asked about once, by its sample: the message of its first
 * recipient. It waits as any message that awaits approval; once it is approved it is sent, and the
 * other recipients get what it says. Rejected, or not approved in time, it ends the broadcast.
 */

interface Which {
  workspaceId: string;
  id: string;
}

const FIRST = `/* broadcasts.first-recipient */
SELECT b.connector_id, b.message, b.created_by, b.send_at, r.chat_id
FROM broadcasts b
CROSS JOIN LATERAL (
  SELECT chat_id FROM broadcast_recipients
  WHERE broadcast_id = b.id AND (workspace_id = b.workspace_id) IS TRUE AND message_id IS NULL
    AND skipped IS NULL
  ORDER BY chat_id LIMIT 1
) r
WHERE b.workspace_id = $1 AND b.id = $2`;

/** What would stand for all of a broadcast that was just accepted; null where nobody is to get it. */
export async function sampleOf(
  on: Queryable,
  { workspaceId, id }: Which,
): Promise<NewMessage | null> {
  const [row] = await on.query<{
    connector_id: string;
    message: BroadcastText;
    created_by: string;
    send_at: Date | null;
    chat_id: string;
  }>(FIRST, [workspaceId, id]);
  if (row === undefined) return null;
  const message = messageFor(row, { workspaceId, id, chatId: row.chat_id });
  return { ...message, sendAt: row.send_at ?? undefined };
}

const AWAIT = `/* broadcasts.await-approval */
UPDATE broadcasts SET state = 'awaiting_approval', sample_id = $3, fed = fed + 1, due_at = now()
WHERE workspace_id = $1 AND id = $2`;
const MARK = `/* broadcasts.mark-sample */
UPDATE broadcast_recipients SET message_id = $4
WHERE workspace_id = $1 AND broadcast_id = $2 AND chat_id = $3`;

/** Has a broadcast wait for its sample, which awaits approval under the id of `messageId`. */
export async function awaitApproval(
  tx: Transaction,
  { workspaceId, id, chatId, messageId }: Which & { chatId: string; messageId: string },
): Promise<void> {
  await tx.engine.query(MARK, [workspaceId, id, chatId, messageId]);
  await tx.engine.query(AWAIT, [workspaceId, id, messageId]);
}

const LOOK = `/* broadcasts.look-at-sample */
SELECT m.approved, m.state, m.text, m.entities, m.buttons, m.template,
  m.template_version AS version, EXISTS (
    SELECT FROM approval_decisions d
    WHERE d.workspace_id = m.workspace_id AND d.message_id = m.id AND d.verdict = 'edited'
  ) AS is_edited
FROM outbound_messages m WHERE m.workspace_id = $1 AND m.id = $2`;

interface Sample {
  approved: boolean;
  state: string;
  text: string;
  entities: MessageEntity[] | null;
  buttons: Button[][] | null;
  template: string | null;
  version: number | null;
  is_edited: boolean;
}
const LATER = `/* broadcasts.await-on */
UPDATE broadcasts SET due_at = now() + interval '1 s' WHERE workspace_id = $1 AND id = $2`;
/** An approver may have edited it. */
const START = `/* broadcasts.start-approved */
UPDATE broadcasts SET state = 'running', due_at = greatest(send_at, now()), message = message || $3
WHERE workspace_id = $1 AND id = $2`;
const END = `/* broadcasts.end-asked */
UPDATE broadcasts SET state = $3, error = $4, finished_at = now(), due_at = NULL
WHERE workspace_id = $1 AND id = $2`;
const WORDS_GONE = "What was approved has vanished before the others could get it.";

/**
 * What was approved. A notice that vanished has lost its words: then it is what was submitted, unless an
 * approver wrote something else, which nobody knows any more (null).
 */
function approvedOf(sample: Sample): Record<string, unknown> | null {
  const { text, entities, buttons, template: name, version } = sample;
  if (text === "") return sample.is_edited ? null : {};
  const template = name === null ? null : { name, version };
  return { text, entities: entities ?? [], buttons, template };
}

/** Looks what became of the sample of a broadcast that awaits approval and is held. `tx`: the engine's. */
export async function followSample(
  tx: Queryable,
  { workspaceId, id, sampleId }: Which & { sampleId: string | null },
): Promise<void> {
  const key = [workspaceId, id];
  const [sample] = await tx.query<Sample>(LOOK, [workspaceId, sampleId]);
  if (sample?.approved) {
    const said = approvedOf(sample);
    if (said === null) await tx.query(END, [...key, "cancelled", WORDS_GONE]);
    else await tx.query(START, [...key, JSON.stringify({ ...said, isApproved: true })]);
  } else if (sample?.state === "awaiting_approval") await tx.query(LATER, key);
  else await tx.query(END, [...key, "rejected", null]);
}

const CANCEL = `/* broadcasts.cancel-sample */
UPDATE outbound_messages SET state = 'cancelled', error_class = 'broadcast-cancelled',
  error = 'The broadcast was cancelled before this was approved.'
WHERE workspace_id = $1 AND id = $2 AND state = 'awaiting_approval'`;

/** Nobody is asked any more about the sample of a broadcast that is cancelled. */
export async function cancelSample(
  tx: Transaction,
  { workspaceId, sampleId }: { workspaceId: string; sampleId: string | null },
): Promise<void> {
  if (sampleId !== null) await tx.engine.query(CANCEL, [workspaceId, sampleId]);
}
