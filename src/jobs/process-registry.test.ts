import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { type Database, silentLogger } from "../platform/index.ts";
import { type Held, listProcesses, ProcessRegistry } from "./process-registry.ts";
import type { QueueName } from "./types.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

function registry(options: { held?: Partial<Held>; db?: Database; heartbeatMs?: number } = {}) {
  const lanes: { queue: QueueName; lane: string }[] = [];
  const held = {
    owner: randomUUID(),
    count: 0,
    sample: (n: number) => lanes.slice(0, n),
    ...options.held,
  };
  const queues: QueueName[] = [];
  const entry = new ProcessRegistry({
    db: options.db ?? database.db,
    held,
    queues: () => queues,
    log: silentLogger,
    heartbeatMs: options.heartbeatMs ?? 10,
  });
  const seen = async () =>
    (await listProcesses(database.db)).find((process) => process.id === held.owner);
  return { entry, held, lanes, queues, seen };
}

test("a process is seen from its start to its stop, with what it works on", async () => {
  const { entry, queues, seen } = registry();
  await entry.start("ingest");
  expect(await seen()).toMatchObject({
    role: "ingest",
    pid: process.pid,
    alive: true,
    queues: [],
    lanes: [],
    memoryBytes: expect.any(Number),
    eventLoopDelayMs: expect.any(Number),
  });
  queues.push("ingest");
  await waitFor(async () => (await seen())?.queues.includes("ingest"));
  await entry.stop();
  expect(await seen()).toBeUndefined();
});

test("only lanes whose own row names the process are shown as held, however many it says", async () => {
  const { entry, held, lanes, seen } = registry();
  for (let n = 0; n < 10_000; n++) lanes.push({ queue: "ingest", lane: `lane-${n}` });
  await database.db.query(
    `INSERT INTO lanes (queue, lane, workspace_id, due_at, owner, lease_until) VALUES
       ('ingest', 'lane-0', $1, now(), $2, now() + interval '1 min'),
       ('ingest', 'lane-1', $1, now(), $3, now() + interval '1 min'),
       ('ingest', 'lane-2', $1, now(), $2, now() - interval '1 s')`,
    [randomUUID(), held.owner, randomUUID()],
  );
  await entry.start("ingest");
  expect((await seen())?.lanes).toEqual([{ queue: "ingest", lane: "lane-0" }]);
  const [row] = await database.db.query<{ kept: number }>(
    "SELECT cardinality(held_lanes) AS kept FROM processes WHERE id = $1",
    [held.owner],
  );
  expect(row?.kept).toBe(20);
  await entry.stop();
});

test("a process that died is gone after three heartbeats, and forgotten after a day", async () => {
  const row = (id: string, age: string) =>
    database.db.query(
      `INSERT INTO processes VALUES ($1, 'ingest', 'h', 1, '0', '{ingest}', now() - interval '2 d',
         now() - $2::interval, 5, '{}', '{}', 0, 1)`,
      [id, age],
    );
  const [late, dead, forgotten] = [randomUUID(), randomUUID(), randomUUID()];
  await row(late, "10 s");
  await row(dead, "25 s");
  await row(forgotten, "25 h");
  const { entry } = registry();
  await entry.start("web");
  const found = new Map((await listProcesses(database.db)).map((each) => [each.id, each]));
  expect(found.get(late)?.alive).toBe(true);
  expect(found.get(dead)).toMatchObject({ alive: false, lanesHeld: 0 });
  expect(found.has(forgotten)).toBe(false);
  await entry.stop();
});

test("a database that is away neither stops the process nor its end", async () => {
  let away = true;
  const db: Database = {
    ...database.db,
    query: async (sql, params) => {
      if (away) throw new Error("connect ECONNREFUSED");
      return database.db.query(sql, params);
    },
  };
  const { entry, seen } = registry({ db });
  await entry.start("web");
  expect(await seen()).toBeUndefined();
  away = false;
  await waitFor(seen);
  away = true;
  await entry.stop();
  expect(await seen()).toBeDefined();
});

test("a database that hangs does not hold up a process that stops", async () => {
  const db: Database = { ...database.db, query: () => new Promise(() => {}) };
  const { entry } = registry({ db, heartbeatMs: 60_000 });
  void entry.start("web");
  await entry.stop();
});
