import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import type { Queryable } from "../platform/index.ts";
import { insertJobs } from "./enqueue.ts";
import type { Look } from "./key-claim.ts";
import { LaneReaders } from "./lane-reader.ts";

let database: TestDatabase;
const workspaceId = randomUUID();
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const fromTheStart = { isTimed: false, priority: 5, afterAt: "-infinity", afterId: "0" };
const NOTHING = { ownIds: [], passed: [] };

/** Lanes with a job of each key. */
async function lanes(count: number, keys: string[]): Promise<string[]> {
  const names = Array.from({ length: count }, () => randomUUID());
  const jobs = names.flatMap((lane) => keys.map((orderingKey) => ({ lane, orderingKey })));
  const common = { queue: "outbound" as const, workspaceId, kind: "test" };
  await insertJobs(
    database.db,
    jobs.map((job) => ({ ...common, ...job })),
  );
  return names;
}

/** The database, and the labels of what is asked of it. */
function counting(): { on: Queryable; asked: string[] } {
  const asked: string[] = [];
  const on: Queryable = {
    query: (sql, params) => {
      asked.push(/^\/\* ([\w.-]+)/.exec(sql)?.[1] ?? "");
      return database.db.query(sql, params);
    },
  };
  return { on, asked };
}

const keysOf = (look: Look | null) => look?.candidates.map(({ key }) => key);

test("drains that look at once ask once, and each sees its own lane", async () => {
  const [one = "", other = "", third = ""] = await lanes(3, ["a", "b"]);
  const { on, asked } = counting();
  const readers = new LaneReaders(on, "outbound");
  const lookAt = (lane: string, more: Partial<typeof NOTHING> | object = {}) =>
    readers.readerOf(lane).look([fromTheStart], { ...NOTHING, ...more });
  const looks = await Promise.all([
    lookAt(one),
    lookAt(other, { passed: [{ key: "a", priority: 5 }] }),
    lookAt(third, { passed: [{ key: "b", priority: 5 }] }),
    lookAt(randomUUID()),
  ]);
  expect(looks.map(keysOf)).toEqual([["a", "b"], ["b"], ["a"], undefined]);
  expect(looks.at(-1)).toBeNull();
  const heads = await Promise.all([
    readers.readerOf(one).readHeads(["a", "b", "c"]),
    readers.readerOf(other).readHeads(["b"]),
    readers.readerOf(third).readHeads([]),
  ]);
  expect(heads.map((jobs) => jobs.map(({ lane, orderingKey }) => [lane, orderingKey]))).toEqual([
    [
      [one, "a"],
      [one, "b"],
    ],
    [[other, "b"]],
    [],
  ]);
  expect(asked).toEqual(["jobs.look", "jobs.heads"]);
});

test("a holder that lost its lane looks at it beside the one that has it", async () => {
  const [lane = ""] = await lanes(1, ["a", "b"]);
  const reader = new LaneReaders(database.db, "outbound").readerOf(lane);
  const [all, one] = await Promise.all([
    reader.look([fromTheStart], NOTHING),
    reader.look([], { ...NOTHING, passed: [{ key: "a", priority: 5 }] }),
  ]);
  expect([keysOf(all), keysOf(one)]).toEqual([["a", "b"], []]);
});

test("what runs is told but for the drain's own, of whichever lanes it is asked", async () => {
  const names = await lanes(2, ["a", "b"]);
  await database.db.query(
    "UPDATE jobs SET state = 'running', filed = false WHERE lane = ANY ($1::text[])",
    [names],
  );
  const rows = await database.db.query<{ id: string; lane: string; key: string }>(
    "SELECT id, lane, ordering_key AS key FROM jobs WHERE lane = ANY ($1::text[])",
    [names],
  );
  const readers = new LaneReaders(database.db, "outbound");
  const looks = await Promise.all(
    names.map((lane) => {
      const ownIds = rows.filter((row) => row.lane === lane && row.key === "a").map(({ id }) => id);
      return readers.readerOf(lane).look([fromTheStart], { ...NOTHING, ownIds });
    }),
  );
  expect(looks.map((look) => look?.running.map(({ key }) => key))).toEqual([["b"], ["b"]]);
  expect(looks.map(keysOf)).toEqual([[], []]);
});
