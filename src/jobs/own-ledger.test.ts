import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { insertJobs, listJobs, queueStats } from "./index.ts";
import { countJobs, findJobs, getJob } from "./search.ts";

let database: TestDatabase;
const a = randomUUID();
const b = randomUUID();
const lane = randomUUID();
const ids: Record<string, string> = {};

beforeAll(async () => {
  database = await createTestDatabase();
  for (const workspaceId of [a, b]) {
    const [job] = await insertJobs(database.db, [
      { queue: "outbound", lane: `${lane}-${workspaceId}`, workspaceId, kind: "test", payload: {} },
    ]);
    ids[workspaceId] = job?.id ?? "";
  }
  await database.db.query(
    "UPDATE jobs SET filed = false, state = 'discarded', error_class = 'E', error = 'some words'",
  );
});
afterAll(() => database.drop());

test("a workspace's database finds its own jobs, by whatever is asked for", async () => {
  const own = database.db.asTenant(a);
  for (const filter of [
    {},
    { text: "words" },
    { errorClass: "E" },
    { states: ["discarded"] as const },
  ]) {
    const found = await listJobs(own, { workspaceId: a, ...filter }, { limit: 10 });
    expect(found.map(({ id }) => id)).toEqual([ids[a]]);
  }
  expect(await getJob(own, { id: ids[a] ?? "", workspaceId: a })).toMatchObject({ attemptLog: [] });
  expect(await getJob(own, { id: ids[b] ?? "", workspaceId: a })).toBeNull();
  expect(await countJobs(own, { workspaceId: a })).toEqual({ count: 1, capped: false });
  const [stats] = (await queueStats(own, a)).filter(({ name }) => name === "outbound");
  expect(stats?.counts.discarded).toBe(1);
});

test.each([undefined, b])("it is refused when it asks for %s's", async (workspaceId) => {
  const own = database.db.asTenant(a);
  for (const asked of [
    () => listJobs(own, { workspaceId }, { limit: 10 }),
    () => findJobs(own, { workspaceId }, { limit: 10 }),
    () => getJob(own, { id: ids[b] ?? "", workspaceId }),
    () => countJobs(own, { workspaceId }),
    () => queueStats(own, workspaceId),
  ]) {
    await expect(asked()).rejects.toThrow("searches its own jobs only");
  }
});
