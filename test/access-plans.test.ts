import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createSessionCloser } from "../src/conversations/index.ts";
import { openDatabase, silentLogger } from "../src/platform/index.ts";
import { accessWorld } from "./support/access-world.ts";
import { createWorld } from "./support/conversations-world.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";
import { message, pressed, privateChat, T0, user } from "./support/telegram-updates.ts";

/** What is looked up for a batch, or by the clock, is what it is about, however much else there is. */
const TABLES = ["sessions", "conversations", "connectors"];
const OPEN = 20_000;
/** An update reads a dozen rows or so, and what was deleted lately besides; never the twenty thousand. */
const READS_AN_UPDATE = 50;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test("twenty thousand open sessions, of which a few may be over", async () => {
  const [workspaceId, connectorId] = [randomUUID(), randomUUID()];
  const filler = openDatabase({ url: database.url, max: 1, as: "login" });
  for (const table of TABLES) {
    await filler.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  await filler.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [workspaceId]);
  await filler.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username, session_hours,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'Desk', 'active', 1, 'b', 24, true, '\\x00', 'k', sha256('\\x00'))`,
    [workspaceId, connectorId],
  );
  await filler.query(
    `INSERT INTO chats (workspace_id, connector_id, chat_id, type)
     SELECT $1, $2, n, 'private' FROM generate_series(1, ${OPEN}) n`,
    [workspaceId, connectorId],
  );
  await filler.query(
    `INSERT INTO conversations (workspace_id, connector_id, chat_id, last_message_at,
       session_last_at)
     SELECT workspace_id, connector_id, chat_id, now(), now() - interval '1 h' FROM chats`,
  );
  // Of ten the time to look has come: five of them are over, five were written to since.
  await filler.query(
    `INSERT INTO sessions (workspace_id, conversation_id, connector_id, started_at, hours, check_at)
     SELECT workspace_id, id, connector_id, now() - interval '2 days', 24,
       now() + CASE WHEN chat_id <= 10 THEN interval '-1 s' ELSE interval '1 h' END
     FROM conversations`,
  );
  await filler.query(
    "UPDATE conversations SET session_last_at = now() - interval '25 h' WHERE chat_id <= 5",
  );
  // What the filling has read is counted before the measurement begins.
  await filler.query("SELECT pg_stat_force_next_flush()");
  await filler.query("SELECT 1");
  await filler.close();

  const worker = openDatabase({ url: database.url, max: 1 });
  const closer = createSessionCloser({ db: worker, log: silentLogger });
  const reads = await rowsRead(worker, TABLES, async () => {
    expect(await closer.runOnce()).toBe(5);
  });
  await worker.close();
  expect(reads).toBeGreaterThan(10);
  expect(reads).toBeLessThan(400);
});

test("a batch of a bot that is not for everyone, in a workspace of twenty thousand people", async () => {
  const tables = ["people", "connector_people", "access_refusals", "person_links"];
  const world = await createWorld();
  // One after the other its statements share a connection.
  const { db } = world;
  const scope = await world.newScope();
  const ids = [scope.workspaceId, scope.connectorId];
  for (const table of tables) {
    await world.owner.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  await accessWorld(world).set(scope, { level: "named" });
  await db.query(
    `INSERT INTO people (workspace_id, name, telegram_user_id, bound_at)
     SELECT $1, 'A', n, now() FROM generate_series(1, ${OPEN}) n`,
    [scope.workspaceId],
  );
  await db.query(
    `INSERT INTO connector_people (workspace_id, connector_id, person_id)
     SELECT workspace_id, $2, id FROM people WHERE workspace_id = $1`,
    ids,
  );
  await db.query(
    `INSERT INTO person_links (workspace_id, connector_id, person_id, token_hash, expires_at)
     SELECT workspace_id, $2, id, sha256(id::text::bytea), now() FROM people
     WHERE workspace_id = $1`,
    ids,
  );
  await db.query(
    `INSERT INTO access_refusals (workspace_id, connector_id, peer_id, refused_at)
     SELECT $1, $2, n, now() FROM generate_series(1, ${OPEN}) n`,
    ids,
  );
  const from = (id: number) => ({ from: user(id), chat: privateChat(id) });
  const people = Array.from({ length: 40 }, (_, n) => n * 100 + 1);
  const links = await db.query<{ id: string }>(
    "SELECT id FROM person_links WHERE workspace_id = $1 LIMIT $2",
    [scope.workspaceId, people.length],
  );
  const batches = [
    people.map((id, n) => ({ message: message(n, "hello", from(id)) })),
    people.map((id, n) => ({ message: message(n, `/start hgl_${n}`, from(id)) })),
    links.map(({ id }, n) => ({
      callback_query: pressed(`person-link-yes:${id}`, { from: user(people[n]) }),
    })),
  ];
  for (const updates of batches) {
    const reads = await rowsRead(db, tables, () => world.ingest(scope, ...updates));
    expect(reads).toBeGreaterThanOrEqual(people.length);
    expect(reads).toBeLessThan(people.length * READS_AN_UPDATE);
  }
  await world.drop();
});

test("sessions that begin, end and go on, among twenty thousand", async () => {
  const tables = ["sessions", "conversations"];
  const world = await createWorld();
  const { db } = world;
  const scope = await world.newScope();
  for (const table of tables) {
    await world.owner.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  await accessWorld(world).set(scope, { sessionHours: 1 });
  const people = Array.from({ length: 40 }, (_, n) => 100_000 + n);
  let lastNumber = 0;
  const say = (atS: number) =>
    people.map((id) => {
      const rest = { from: user(id), chat: privateChat(id), date: T0 + atS };
      return { message: message(++lastNumber, "hi", rest) };
    });
  await db.query(
    `INSERT INTO chats (workspace_id, connector_id, chat_id, type)
     SELECT $1, $2, n, 'private' FROM generate_series(1, ${OPEN}) n`,
    [scope.workspaceId, scope.connectorId],
  );
  await db.query(
    `INSERT INTO conversations (workspace_id, connector_id, chat_id, last_message_at)
     SELECT workspace_id, connector_id, chat_id, now() FROM chats WHERE chat_id <= ${OPEN}`,
  );
  await db.query(
    `INSERT INTO sessions (workspace_id, conversation_id, connector_id, started_at, hours)
     SELECT workspace_id, id, connector_id, now(), 1 FROM conversations WHERE chat_id <= ${OPEN}`,
  );
  await world.ingest(scope, ...say(0));
  const ingest = async (atS: number) => {
    const updates = say(atS);
    const reads = await rowsRead(db, tables, () => world.ingest(scope, ...updates));
    expect(reads).toBeGreaterThanOrEqual(people.length);
    expect(reads).toBeLessThan(people.length * READS_AN_UPDATE);
  };
  const HOUR_S = 3_600;
  await ingest(HOUR_S);
  const talking = await db.query<{ id: string }>(
    `SELECT id FROM conversations
     WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = ANY ($3)`,
    [scope.workspaceId, scope.connectorId, people],
  );
  const ids = talking.map(({ id }) => id);
  const lastAt = new Date((T0 + HOUR_S) * 1_000).toISOString();
  await db.query(
    `UPDATE sessions SET ended_at = $3::timestamptz + interval '1 h', end_reason = 'timeout',
       last_at = $3
     WHERE workspace_id = $1 AND conversation_id = ANY ($2) AND ended_at IS NULL`,
    [scope.workspaceId, ids, lastAt],
  );
  await db.query(
    `UPDATE conversations SET session_ended_at = $3::timestamptz + interval '1 h'
     WHERE workspace_id = $1 AND id = ANY ($2)`,
    [scope.workspaceId, ids, lastAt],
  );
  await ingest(HOUR_S + 1);
  const rows = await db.query(
    `SELECT ended_at IS NULL AS open, count(*)::int AS n FROM sessions
     WHERE workspace_id = $1 AND conversation_id = ANY ($2) GROUP BY 1 ORDER BY 1`,
    [scope.workspaceId, ids],
  );
  expect(rows).toEqual([
    { open: false, n: people.length },
    { open: true, n: people.length },
  ]);
  await world.drop();
});
