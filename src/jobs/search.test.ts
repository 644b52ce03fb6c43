import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { fc, runs } from "../../test/support/property.ts";
import { fileJobs } from "./filing.ts";
import type { JobFilter } from "./filter.ts";
import { tickClock } from "./job-counts.ts";
import { queueCounts } from "./queue-counts.ts";
import { countJobs, findJobs, getJob, listJobs } from "./search.ts";
import { SHOWN_STATES, shelfOf } from "./shelf.ts";
import { QUEUES } from "./types.ts";

/**
 * A few hundred jobs of every kind, filed and not: each search must find what a plain look at all of
 * them does.
 */
let database: TestDatabase;
const [ours, theirs] = [randomUUID(), randomUUID()];
const bots = [randomUUID(), randomUUID(), randomUUID()];
const STATES = ["available", "running", "retryable", "completed", "discarded", "cancelled"];
const ERRORS = ["400 Bad Request: chat not found", "the call took longer than 15000 ms", "zebra!"];

interface Row {
  id: string;
  workspace_id: string;
  queue: string;
  lane: string;
  shown: string;
  bot: string;
  chat: string | null;
  update_id: string | null;
  error_class: string | null;
  error: string | null;
  created_at: Date;
}
let rows: Row[];

const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  for (let n = 0; n < 600; n++) {
    const bot = bots[n % 3] ?? "";
    const chat = String(n % 7 === 0 ? -100 : 1_000 + (n % 11));
    const queue = n % 5 < 3 ? "ingest" : n % 5 === 3 ? "outbound" : "evidence";
    const state = STATES[n % 13 < 5 ? 3 : n % 6];
    const later = state === "available" && n % 4 === 0;
    const error = state === "discarded" || state === "retryable" ? ERRORS[n % 3] : null;
    const laneTail = n % 17 === 0 ? `bBiz_1/${chat}` : `c${chat}`;
    await db.query(
      `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, ordering_key, priority, payload,
         run_at, max_attempts, error_class, error, created_at)
       VALUES ($1, nextval('job_ids'), $2, $3, 'test', $4, $5, 5, $6, $7, 8, $8, $9, $10)`,
      [
        bot === bots[2] ? theirs : ours,
        queue,
        queue === "ingest" ? `${bot}/${laneTail}` : bot,
        state,
        queue === "outbound" ? chat : null,
        queue === "ingest" ? { updateId: 5_000 + (n >> 1) } : {},
        later ? new Date(Date.now() + (n % 8 === 0 ? 3_600_000 : -60_000)) : hoursAgo(1_000 - n),
        error === null ? null : `Class${n % 3}`,
        error,
        hoursAgo(900 - n),
      ],
    );
    if (n === 400) await fileJobs(db);
  }
  const changed = "UPDATE jobs SET filed = false WHERE id % 5 = 0";
  await db.query(changed);
  await db.query(
    "INSERT INTO lanes (queue, lane, workspace_id) SELECT DISTINCT queue, lane, workspace_id FROM jobs",
  );
  await db.query("INSERT INTO job_clock SELECT created_at, id FROM jobs WHERE id % 10 = 0");
  rows = await db.query<Row>(
    `SELECT id, workspace_id, queue, lane, left(lane, 36) AS bot, error_class, error, created_at,
       coalesce(ordering_key, substring(lane from '(-?[0-9]+)$')) AS chat,
       payload->>'updateId' AS update_id,
       CASE WHEN state = 'available' AND run_at > now() THEN 'scheduled' ELSE state END AS shown
     FROM jobs ORDER BY id DESC`,
  );
  for (const row of rows) if (row.lane === row.bot && row.queue === "evidence") row.chat = null;
});
afterAll(() => database.drop());

const words = (text: string) =>
  text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);

/** Error words: all of them, the last may be unfinished. */
function hasWords(error: string | null, text: string): boolean {
  if (error === null) return false;
  const [have, want] = [words(error), words(text)];
  if (want.length === 0) return false;
  const last = want.pop() ?? "";
  return want.every((word) => have.includes(word)) && have.some((word) => word.startsWith(last));
}

/** The same question, asked row by row. */
function expected(filter: JobFilter): string[] {
  const { text } = filter;
  return rows
    .filter(
      (row) =>
        (filter.workspaceId === undefined || row.workspace_id === filter.workspaceId) &&
        (filter.queue === undefined || row.queue === filter.queue) &&
        (filter.states === undefined || filter.states.some((state) => state === row.shown)) &&
        (filter.lane === undefined || row.lane === filter.lane) &&
        (filter.connectorId === undefined || row.bot === filter.connectorId) &&
        (filter.chatId === undefined || row.chat === filter.chatId) &&
        (filter.updateId === undefined || row.update_id === filter.updateId) &&
        (filter.errorClass === undefined || row.error_class === filter.errorClass) &&
        (filter.createdFrom === undefined || row.created_at >= filter.createdFrom) &&
        (filter.createdTo === undefined || row.created_at < filter.createdTo) &&
        (text === undefined ||
          [row.id, row.update_id, row.lane, row.error_class].includes(text) ||
          hasWords(row.error, text)),
    )
    .map((row) => row.id);
}

const optional = <Value>(values: readonly Value[]) =>
  fc.option(fc.constantFrom(...values), { nil: undefined, freq: 2 });

const filters: fc.Arbitrary<JobFilter> = fc.record({
  workspaceId: optional([ours, theirs, randomUUID()]),
  queue: optional(QUEUES),
  states: fc.option(fc.subarray([...SHOWN_STATES]), { nil: undefined }),
  lane: optional([`${bots[0]}/c1001`, `${bots[1]}/c-100`, bots[0] ?? "", `${bots[0]}/bBiz_1/1001`]),
  connectorId: optional([...bots, randomUUID()]),
  chatId: optional(["-100", "1001", "1002", "7"]),
  updateId: optional(["5000", "5100", "1"]),
  errorClass: optional(["Class0", "Class2", "Nothing"]),
  text: optional([
    "zebra",
    "chat not fo",
    "the call",
    "Class1",
    "5100",
    "37",
    "none of it",
    "%",
    "'",
    bots[1] ?? "",
  ]),
  createdFrom: optional([hoursAgo(700), hoursAgo(100)]),
  createdTo: optional([hoursAgo(600), hoursAgo(2_000)]),
});

/** Any one of the parts of a filter, so that each is tried alone as well. */
const single = filters.chain((filter) =>
  fc.constantFrom(...Object.keys(filter)).map((key) => ({
    [key]: filter[key as keyof JobFilter],
  })),
);

describe("search", () => {
  test("finds what a plain look at all jobs finds, newest first", async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(single, filters), async (filter) => {
        const jobs = await listJobs(database.db, filter, { limit: 1_000 });
        expect(jobs.map((job) => job.id)).toEqual(expected(filter));
        found += jobs.length;
      }),
      { numRuns: runs(100) },
    );
    expect(found).toBeGreaterThan(1_000);
  });

  test("pages through everything once, in both directions", async () => {
    for (const filter of [
      {},
      { chatId: "1001" },
      { connectorId: bots[0] },
      { workspaceId: ours },
    ]) {
      const seen: string[] = [];
      for (;;) {
        const page = await listJobs(database.db, filter, { limit: 7, beforeId: seen.at(-1) });
        seen.push(...page.map((job) => job.id));
        if (page.length < 7) break;
      }
      expect(seen).toEqual(expected(filter));
      const oldest: string[] = [];
      for (;;) {
        const window = { limit: 50, order: "oldest" as const, afterId: oldest.at(-1) };
        const page = await findJobs(database.db, filter, window);
        oldest.push(...page.map((job) => job.id));
        if (page.length < 50) break;
      }
      expect(oldest.reverse()).toEqual(expected(filter));
    }
  });

  test("counts what it finds; by workspace, queue and state from the counts that are kept", async () => {
    for (const filter of [
      {},
      { workspaceId: theirs },
      { queue: "ingest" as const, states: ["scheduled" as const] },
      { workspaceId: ours, states: ["available" as const, "discarded" as const] },
      { chatId: "1001" },
      { text: "zebra" },
    ]) {
      const { length } = expected(filter);
      expect(await countJobs(database.db, filter)).toEqual({ count: length, capped: false });
    }
    const counts = await queueCounts(database.db, ours);
    for (const queue of QUEUES) {
      for (const state of SHOWN_STATES) {
        const { length } = expected({ workspaceId: ours, queue, states: [state] });
        expect({ queue, state, count: counts[queue][state] }).toEqual({
          queue,
          state,
          count: length,
        });
      }
    }
  });

  test("of hundreds of failed attempts the latest are shown, oldest first", async () => {
    const [job] = await listJobs(database.db, { workspaceId: ours }, { limit: 1 });
    if (job === undefined) throw new Error("no job");
    await database.db.query(
      `INSERT INTO job_attempts (workspace_id, job_id, attempt, outcome)
       SELECT $1, $2, n, 'retry' FROM generate_series(1, 250) n`,
      [ours, job.id],
    );
    const found = await getJob(database.db, { id: job.id, workspaceId: ours });
    expect(found?.attemptLog.map(({ attempt }) => attempt)).toEqual(
      Array.from({ length: 200 }, (_, n) => n + 51),
    );
  });

  test("words that are in thousands of errors are found in order, newest first", async () => {
    const lane = randomUUID();
    await database.db.query(
      `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, priority, payload, run_at,
         max_attempts, error_class, error, created_at)
       SELECT $1, 1000000 + n, 'delivery', $2, 'test', 'discarded', 5, '{}', now(), 8, 'Common',
         'a common failure', now() FROM generate_series(1, 2100) n`,
      [ours, lane],
    );
    const newest = await listJobs(database.db, { text: "common fail" }, { limit: 3 });
    expect(newest.map((job) => job.id)).toEqual(["1002100", "1002099", "1002098"]);
    const none = await listJobs(database.db, { text: "common", workspaceId: theirs }, { limit: 3 });
    expect(none).toEqual([]);
    await database.db.query("DELETE FROM jobs WHERE lane = $1", [lane]);
  });

  test("one job: by its workspace or the administrator, not by another's; nonsense is no job", async () => {
    const row = rows.find((job) => job.workspace_id === theirs && job.error !== null);
    const id = row?.id ?? "";
    expect(await getJob(database.db, { id })).toMatchObject({ id, error: row?.error });
    expect(await getJob(database.db, { id, workspaceId: theirs })).toMatchObject({ id });
    expect(await getJob(database.db, { id, workspaceId: ours })).toBeNull();
    for (const nonsense of ["", "x", "-1", "1e3", "99999999999999999999", "1;"]) {
      expect(await getJob(database.db, { id: nonsense })).toBeNull();
    }
  });

  test("the clock of ids ticks once in ten seconds, whoever asks", async () => {
    const { db } = database;
    await db.query("DELETE FROM job_clock");
    await Promise.all([tickClock(db), tickClock(db)]);
    await tickClock(db);
    const [first, ...others] = await db.query<{ last_id: string }>("SELECT last_id FROM job_clock");
    expect(others.length).toBeLessThan(2);
    expect(first?.last_id).toBe(rows[0]?.id);
  });

  test("every queue and standing has a shelf of its own, the one that Postgres computes", async () => {
    const shown = await database.db.query<{
      queue: string;
      shown: string;
      shelf: number;
      later: boolean;
    }>(
      `SELECT DISTINCT queue, CASE WHEN state = 'available' AND run_at > created_at
         THEN 'scheduled' ELSE state END AS shown,
         shelf_of(queue, state, run_at, created_at) AS shelf FROM jobs`,
    );
    expect(shown.length).toBeGreaterThan(15);
    for (const { queue, shown: standing, shelf } of shown) {
      const name = QUEUES.find((known) => known === queue) ?? "ingest";
      expect(shelf).toBe(
        shelfOf(name, SHOWN_STATES.find((known) => known === standing) ?? "running"),
      );
    }
  });
});
