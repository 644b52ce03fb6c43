import { fewRows, type Transaction } from "../platform/index.ts";
import type { ConversationChange } from "./compact.ts";
import { conversationKeyOf } from "./keys.ts";
import { afterRun, type Run, runsOf, UNHEARD } from "./queue-status.ts";
import { isoOfS } from "./write-chats.ts";
import { type SessionWrite, writeSessions } from "./write-sessions.ts";

/**
 * The rules of queue-status.ts, for a run of the customer's messages or one of the team's, on a row
 * that may have changed since anybody looked: it is locked by the upsert itself. `excluded` is what a
 * conversation is that begins with the run; an event of each change is left by the table's trigger.
 */
const BY_CUSTOMER = "excluded.customer_at > '-infinity'";
const TEAM_IS_LATER = "(excluded.team_at, excluded.team_message) > (c.team_at, c.team_message)";
const CUSTOMER_IS_LATER =
  "(excluded.customer_at, excluded.customer_message) > (c.customer_at, c.customer_message)";
const BY_TEAM = `(${TEAM_IS_LATER}
    AND (excluded.team_at, excluded.team_message) > (c.customer_at, c.customer_message))`;
const BEGINS_OPENING = `(${BY_CUSTOMER} AND (c.opened_at IS NULL OR c.status = 'closed'))`;
const TURN = `
  status = CASE
    WHEN ${BY_CUSTOMER} THEN 'open'
    WHEN c.status = 'open' AND ${BY_TEAM} THEN 'waiting' ELSE c.status END,
  waiting_since = CASE
    WHEN ${BY_CUSTOMER} THEN least(c.waiting_since, excluded.waiting_since)
    WHEN ${BY_TEAM} THEN NULL ELSE c.waiting_since END,
  snoozed_until = CASE WHEN ${BY_CUSTOMER} THEN NULL ELSE c.snoozed_until END,
  resolved_at = CASE WHEN ${BY_CUSTOMER} THEN NULL ELSE c.resolved_at END,
  opened_at = CASE
    WHEN ${BEGINS_OPENING} THEN excluded.opened_at
    WHEN ${BY_CUSTOMER} AND c.first_responded_at IS NULL
      THEN least(c.opened_at, excluded.opened_at) ELSE c.opened_at END,
  first_responded_at = CASE
    WHEN ${BEGINS_OPENING} THEN NULL
    WHEN ${BY_TEAM} AND c.opened_at IS NOT NULL
      THEN coalesce(c.first_responded_at, excluded.team_at) ELSE c.first_responded_at END,
  reopens = c.reopens + CASE WHEN ${BEGINS_OPENING} AND c.opened_at IS NOT NULL THEN 1 ELSE 0 END,
  customer_at = CASE WHEN ${CUSTOMER_IS_LATER} THEN excluded.customer_at ELSE c.customer_at END,
  customer_message = CASE
    WHEN ${CUSTOMER_IS_LATER} THEN excluded.customer_message ELSE c.customer_message END,
  team_at = CASE WHEN ${TEAM_IS_LATER} THEN excluded.team_at ELSE c.team_at END,
  team_message = CASE WHEN ${TEAM_IS_LATER} THEN excluded.team_message ELSE c.team_message END,
  last_actor_kind = coalesce(excluded.last_actor_kind, c.last_actor_kind),
  last_actor = CASE
    WHEN excluded.last_actor_kind IS NULL THEN c.last_actor ELSE excluded.last_actor END`;

/** In a private chat the person who writes is the conversation's contact: one look finds both. */
const UPSERT = `/* conversations.upsert */
INSERT INTO conversations AS c (workspace_id, connector_id, chat_id, thread_id,
  business_connection_id, contact_id, last_message_at, acknowledged_at, status, waiting_since,
  opened_at, customer_at, customer_message, team_at, team_message, last_actor_kind, last_actor, denied,
  session_last_at)
SELECT i.workspace_id, i.connector_id, i.chat_id, i.thread_id, i.business_connection_id,
  CASE WHEN i.contact_user_id IS NOT NULL THEN p.id END, i.last_message_at, i.acknowledged_at,
  i.status, i.opened_at, i.opened_at, i.customer_at, i.customer_message, i.team_at, i.team_message,
  i.side, CASE WHEN i.side = 'customer' THEN p.id::text END, i.denied, i.session_last_at
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[],
      $7::timestamptz[], $8::timestamptz[], $9::text[], $10::timestamptz[], $11::timestamptz[],
      $12::bigint[], $13::timestamptz[], $14::bigint[], $15::text[], $16::bigint[], $17::boolean[],
      $18::timestamptz[])
    AS i(workspace_id, connector_id, chat_id, thread_id, business_connection_id, contact_user_id,
      last_message_at, acknowledged_at, status, opened_at, customer_at, customer_message, team_at,
      team_message, side, customer_user_id, denied, session_last_at)
  ${fewRows("$1")}
) i
LEFT JOIN LATERAL (
  SELECT p.id FROM contacts p
  WHERE p.workspace_id = i.workspace_id
    AND p.telegram_user_id = coalesce(i.contact_user_id, i.customer_user_id) OFFSET 0
) p ON true
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (workspace_id, connector_id, chat_id, thread_id, business_connection_id) DO UPDATE SET
  contact_id = coalesce(c.contact_id, excluded.contact_id),
  last_message_at = greatest(c.last_message_at, excluded.last_message_at),
  acknowledged_at = coalesce(c.acknowledged_at, excluded.acknowledged_at),
  denied = c.denied AND excluded.denied,
  session_last_at = coalesce(excluded.session_last_at, c.session_last_at),${TURN}
RETURNING id, workspace_id, connector_id, chat_id, thread_id, business_connection_id,
  session_ended_at`;

interface ConversationRow {
  id: string;
  workspace_id: string;
  connector_id: string;
  chat_id: string;
  thread_id: string;
  business_connection_id: string;
  session_ended_at: Date | null;
}

interface Step {
  change: ConversationChange;
  /** Null: nothing was said that counts for the queue. */
  run: Run | null;
}

/**
 * Makes or updates conversations, and with them whose turn it is, then their sessions; answers their ids by key. One
 * statement, but where both sides of one conversation speak in turns within the batch (a business
 * account's): then one more for each turn.
 */
export async function writeConversations(
  tx: Transaction,
  changes: readonly ConversationChange[],
): Promise<Map<string, string>> {
  const stored = new Map<string, ConversationRow>();
  const runs = changes.map(({ turns }) => runsOf(turns));
  for (let n = 0; n === 0 || runs.some((of) => of.length > n); n++) {
    const steps = changes.flatMap((change, of): Step[] => {
      const run = runs[of]?.[n] ?? null;
      return n === 0 || run !== null ? [{ change, run }] : [];
    });
    for (const row of await tx.query<ConversationRow>(UPSERT, columnsOf(steps))) {
      stored.set(keyOfRow(row), row);
    }
  }
  const sessions = changes.flatMap((change) => sessionWrite(change, stored));
  await writeSessions(tx, sessions);
  return new Map([...stored].map(([key, row]) => [key, row.id]));
}

function sessionWrite(
  { key, session }: ConversationChange,
  stored: ReadonlyMap<string, ConversationRow>,
): SessionWrite[] {
  const row = session && stored.get(conversationKeyOf(key));
  if (!row) return [];
  const { workspaceId, connectorId } = key.scope;
  const endedAtMs = row.session_ended_at?.getTime() ?? null;
  return [{ workspaceId, connectorId, conversationId: row.id, endedAtMs, move: session }];
}

function columnsOf(steps: readonly Step[]): unknown[] {
  const begun = steps.map(({ run }) => (run === null ? UNHEARD : afterRun(UNHEARD, run)));
  return [
    steps.map(({ change }) => change.key.scope.workspaceId),
    steps.map(({ change }) => change.key.scope.connectorId),
    steps.map(({ change }) => change.key.chatId),
    steps.map(({ change }) => change.key.threadId),
    steps.map(({ change }) => change.key.businessConnectionId),
    steps.map(({ change }) => change.contactUserId),
    steps.map(({ change }) => isoOfS(change.lastMessageAtS)),
    steps.map(({ change }) => isoOrNull(change.acknowledgedAtMs)),
    begun.map(({ status }) => status),
    begun.map(({ openedAtMs }) => isoOrNull(openedAtMs)),
    begun.map(({ lastCustomer }) => (lastCustomer ? isoOfS(lastCustomer.atS) : "-infinity")),
    begun.map(({ lastCustomer }) => lastCustomer?.messageId ?? "0"),
    begun.map(({ lastTeam }) => (lastTeam ? isoOfS(lastTeam.atS) : "-infinity")),
    begun.map(({ lastTeam }) => lastTeam?.messageId ?? "0"),
    steps.map(({ run }) => run?.side ?? null),
    steps.map(({ run }) => run?.userId ?? null),
    steps.map(({ change }) => change.denied),
    steps.map(({ change }) => isoOrNull(change.session?.state.lastAtMs ?? null)),
  ];
}

const isoOrNull = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString();

const keyOfRow = (row: ConversationRow): string =>
  conversationKeyOf({
    scope: { workspaceId: row.workspace_id, connectorId: row.connector_id },
    chatId: row.chat_id,
    threadId: row.thread_id,
    businessConnectionId: row.business_connection_id,
  });
