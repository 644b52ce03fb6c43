import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  createSnoozeKeeper,
  listContacts,
  listConversations,
  supportTimes,
} from "../src/conversations/index.ts";
import {
  type Database,
  openDatabase,
  silentLogger,
  type Transactor,
} from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/**
 * The queue is looked at all day, as a workspace's own call, while its tables are at their largest and
 * perhaps without statistics: a page must read what it shows. A statement that read its table, or that sorted what
 * it found, would read tens of thousands of rows here.
 */
const GROWN = 30_000;
const TABLES =
  "conversations contacts account_rules accounts chats topics conversation_events".split(" ");
const [workspaceId, other] = [randomUUID(), randomUUID()];
const [connectorId, otherConnector] = [randomUUID(), randomUUID()];
const accountId = randomUUID();
let database: TestDatabase;
let db: Database;
/** As a call of the workspace sees it. */
let own: Transactor;

beforeAll(async () => {
  database = await createTestDatabase();
  for (const table of TABLES) {
    await database.owner.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  const setUp = openDatabase({ url: database.url, max: 1 });
  const series = `FROM generate_series(1, ${GROWN}) n`;
  for (const [workspace, connector] of [
    [workspaceId, connectorId],
    [other, otherConnector],
  ]) {
    const ids = `'${workspace}'::uuid, '${connector}'::uuid`;
    const statements = [
      `INSERT INTO workspaces (id, name) VALUES ('${workspace}', 'test')`,
      `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
           can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
         VALUES (${ids}, 'Desk', 'active', hashtext('${connector}')::bigint + 3000000000, 'b', true,
           '\\x00', '${connector}', sha256('\\x00'))`,
      `INSERT INTO chats (workspace_id, connector_id, chat_id, type)
         SELECT ${ids}, n, 'private' ${series}`,
      `INSERT INTO contacts (workspace_id, telegram_user_id, first_name, last_name, username, is_bot,
           updated_at, domain)
         SELECT '${workspace}', n, 'Name ' || n, 'Last ' || n, 'user' || n, false, now(),
           CASE WHEN n % 1000 = 0 THEN 'acme.example' END ${series}`,
      // Half of them open, a tenth of those assigned; all but a few of the rest closed.
      `INSERT INTO conversations (workspace_id, connector_id, chat_id, contact_id, last_message_at,
           status, waiting_since, resolved_at, snoozed_until, assignee)
         SELECT ${ids}, n, p.id, now(), s.status,
           CASE WHEN s.status = 'open' THEN now() - n * interval '1 s' END,
           CASE WHEN s.status = 'closed' THEN now() END,
           CASE WHEN s.status = 'snoozed' THEN now() + interval '1 h' END,
           CASE WHEN n % 10 = 0 THEN 'ada' WHEN n % 5000 = 1 THEN 'bob' ELSE '' END
         FROM generate_series(1, ${GROWN}) n
         JOIN contacts p ON p.workspace_id = '${workspace}' AND p.telegram_user_id = n
         CROSS JOIN LATERAL (SELECT CASE WHEN n % 2 = 0 THEN 'open' WHEN n % 1001 = 0 THEN 'snoozed'
           WHEN n % 1003 = 0 THEN 'waiting' ELSE 'closed' END AS status) s`,
      `INSERT INTO conversation_events (workspace_id, conversation_id, what, elapsed_ms, at)
         SELECT workspace_id, id, 'first_response', 5, now() - id * interval '1 min'
         FROM conversations WHERE workspace_id = '${workspace}'`,
    ];
    for (const statement of statements) await setUp.query(statement);
  }
  await setUp.query(
    `INSERT INTO accounts (workspace_id, id, name) VALUES ('${workspaceId}', '${accountId}', 'Acme')`,
  );
  await setUp.query(
    `INSERT INTO account_rules (workspace_id, id, account_id, domain)
     VALUES ('${workspaceId}', gen_random_uuid(), '${accountId}', 'acme.example')`,
  );
  await setUp.close();
  db = openDatabase({ url: database.url, max: 1 });
  own = db.asTenant(workspaceId);
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const LIMIT = 20;
const list = (filter: object) => async () => {
  const first = await listConversations(own, {
    workspaceId,
    limit: LIMIT,
    ...filter,
  });
  const cursor = first.nextCursor;
  if (cursor === null) return first.data;
  return (await listConversations(own, { workspaceId, limit: LIMIT, cursor, ...filter })).data;
};
const contacts = (search: string) => async () => {
  const page = { workspaceId, search, limit: LIMIT };
  const { nextCursor: cursor } = await listContacts(own, page);
  return (await listContacts(own, { ...page, cursor })).data;
};
/** Two pages, each row with its contact, chat, topic and rules. */
const TWO_PAGES = 2 * (LIMIT + 1) * 8;

test.each<[string, () => Promise<unknown>, number]>([
  ["all conversations", list({}), TWO_PAGES],
  ["the queue", list({ sort: "waiting" }), TWO_PAGES],
  ["the queue of one", list({ sort: "waiting", assignee: "ada" }), TWO_PAGES],
  ["the queue of one who has little to do", list({ sort: "waiting", assignee: "bob" }), TWO_PAGES],
  ["the queue of nobody", list({ sort: "waiting", assignee: null }), TWO_PAGES],
  ["the waiting", list({ status: "waiting" }), TWO_PAGES],
  ["the snoozed", list({ status: "snoozed" }), TWO_PAGES],
  ["the closed of one", list({ status: "closed", assignee: "bob" }), TWO_PAGES],
  ["all of one", list({ assignee: "bob" }), 4 * TWO_PAGES],
  ["all of nobody", list({ assignee: null }), 4 * TWO_PAGES],
  // Its thirty contacts, for each page.
  ["an account's", list({ accountId }), 2 * 30 * 12],
  ["contacts by the beginning of all names", contacts("name"), 3 * TWO_PAGES],
  ["contacts by username", contacts("user12"), 3 * TWO_PAGES],
  [
    "a day's response times",
    () =>
      supportTimes(own, {
        workspaceId,
        from: new Date(Date.now() - 10 * 3_600_000),
        to: new Date(),
      }),
    700,
  ],
  ["the snoozes that are over", () => createSnoozeKeeper({ db, log: silentLogger }).runOnce(), 30],
])("what is read for %s is what is shown", async (_what, look, most) => {
  // Twice and more: the plan for any parameters comes after the first few.
  for (let round = 0; round < 7; round++) {
    const read = await rowsRead(db, TABLES, look);
    expect({ round, read, bounded: read <= most }).toEqual({ round, read, bounded: true });
  }
});
