import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { listEntries } from "../src/audit/index.ts";
import { healthOfConnectors } from "../src/connectors/index.ts";
import { listChats, listConversations, listMessages } from "../src/conversations/index.ts";
import { queueStats } from "../src/jobs/index.ts";
import { getMessage, listOutbound, sendFigures, whyWaiting } from "../src/outbound/index.ts";
import { type Database, openDatabase } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/**
 * Row-level security adds a condition to every statement of a workspace, and lets no index be used
 * for another condition before it unless that tells nothing of a row. What a call reads must be what
 * it shows, whatever else the workspace has, and others have: tens of thousands of rows here.
 */
const GROWN = 20_000;
const [big, other] = [randomUUID(), randomUUID()];
const connectorOf: Record<string, string> = { [big]: randomUUID(), [other]: randomUUID() };
const TABLES = (
  "chats contacts conversations messages outbound_messages send_attempts send_holds " +
  "audit_entries audit_seals connectors connector_watch seen_updates jobs"
).split(" ");

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  const setUp = openDatabase({ url: database.url, max: 1, as: "login" });
  for (const table of TABLES) {
    await setUp.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  for (const workspace of [big, other]) {
    const ids = `'${workspace}'::uuid, '${connectorOf[workspace]}'::uuid`;
    const series = `FROM generate_series(1, ${GROWN}) n`;
    for (const statement of [
      `INSERT INTO workspaces (id, name) VALUES ('${workspace}', 'test')`,
      `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
           can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
         VALUES (${ids}, 'Desk', 'active', hashtext('${workspace}'), 'b', true, '\\x00',
           '${workspace}', sha256('\\x00'))`,
      `INSERT INTO chats (workspace_id, connector_id, chat_id, type)
         SELECT ${ids}, n, 'private' ${series}`,
      `INSERT INTO conversations (workspace_id, connector_id, chat_id, last_message_at)
         SELECT ${ids}, n, now() ${series}`,
      `INSERT INTO messages (workspace_id, conversation_id, connector_id, chat_id,
           telegram_message_id, direction, kind, sent_at, received_at)
         SELECT workspace_id, id, connector_id, chat_id, k, 'in', 'text', now(), now()
         FROM conversations, generate_series(1, 2) k WHERE workspace_id = '${workspace}'`,
      `INSERT INTO outbound_messages (workspace_id, id, connector_id, chat_id, kind, text,
           on_unknown)
         SELECT '${workspace}', ('00000000-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid,
           '${connectorOf[workspace]}', '5', 'message', 'x', 'hold' ${series}`,
      `INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
           job_attempt, started_at, deadline_at, outcome)
         SELECT workspace_id, gen_random_uuid(), id, connector_id, chat_id, 1, 1,
           now() - interval '1 h', now(), 'sent' FROM outbound_messages
         WHERE workspace_id = '${workspace}'`,
      `INSERT INTO audit_entries (workspace_id, at, actor_kind, actor_id, action, subject_kind, subject_id)
         SELECT '${workspace}', now() - n * interval '1 s', 'api_key', 'key',
           'message.submitted', 'message', 'm' || n ${series}`,
      `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, filed, shelf, priority, payload,
           run_at, max_attempts, created_at)
         SELECT '${workspace}', nextval('job_ids'), 'ingest', 'lane-' || n % 100, 'update', 'completed', true,
           shelf_of('ingest', 'completed', now(), now()), 5, '{}', now(), 8, now() ${series}`,
    ]) {
      await setUp.query(statement);
    }
  }
  await setUp.close();
  db = openDatabase({ url: database.url, max: 1 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const own = () => db.asTenant(big);
const connectorId = connectorOf[big] ?? "";
const conversation = async () =>
  (await listConversations(own(), { workspaceId: big, limit: 1 })).data[0]?.id ?? "";

test.each<[string, () => Promise<unknown>, number]>([
  ["conversations", () => listConversations(own(), { workspaceId: big, limit: 20 }), 60],
  [
    "a conversation's messages",
    async () =>
      listMessages(own(), { workspaceId: big, conversationId: await conversation(), limit: 20 }),
    30,
  ],
  ["chats", () => listChats(own(), { workspaceId: big, connectorId, limit: 20 }), 60],
  [
    "a message that is sent",
    () => getMessage(own(), { workspaceId: big, id: "00000000-0000-4000-8000-000000000077" }),
    5,
  ],
  [
    "what was sent",
    () => listOutbound(own(), { workspaceId: big, connectorId }, { limit: 20 }),
    80,
  ],
  [
    "what was sent to a chat, further down",
    () =>
      listOutbound(
        own(),
        { workspaceId: big, chatId: "5" },
        {
          limit: 20,
          after: { createdAt: "2999-01-01T00:00:00Z", id: "00000000-0000-4000-8000-000000000000" },
        },
      ),
    60,
  ],
  [
    "what failed in a chat where nothing did",
    () =>
      listOutbound(
        own(),
        { workspaceId: big, chatId: "5", states: ["failed", "unknown"] },
        { limit: 20 },
      ),
    20,
  ],
  ["the audit log", () => listEntries(own(), { workspaceId: big }, { limit: 20 }), 100],
  [
    "a subject in the audit log",
    () => listEntries(own(), { workspaceId: big, subjectId: "m77" }, { limit: 20 }),
    20,
  ],
  ["a bot's health", () => healthOfConnectors(own(), big, [connectorId]), 30],
  ["how a bot sends", () => sendFigures(own(), [connectorId]), 60],
  [
    "why a message waits",
    () =>
      own().transaction((tx) =>
        whyWaiting(tx.engine, {
          workspaceId: big,
          id: "00000000-0000-4000-8000-000000000077",
        }),
      ),
    30,
  ],
  ["queues", () => queueStats(own(), big), 3_000],
])("what a workspace's call reads for %s is what it shows", async (_what, look, most) => {
  // Twice and more: the plan for any parameters comes after the first few.
  for (let round = 0; round < 7; round++) {
    const read = await rowsRead(db, TABLES, look);
    expect({ round, read, bounded: read <= most }).toEqual({ round, read, bounded: true });
  }
});

test("the policy's condition leads to its rows by an index, also where the SQL names no workspace", async () => {
  const plan = (
    await own().query<{ "QUERY PLAN": string }>(
      "EXPLAIN SELECT * FROM messages WHERE conversation_id = 1 ORDER BY id LIMIT 10",
    )
  ).map((row) => row["QUERY PLAN"]);
  expect(plan.join("\n")).toMatch(/Index Cond: \(\(workspace_id = .*current_setting/);
  expect(plan.join("\n")).not.toContain("Filter");
});

test("for the engine a policy is no condition at all", async () => {
  const plan = (
    await db.query<{ "QUERY PLAN": string }>(
      "EXPLAIN SELECT * FROM messages WHERE workspace_id = $1 AND conversation_id = 1",
      [big],
    )
  ).map((row) => row["QUERY PLAN"]);
  expect(plan.join("\n")).toContain("Index Cond: ((workspace_id = ");
  expect(plan.join("\n")).not.toMatch(/Filter|current_setting/);
});
