import type { Transaction } from "../platform/index.ts";
import type { Changes } from "./compact.ts";
import type { Dated } from "./topics.ts";
import { isoOfS } from "./write-chats.ts";

/** Each fact by its own time; a fact that says nothing (null time) changes nothing. */
export const LATER_FACTS = `
  name = CASE WHEN excluded.named_at >= coalesce(t.named_at, excluded.named_at)
    THEN excluded.name ELSE t.name END,
  named_at = greatest(t.named_at, excluded.named_at),
  closed = CASE WHEN excluded.closed_at >= coalesce(t.closed_at, excluded.closed_at)
    THEN excluded.closed ELSE t.closed END,
  closed_at = greatest(t.closed_at, excluded.closed_at),
  hidden = CASE WHEN excluded.hidden_at >= coalesce(t.hidden_at, excluded.hidden_at)
    THEN excluded.hidden ELSE t.hidden END,
  hidden_at = greatest(t.hidden_at, excluded.hidden_at)`;

/**
 * Messages of an old topic name it again and again: what is known as well or better is left out
 * before it would lock and rewrite the row.
 */
const UPSERT_TOPICS = `/* ingest.upsert-topics */
INSERT INTO topics AS t (workspace_id, connector_id, chat_id, thread_id, name, named_at, closed,
  closed_at, hidden, hidden_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[],
    $6::timestamptz[], $7::boolean[], $8::timestamptz[], $9::boolean[], $10::timestamptz[])
  AS i(workspace_id, connector_id, chat_id, thread_id, name, named_at, closed, closed_at, hidden,
    hidden_at)
WHERE NOT EXISTS (
  SELECT 1 FROM topics k
  WHERE k.workspace_id = i.workspace_id AND k.connector_id = i.connector_id
    AND k.chat_id = i.chat_id AND k.thread_id = i.thread_id
    AND (i.named_at IS NULL OR k.named_at > i.named_at OR (k.named_at, k.name) = (i.named_at, i.name))
    AND (i.closed_at IS NULL OR k.closed_at > i.closed_at
      OR (k.closed_at, k.closed) = (i.closed_at, i.closed))
    AND (i.hidden_at IS NULL OR k.hidden_at > i.hidden_at
      OR (k.hidden_at, k.hidden) = (i.hidden_at, i.hidden))
)
ORDER BY 1, 2, 3, 4
ON CONFLICT (workspace_id, connector_id, chat_id, thread_id) DO UPDATE SET ${LATER_FACTS}`;

export async function writeTopics(tx: Transaction, topics: Changes["topics"]): Promise<void> {
  if (topics.length === 0) return;
  const timeOf = (fact: Dated<unknown> | null) => (fact === null ? null : isoOfS(fact.atS));
  await tx.query(UPSERT_TOPICS, [
    topics.map(({ scope }) => scope.workspaceId),
    topics.map(({ scope }) => scope.connectorId),
    topics.map(({ chatId }) => chatId),
    topics.map(({ threadId }) => threadId),
    topics.map(({ name }) => name?.value ?? null),
    topics.map(({ name }) => timeOf(name)),
    topics.map(({ closed }) => closed?.value ?? null),
    topics.map(({ closed }) => timeOf(closed)),
    topics.map(({ hidden }) => hidden?.value ?? null),
    topics.map(({ hidden }) => timeOf(hidden)),
  ]);
}
