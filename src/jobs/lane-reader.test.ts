import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
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

describe.each([1, 20])("a look at a lane of which much of %p keys is passed", (heavy) => {
  const HELD = 3_000;
  const names = Array.from({ length: heavy }, (_, n) => `held ${n}`);
  const passed = names.map((key) => ({ key, priority: 5 }));
  const full = async (behind: string[]) => {
    const held = Array.from({ length: HELD }, (_, n) => names[n % heavy] ?? "");
    const [lane = ""] = await lanes(1, [...held, ...behind]);
    return { lane, reader: new LaneReaders(database.db, "outbound", { page: 2 }).readerOf(lane) };
  };

  test("is cut short, and goes on where it was, for as long as it takes", async () => {
    const { reader } = await full(["a", "b", "c"]);
    const cut = await reader.look([fromTheStart], { ownIds: [], passed });
    expect([keysOf(cut), cut?.walked]).toEqual([[], [expect.objectContaining({ hasMore: true })]]);
    const [from = fromTheStart] = cut?.walked ?? [];
    const on = await reader.look([from], { ownIds: [], passed, unbounded: true });
    // Not to its end: enough was found before.
    expect([keysOf(on), on?.walked]).toEqual([["a", "b"], []]);
    const last = on?.candidates.at(-1);
    const rest = await reader.look([{ ...fromTheStart, afterId: last?.id ?? "" }], {
      ownIds: [],
      passed,
      unbounded: true,
    });
    const end = { afterId: rest?.candidates.at(-1)?.id, hasMore: false };
    expect([keysOf(rest), rest?.walked]).toEqual([["c"], [expect.objectContaining(end)]]);
  });

  test("tells where it ends, where nothing stands behind what is passed", async () => {
    const { lane, reader } = await full([]);
    const [{ id } = { id: "" }] = await database.db.query<{ id: string }>(
      "SELECT max(id) AS id FROM jobs WHERE lane = $1",
      [lane],
    );
    const look = await reader.look([fromTheStart], { ownIds: [], passed, unbounded: true });
    const end = { ...fromTheStart, afterId: id, hasMore: false };
    expect([keysOf(look), look?.walked]).toEqual([[], [end]]);
  });

  test("sees what is more urgent of a key of which the rest is passed", async () => {
    const { lane, reader } = await full(["a"]);
    const urgent = { queue: "outbound" as const, workspaceId, kind: "test", orderingKey: "held 0" };
    await insertJobs(database.db, [{ ...urgent, lane, priority: 2 }]);
    const streams = [fromTheStart, { ...fromTheStart, priority: 2 }];
    const look = await reader.look(streams, { ownIds: [], passed, unbounded: true });
    expect(look?.candidates.map(({ key, priority }) => [key, priority])).toEqual([
      ["held 0", 2],
      ["a", 5],
    ]);
  });
});
