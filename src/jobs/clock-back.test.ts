import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { followClock } from "./clock-back.ts";
import { dueLanes } from "./sweep.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const addLanes = (prefix: string, count: number, dueInMinutes: number) =>
  database.db.query(
    `INSERT INTO lanes (queue, lane, workspace_id, seq, due_at)
     SELECT 'ingest', $1 || '/' || n, $2, 1, now() + $4 * interval '1 min'
     FROM generate_series(1, $3) n`,
    [prefix, randomUUID(), count, dueInMinutes],
  );
const due = async () => (await dueLanes(database.db, "ingest", 10_000, 5_000)).length;
const follow = (latest: string | null) => followClock(database.db, "ingest", latest);

test("lanes that were due before the clock went back are due, however many; later ones are not", async () => {
  await addLanes("was-due", 2_500, 30);
  await addLanes("later", 10, 90);
  const seen = await follow(await follow(null));
  expect(await due()).toBe(0);

  // The clock as it was an hour ahead.
  const [ahead] = await database.db.query<{ at: string }>(
    "SELECT (now() + interval '1 h')::text AS at",
  );
  let latest = ahead?.at ?? null;
  for (let sweeps = 0; sweeps < 3; sweeps++) latest = await follow(latest);
  expect(await due()).toBe(2_500);
  expect(new Date(latest ?? 0).getTime()).toBeLessThan(Date.now() + 60_000);
  expect(new Date(latest ?? 0).getTime()).toBeGreaterThanOrEqual(new Date(seen ?? 0).getTime());

  // Told once: what is put off afterwards stays so.
  await addLanes("put-off", 5, 30);
  await follow(latest);
  expect(await due()).toBe(2_500);
});
