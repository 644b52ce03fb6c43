import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { listOutbound, type MessageFilter } from "../src/outbound/index.ts";
import { type Database, openDatabase } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/** What was sent by a workspace of many bots is shown without a look at all of it. */
const BOTS = 300;
const EACH = 30;
/** Of one bot that sent the newest of them all. */
const NEWEST = 100;
const STATES = ["queued", "sent", "failed"] as const;
const workspaceId = randomUUID();
const PAGE = 20;

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  const setUp = openDatabase({ url: database.url, max: 1, as: "login" });
  await setUp.query("ALTER TABLE outbound_messages SET (autovacuum_enabled = false)");
  await setUp.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [workspaceId]);
  await setUp.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     SELECT $1::uuid, gen_random_uuid(), 'Desk', 'active', n, 'b', true, '\\x00', $1::text || '-' || n,
       sha256(n::text::bytea)
     FROM generate_series(1, ${BOTS}) n`,
    [workspaceId],
  );
  const insert = `INSERT INTO outbound_messages
    (workspace_id, id, connector_id, chat_id, kind, text, on_unknown, state, created_at)`;
  // Many of them in the same moment, as of a broadcast.
  await setUp.query(
    `${insert} SELECT workspace_id, gen_random_uuid(), id, '5', 'message', 'x', 'hold',
       ($2::text[])[1 + (n + bot_id) % 3], now() - interval '1 h' - (n / 3) * interval '1 s'
     FROM connectors, generate_series(1, ${EACH}) n WHERE workspace_id = $1`,
    [workspaceId, STATES],
  );
  await setUp.query(
    `${insert} SELECT workspace_id, gen_random_uuid(), id, '5', 'message', 'x', 'hold', 'sent',
       now() - n * interval '1 s'
     FROM connectors, generate_series(1, ${NEWEST}) n WHERE workspace_id = $1 AND bot_id = 7`,
    [workspaceId],
  );
  await setUp.query("ANALYZE outbound_messages, connectors");
  await setUp.close();
  db = openDatabase({ url: database.url, max: 1 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const list = (
  filter: Partial<MessageFilter>,
  { limit = PAGE, after }: Partial<Parameters<typeof listOutbound>[2]> = {},
) => listOutbound(db.asTenant(workspaceId), { workspaceId, ...filter }, { limit, after });

test("a page reads a row for each bot and state, and what it shows", async () => {
  // Twice and more: the plan for any parameters comes after the first few.
  for (let round = 0; round < 7; round++) {
    for (const states of [undefined, ["failed"] as const]) {
      const first = await list({ states });
      const deep = { after: (await list({ states }, { limit: 150 })).next ?? undefined };
      for (const place of [{}, deep]) {
        const read = await rowsRead(db, ["outbound_messages"], () => list({ states }, place));
        const most = BOTS * (states?.length ?? STATES.length) + 5 * PAGE;
        expect({ round, states, read, bounded: read <= most }).toEqual({
          round,
          states,
          read,
          bounded: true,
        });
      }
      expect(first.data).toHaveLength(PAGE);
    }
  }
});

test("a page of a chat, far down in it, reads what it shows of each state", async () => {
  const [after] = await database.owner.query<{ createdAt: string; id: string }>(
    `SELECT created_at::text AS "createdAt", id FROM outbound_messages WHERE workspace_id = $1
     ORDER BY created_at DESC, id DESC OFFSET 5000 LIMIT 1`,
    [workspaceId],
  );
  for (let round = 0; round < 7; round++) {
    const read = await rowsRead(db, ["outbound_messages"], () => list({ chatId: "5" }, { after }));
    expect({ round, read, bounded: read <= STATES.length * (PAGE + 2) }).toEqual({
      round,
      read,
      bounded: true,
    });
  }
});

test.each<[string, Partial<MessageFilter>]>([
  ["all", {}],
  ["in some states", { states: ["failed", "queued"] }],
  ["in none", { states: ["rejected"] }],
])("pages are in order, each message once: %s", async (_, filter) => {
  const expected = await database.owner.query<{ id: string }>(
    `SELECT id FROM outbound_messages WHERE workspace_id = $1 AND state = ANY ($2::text[])
     ORDER BY created_at DESC, id DESC LIMIT 1000`,
    [workspaceId, filter.states ?? STATES],
  );
  const ids: string[] = [];
  let after: Awaited<ReturnType<typeof list>>["next"] | undefined;
  while (ids.length < expected.length && after !== null) {
    const page = await list(filter, { limit: 50, after });
    ids.push(...page.data.map(({ id }) => id));
    after = page.next;
  }
  expect(ids).toEqual(expected.map(({ id }) => id));
});

test("the last page is told to be that", async () => {
  const [bot] = await database.owner.query<{ id: string }>(
    "SELECT id FROM connectors WHERE bot_id = 8",
  );
  const all = await list({ connectorId: bot?.id }, { limit: EACH });
  expect([all.data.length, all.next]).toEqual([EACH, null]);
  const most = await list({ connectorId: bot?.id }, { limit: EACH - 1 });
  expect([most.data.length, most.next?.id]).toEqual([EACH - 1, most.data.at(-1)?.id]);
});
