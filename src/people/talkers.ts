import { fewRows, type Transaction } from "../platform/index.ts";
import type { PeerRefusal } from "./refusals.ts";

/** A person whose Telegram account is known. */
export interface Talker {
  workspaceId: string;
  telegramUserId: string;
  personId: string;
  agentEnabled: boolean;
}

export interface Talkers {
  people: Talker[];
  /** Whom connectors name, among the people asked for. */
  named: Array<{ connectorId: string; personId: string }>;
  refusals: PeerRefusal[];
}

export interface TalkersQuery {
  /** Accounts, each once a workspace. */
  accounts: Array<{ workspaceId: string; telegramUserId: string }>;
  /** People who may become known within this transaction. */
  people: Array<{ workspaceId: string; personId: string }>;
  /** Accounts and chats that may have been refused, each once a connector. */
  peers: Array<{ workspaceId: string; connectorId: string; peerId: string }>;
}

/**
 * One statement, one JSON a table, as with the rest of what a batch of updates looks at. OFFSET 0: named
 * people are looked up one by one, however few the planner believes there are.
 */
const FIND = `/* people.find-talkers */
WITH bound AS MATERIALIZED (
  SELECT p.workspace_id, p.telegram_user_id, p.id, p.agent_enabled
  FROM (
    SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS k(workspace_id, telegram_user_id)
    ${fewRows("$1")}
  ) k
  JOIN people p USING (workspace_id, telegram_user_id)
), meant AS (
  SELECT workspace_id, id FROM bound
  UNION SELECT * FROM unnest($3::uuid[], $4::uuid[])
)
SELECT
  (SELECT json_agg(json_build_array(b.workspace_id, b.telegram_user_id::text, b.id,
      b.agent_enabled)) FROM bound b) AS people,
  (SELECT json_agg(json_build_array(n.connector_id, n.person_id))
    FROM meant m CROSS JOIN LATERAL (
      SELECT connector_id, person_id FROM connector_people
      WHERE workspace_id = m.workspace_id AND person_id = m.id OFFSET 0
    ) n) AS named,
  (SELECT json_agg(json_build_array(r.workspace_id, r.connector_id, r.peer_id::text,
      floor(extract(epoch FROM r.dropped_at)), floor(extract(epoch FROM r.told_at) * 1000),
      r.wrong_codes, floor(extract(epoch FROM r.wrong_since) * 1000)))
    FROM (
      SELECT * FROM unnest($5::uuid[], $6::uuid[], $7::bigint[])
        AS k(workspace_id, connector_id, peer_id) ${fewRows("$5")}
    ) k
    JOIN access_refusals r USING (workspace_id, connector_id, peer_id)) AS refusals`;

type RefusalTuple = [
  workspaceId: string,
  connectorId: string,
  peerId: string,
  droppedAtS: number | null,
  toldAtMs: number | null,
  wrongCodes: number,
  wrongSinceMs: number | null,
];

interface Found {
  people: Array<[workspaceId: string, userId: string, id: string, agentEnabled: boolean]> | null;
  named: Array<[connectorId: string, personId: string]> | null;
  refusals: RefusalTuple[] | null;
}

/** Who these accounts are, whom connectors name, and what is remembered of refusals. */
export async function findTalkers(tx: Transaction, query: TalkersQuery): Promise<Talkers> {
  const { accounts, people, peers } = query;
  const [found] = await tx.query<Found>(FIND, [
    accounts.map(({ workspaceId }) => workspaceId),
    accounts.map(({ telegramUserId }) => telegramUserId),
    people.map(({ workspaceId }) => workspaceId),
    people.map(({ personId }) => personId),
    peers.map(({ workspaceId }) => workspaceId),
    peers.map(({ connectorId }) => connectorId),
    peers.map(({ peerId }) => peerId),
  ]);
  return {
    people: (found?.people ?? []).map(([workspaceId, telegramUserId, personId, agentEnabled]) => ({
      workspaceId,
      telegramUserId,
      personId,
      agentEnabled,
    })),
    named: (found?.named ?? []).map(([connectorId, personId]) => ({ connectorId, personId })),
    refusals: (found?.refusals ?? []).map(refusalOf),
  };
}

function refusalOf(tuple: RefusalTuple): PeerRefusal {
  const [workspaceId, connectorId, peerId, droppedAtS, toldAtMs, wrongCodes, wrongSinceMs] = tuple;
  const refusal = { droppedAtS, toldAtMs, wrongCodes, wrongSinceMs };
  return { workspaceId, connectorId, peerId, refusal };
}
