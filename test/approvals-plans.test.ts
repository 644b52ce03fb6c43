import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  createApprovalKeeper,
  createPressSink,
  decide,
  findApproval,
  holdForApproval,
  listApprovals,
} from "../src/approvals/index.ts";
import { insertJobs } from "../src/jobs/index.ts";
import type { JobSink } from "../src/outbound/index.ts";
import { type Database, openDatabase, silentLogger } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/**
 * Whatever is asked about one message among very many that wait, tables grown and without statistics,
 * reads the rows of that one.
 */
const GROWN = 10_000;
const TABLES =
  "outbound_messages approvals approval_decisions approval_buttons chats people api_keys".split(
    " ",
  );
const [workspaceId, connectorId] = [randomUUID(), randomUUID()];
const jobs: JobSink = { enqueueIn: (tx, some) => insertJobs(tx.engine, some) };
let database: TestDatabase;
let db: Database;
let lastMessage = 0;

/** Number n among those that wait. */
const messageId = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const next = () => messageId(++lastMessage);

beforeAll(async () => {
  database = await createTestDatabase();
  for (const table of TABLES) {
    await database.owner.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  const ids = `'${workspaceId}'::uuid, '${connectorId}'::uuid`;
  const message = "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid";
  const series = `FROM generate_series(1, ${GROWN}) n`;
  const setUp = openDatabase({ url: database.url, max: 1 });
  for (const statement of [
    `INSERT INTO workspaces (id, name) VALUES ('${workspaceId}', 'test')`,
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES (${ids}, 'Desk', 'active', 1, 'b', true, '\\x00', 'key', sha256('\\x00'))`,
    `INSERT INTO chats (workspace_id, connector_id, chat_id, type) SELECT ${ids}, n, 'private' ${series}`,
    `INSERT INTO people (workspace_id, name, telegram_user_id, bound_at)
     SELECT '${workspaceId}', 'P', n, now() ${series}`,
    `INSERT INTO outbound_messages (workspace_id, connector_id, id, chat_id, kind, text,
       on_unknown, state)
     SELECT ${ids}, ${message}, '5', 'message', 'Pay', 'hold', 'awaiting_approval' ${series}`,
    `INSERT INTO approvals (workspace_id, message_id, rule_id, rule, needed, expires_at)
     SELECT '${workspaceId}', ${message}, gen_random_uuid(),
       '{"name": "R", "personIds": [], "chat": null, "kind": "message"}', 1,
       now() + n * interval '1 h' ${series}`,
    `INSERT INTO approval_decisions (workspace_id, message_id, approver, version, verdict)
     SELECT '${workspaceId}', ${message}, 'key:${randomUUID()}', sha256('x'), 'approved' ${series}`,
    `INSERT INTO approval_buttons (workspace_id, token_hash, message_id, verdict, version,
       connector_id, chat_id)
     SELECT '${workspaceId}', sha256(n::text::bytea), ${message}, 'approve', sha256('x'),
       '${connectorId}', 5 ${series}`,
    `INSERT INTO approval_rules (workspace_id, name, conditions, approvals, expires_after_s)
     VALUES ('${workspaceId}', 'R', '{}', 1, 3600)`,
  ]) {
    await setUp.query(statement);
  }
  await setUp.close();
  db = openDatabase({ url: database.url, max: 1 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const own = () => db.asTenant(workspaceId);
const page = (beforeSeq?: string) =>
  listApprovals(own(), { workspaceId, state: "waiting", beforeSeq, rows: 20 });
const approve = async () => {
  const id = next();
  const version = (await findApproval(own(), { workspaceId, messageId: id }))?.version ?? "";
  const act = {
    workspaceId,
    messageId: id,
    approver: `key:${randomUUID()}`,
    version,
    verdict: "approve" as const,
  };
  const [decided] = await own().transaction((tx) => decide(tx, jobs, [act]));
  expect(decided).toMatchObject({ state: "approved" });
};
const submit = () =>
  own().transaction((tx) => {
    const message = { workspaceId, connectorId, chatId: "77", text: "Pay" };
    return holdForApproval(tx, jobs, { message, kind: "message" });
  });
const press = () =>
  db.transaction((tx) => {
    const where = { workspaceId, connectorId, chatId: "5", userId: "9" };
    const pressed = { ...where, token: String(++lastMessage), callbackQueryId: "1", causeId: "1" };
    return createPressSink({ jobs })(tx, [pressed]);
  });
const end = async () => {
  const due = [next(), next()];
  await db.query("UPDATE approvals SET expires_at = now() WHERE message_id = ANY ($1)", [due]);
  return rowsRead(db, TABLES, async () => {
    expect(await createApprovalKeeper({ db, jobs, log: silentLogger }).runOnce()).toBe(2);
  });
};

test.each<[string, () => Promise<unknown>, number]>([
  ["two pages of a list", async () => page((await page()).at(-1)?.seq), 2 * 20 * 5],
  ["one that is looked at and approved", approve, 30],
  ["a message that comes to wait", submit, 10],
  ["a press", press, 20],
])("what is read for %s is what it is about", async (_what, doing, most) => {
  // Twice and more: the plan for any parameters comes after the first few.
  for (let round = 0; round < 7; round++) {
    const read = await rowsRead(db, TABLES, doing);
    expect({ round, read, bounded: read <= most }).toEqual({ round, read, bounded: true });
  }
});

test("what is read for those that are due is what is due", async () => {
  for (let round = 0; round < 7; round++) expect(await end()).toBeLessThan(80);
});
