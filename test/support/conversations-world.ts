import { randomInt, randomUUID } from "node:crypto";
import { setChatLink } from "../../src/conversations/chat-links.ts";
import type { RequestSink } from "../../src/conversations/chat-request.ts";
import { listConversations } from "../../src/conversations/conversation-list.ts";
import type { Scope } from "../../src/conversations/effects.ts";
import { createIngestHandler } from "../../src/conversations/ingest-handler.ts";
import { listMessages, type MessageView } from "../../src/conversations/message-list.ts";
import type { Reply, ReplySink } from "../../src/conversations/reply.ts";
import type { Job, LaneBatch } from "../../src/jobs/index.ts";
import { type Database, silentLogger, type Transaction } from "../../src/platform/index.ts";
import { createTestDatabase } from "./database.ts";
import type { Wire } from "./telegram-updates.ts";

export const BOT_USERNAME = "helio_bot";
export const RECEIVED_AT = new Date("2026-01-02T03:04:05.678Z");

/** A database with the ingest handler on it, for tests of this room. */
export interface World {
  db: Database;
  /** As the superuser, for looks at the server. */
  owner: Database;
  /** What the handler wanted said, by committed transactions, in order. */
  replies: Reply[];
  /** Transactions begun by ingesting; more than there were calls: one was a deadlock's victim. */
  readonly tries: number;
  /** A new workspace with one connector. */
  newScope(): Promise<Scope>;
  /** Another connector of the same workspace. */
  newConnector(workspaceId: string): Promise<Scope>;
  /** Ingests updates of one lane in one transaction. */
  ingest(scope: Scope, ...updates: Wire[]): Promise<void>;
  /** Ingests the lanes inside `tx`; answers what the handler wants said. */
  ingestIn(tx: Transaction, lanes: LaneBatch[]): Promise<Reply[]>;
  /** Ingests the lanes in one transaction. */
  ingestLanes(lanes: LaneBatch[]): Promise<void>;
  /** A lane of jobs that carry these updates; ids rise from call to call. */
  lane(scope: Scope, updates: readonly unknown[], name?: string): LaneBatch;
  /** Links a group. */
  link(scope: Scope, chatId: number): Promise<void>;
  /** Messages of each conversation of a connector, oldest conversation first. */
  messages(scope: Scope): Promise<MessageView[][]>;
  /** Their texts. */
  texts(scope: Scope): Promise<Array<Array<string | undefined>>>;
  /** Rows that a workspace has in a table. */
  count(table: string, scope: Scope): Promise<number>;
  drop(): Promise<void>;
}

export interface WorldOptions {
  requests?: RequestSink;
  /** Given what the handler wants said, before it stands among `replies`. Default: nothing is sent. */
  sends?: ReplySink;
}

export async function createWorld({ requests, sends }: WorldOptions = {}): Promise<World> {
  const { db, owner, drop } = await createTestDatabase();
  const replies: Reply[] = [];
  let lastJobId = 0;
  let tries = 0;

  const newConnector = async (workspaceId: string): Promise<Scope> => {
    const connectorId = randomUUID();
    await db.query(
      `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
         can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
       VALUES ($1, $2::uuid, 'Desk', 'active', $3, $4, true, '\\x00', $2::uuid::text, sha256('\\x00'))`,
      [workspaceId, connectorId, randomInt(2 ** 47), BOT_USERNAME],
    );
    return { workspaceId, connectorId };
  };

  const messages = async (scope: Scope): Promise<MessageView[][]> => {
    const { workspaceId } = scope;
    const { data } = await listConversations(db, scope);
    const pages = data
      .reverse()
      .map(({ id }) => listMessages(db, { workspaceId, conversationId: id, limit: 200 }));
    return (await Promise.all(pages)).map((page) => page?.data ?? []);
  };

  const ingestIn = async (tx: Transaction, lanes: LaneBatch[]): Promise<Reply[]> => {
    tries++;
    const said: Reply[] = [];
    const handler = createIngestHandler({
      replies: async (on, wanted) => {
        await sends?.(on, wanted);
        said.push(...wanted);
      },
      requests,
      log: silentLogger,
    });
    await handler.run(tx, lanes);
    return said;
  };

  const ingestLanes = async (lanes: LaneBatch[]): Promise<void> => {
    replies.push(...(await db.transaction((tx) => ingestIn(tx, lanes))));
  };

  const lane = (scope: Scope, updates: readonly unknown[], name = "lane"): LaneBatch => ({
    lane: `${scope.connectorId}/${name}`,
    workspaceId: scope.workspaceId,
    jobs: updates.map((update): Job => {
      lastJobId++;
      return {
        id: String(lastJobId),
        queue: "ingest",
        lane: `${scope.connectorId}/${name}`,
        workspaceId: scope.workspaceId,
        kind: "update",
        orderingKey: null,
        priority: 5,
        payload: { connectorId: scope.connectorId },
        body: Buffer.isBuffer(update) ? update : Buffer.from(JSON.stringify(update)),
        attempts: 0,
        maxAttempts: 8,
        createdAt: RECEIVED_AT,
        causeId: null,
      };
    }),
  });

  return {
    db,
    owner,
    replies,
    get tries() {
      return tries;
    },
    newConnector,
    newScope: async () => {
      const workspaceId = randomUUID();
      await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'Workspace')", [workspaceId]);
      return newConnector(workspaceId);
    },
    ingest: (scope, ...updates) => ingestLanes([lane(scope, updates)]),
    ingestIn,
    ingestLanes,
    lane,
    link: async (scope, chatId) => {
      await setChatLink(db, { ...scope, chatId: String(chatId), linked: true });
    },
    messages,
    texts: async (scope) =>
      (await messages(scope)).map((conversation) => conversation.map(({ text }) => text)),
    count: async (table, { workspaceId }) => {
      const sql = `SELECT count(*)::int AS n FROM ${table} WHERE workspace_id = $1`;
      const [row] = await db.query<{ n: number }>(sql, [workspaceId]);
      return row?.n ?? -1;
    },
    drop,
  };
}
