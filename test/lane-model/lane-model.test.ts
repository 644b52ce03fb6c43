import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  jest,
  test,
} from "@jest/globals";
import pg from "pg";
import { type Database, openDatabase } from "../../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { fc, runs } from "../support/property.ts";
import { Observations, story } from "./observations.ts";
import { brokenPromises } from "./promises.ts";
import { type Schedule, schedules } from "./schedule.ts";
import { Traffic } from "./traffic.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { type Stage, World } from "./world.ts";

/**
 * The engine's real code and SQL under schedules that no test would think of: see docs/lane-model.md.
 * A failure prints its seed and path; PROPERTY_RUNS makes the run longer, PROPERTY_SEED another (test/support/property.ts).
 */

let database: TestDatabase;
let db: Database;
let control: pg.Client;
let clock: VirtualClock;
let observations: Observations;
let traffic: Traffic;

/** No limit that goes by the real clock, or by timers that the test moves, may fire. */
const NO_LIMIT_MS = 86_400_000;

beforeAll(async () => {
  database = await createTestDatabase();
  const setup = new pg.Client({ connectionString: database.url });
  await setup.connect();
  await VirtualClock.install(setup);
  await Observations.install(setup);
  await setup.end();
  control = new pg.Client({ connectionString: database.url });
  await control.connect();
  clock = new VirtualClock(control);
  observations = new Observations(control);
});
afterAll(async () => {
  await control.end();
  await database.drop();
});

beforeEach(() => {
  jest.useFakeTimers({
    doNotFake: ["setImmediate", "clearImmediate", "nextTick", "hrtime", "queueMicrotask"],
  });
  db = openDatabase({ url: database.url, max: 50, statementTimeoutMs: NO_LIMIT_MS });
  Object.assign(db.pool.options, { idleTimeoutMillis: 0 });
  traffic = new Traffic(db, clock, control);
});
afterEach(async () => {
  await db.close();
  jest.useRealTimers();
});

const STAGES: (Stage & { name: string; runs: number })[] = [
  { name: "rows, in strict lanes", queue: "ingest", mode: "transactional", runs: 40 },
  { name: "calls, in order per key", queue: "outbound", mode: "external", runs: 40 },
  { name: "calls, in one order", queue: "backfill", mode: "external", runs: 10 },
  { name: "calls, without order", queue: "evidence", mode: "external", runs: 10 },
];
/** Runs after the first failure, to find a shorter schedule that fails too. */
const MAX_SHRINKING_RUNS = 150;
/** Of the real clock; a schedule takes about a tenth of a second, and many times that on a busy machine. */
const MAX_SCHEDULE_MS = 3_000;
const TIME_LIMIT_MS = 60_000 + MAX_SHRINKING_RUNS * MAX_SCHEDULE_MS;

describe.each(STAGES)("the lane model: $name", (stage) => {
  test(
    "nothing is lost, doubled or out of order, and all is done once faults end",
    async () => {
      let runsSinceFailure = -1;
      const property = fc.asyncProperty(schedules, async (schedule) => {
        if (runsSinceFailure >= 0 && ++runsSinceFailure > MAX_SHRINKING_RUNS) return;
        const findings = await run(stage, schedule);
        if (findings.length > 0 && runsSinceFailure < 0) runsSinceFailure = 0;
        expect(findings).toEqual([]);
      });
      await fc.assert(property, { numRuns: runs(stage.runs) });
    },
    TIME_LIMIT_MS + runs(stage.runs) * MAX_SCHEDULE_MS,
  );
});

/** One schedule from beginning to end; answers the promises it broke and, if any, what led to it. */
async function run(stage: Stage, schedule: Schedule): Promise<string[]> {
  traffic.trace.length = 0;
  await observations.clean();
  await clock.set(Date.now());
  const world = new World(stage, schedule, { traffic, clock, observations });
  const { history, claims, stuck } = await world.run(schedule.commands);
  jest.clearAllTimers();
  const broken = [...(stuck === null ? [] : [stuck]), ...brokenPromises(history, claims)];
  return broken.length === 0 ? [] : [...broken, ...traffic.trace, ...story(history)];
}
