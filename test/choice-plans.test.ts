import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { nextDueInMs } from "../src/jobs/claim.ts";
import { LaneMemories } from "../src/jobs/lane-memories.ts";
import { LaneReaders } from "../src/jobs/lane-reader.ts";
import type { Lease } from "../src/jobs/lease.ts";
import { placeInLane } from "../src/jobs/place-in-lane.ts";
import { openDatabase } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/**
 * To choose the next job of a bot reads what it finds, however many wait behind a chat that is held or
 * for a later time, and whatever the planner knows.
 */
const HELD = 20_000;
const LATER = 20_000;
const CHATS = 300;
const TABLES = ["lanes", "jobs", "job_bodies"];
/** Index entries of a claim: the heads of 64 keys with a few look-ups each, and pages of 200. */
const READS = 700;
/** The first claim passes what is held, once, in an index alone. */
const FIRST_READS = HELD + 2 * READS;

let database: TestDatabase;
const workspaceId = randomUUID();
const lane = randomUUID();
const lease: Lease = {
  queue: "outbound",
  lane,
  workspaceId,
  owner: randomUUID(),
  epoch: "1",
  inherited: false,
};

const INSERT = `
  INSERT INTO jobs (workspace_id, id, queue, lane, kind, ordering_key, priority, payload, run_at,
    max_attempts, created_at)
  SELECT $1::uuid, nextval('job_ids'), 'outbound', $2::text, 'message', `;

beforeAll(async () => {
  database = await createTestDatabase();
  const filler = openDatabase({ url: database.url, max: 1, as: "login" });
  for (const table of TABLES) {
    await filler.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  await filler.query(
    `INSERT INTO lanes (queue, lane, workspace_id, seq, due_at)
     VALUES ('outbound', $2, $1::uuid, 1, now())`,
    [workspaceId, lane],
  );
  const rest = (what: string) =>
    `${what}, '{}', now(), 8, now() FROM generate_series(1, $3::int) n`;
  const fill = (what: string, count: number) =>
    filler.query(INSERT + rest(what), [workspaceId, lane, count]);
  await fill("'held', 5", HELD);
  await fill("'chat ' || n, 5", CHATS);
  await filler.query(
    `${INSERT} 'chat ' || n % 50, n % 9, '{}', now() + interval '1 day', 8, now()
     FROM generate_series(1, $3::int) n`,
    [workspaceId, lane, LATER],
  );
  await filler.close();
});
afterAll(() => database.drop());

const bounded = (reads: number, most: number) => ({ reads, enough: reads > 0 && reads < most });
const enough = (reads: number) => ({ reads, enough: true });

describe.each([
  ["without statistics", async () => {}],
  ["with statistics", async () => void (await database.owner.query("ANALYZE"))],
])("%s", (_name, prepare) => {
  beforeAll(prepare);

  test.each(["force_generic_plan", "force_custom_plan"])("a drain's claims by %s", async (mode) => {
    const db = openDatabase({ url: database.url, max: 1 });
    await db.query(`SET plan_cache_mode = ${mode}`);
    const memories = new LaneMemories(new LaneReaders(db, "outbound"));
    let keyed = memories.take(lane);
    const claim = () => keyed.claim({ blockedKeys: ["held"], ownIds: [], room: 60 });
    const reads = (work: () => Promise<unknown>) => rowsRead(db, TABLES, work);

    const first = await reads(claim);
    expect(bounded(first, FIRST_READS)).toEqual(enough(first));
    const second = await reads(async () => {
      expect((await claim()).jobs).toHaveLength(64);
    });
    expect(bounded(second, READS)).toEqual(enough(second));

    await db.query(`${INSERT} 'alert', 0, '{}', now(), 8, now() FROM generate_series(1, $3::int)`, [
      workspaceId,
      lane,
      1,
    ]);
    const third = await reads(async () => {
      expect((await claim()).jobs[0]).toMatchObject({ orderingKey: "alert", priority: 0 });
    });
    expect(bounded(third, READS)).toEqual(enough(third));
    await db.query(
      "UPDATE jobs SET state = 'completed', filed = false WHERE ordering_key = 'alert'",
    );

    const [{ now } = { now: "" }] = await db.query<{ now: string }>("SELECT now()::text AS now");
    const due = await reads(async () => {
      expect(await nextDueInMs(db, lease, now)).toBeGreaterThan(3_600_000);
    });
    expect(bounded(due, 50)).toEqual(enough(due));
    // Where one stands that waits behind few others of its own.
    const place = await reads(async () => {
      const which = { queue: "outbound" as const, lane, orderingKey: "chat 70" };
      const passed = { payload: {}, passedKeys: ["held"], most: 100 };
      const { job } = await placeInLane(db, { ...which, ...passed });
      expect(job).toMatchObject({ beforeInKey: 0, beforeInLane: 69 });
    });
    expect(bounded(place, HELD + READS)).toEqual(enough(place));
    // The next drain of the process goes on from there.
    memories.give(lane, keyed);
    keyed = memories.take(lane);
    const next = await reads(claim);
    expect(bounded(next, READS)).toEqual(enough(next));
    // The held chat's 20,000 are one entry of memory.
    expect(keyed.size).toBeLessThanOrEqual(CHATS + 2);
    await db.close();
  });
});

test("what is passed is walked once, a few thousand by a look, also where nothing stands behind it", async () => {
  const full = randomUUID();
  await database.owner.query(
    "INSERT INTO lanes (queue, lane, workspace_id, seq, due_at) VALUES ('outbound', $2, $1, 1, now())",
    [workspaceId, full],
  );
  await database.owner.query(
    `${INSERT} 'held', 5, '{}', now(), 8, now() FROM generate_series(1, $3::int)`,
    [workspaceId, full, HELD],
  );
  const db = openDatabase({ url: database.url, max: 1 });
  const readers = new LaneReaders(db, "outbound");
  const stream = { isTimed: false, priority: 5, afterAt: "-infinity", afterId: "0" };
  const passed = [{ key: "held", priority: 5 }];
  const look = await rowsRead(db, TABLES, async () => {
    await readers.readerOf(full).look([stream], { ownIds: [], passed });
  });
  expect(bounded(look, HELD / 2)).toEqual(enough(look));
  const keyed = new LaneMemories(readers).take(full);
  const claim = () => keyed.claim({ blockedKeys: ["held"], ownIds: [], room: 60 });
  expect(await claim()).toMatchObject({ jobs: [], isWhole: true });
  const again = await rowsRead(db, TABLES, async () => {
    expect(await claim()).toMatchObject({ jobs: [], isWhole: true });
  });
  expect(bounded(again, READS)).toEqual(enough(again));
  await db.close();
});
