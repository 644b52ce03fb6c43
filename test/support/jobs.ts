import { randomUUID } from "node:crypto";
import {
  createJobs,
  type Jobs,
  type JobsOptions,
  migrateTransport,
  type NewJob,
} from "../../src/jobs/index.ts";
import { silentLogger } from "../../src/platform/index.ts";
import { parseRedisUrl } from "../../src/platform/redis-url.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";
import type { Backend } from "./requirements.ts";

/** A database with jobs on it, for tests of the engine: everything it opens is closed by `close`. */
export interface JobsFixture {
  database: TestDatabase;
  workspaceId: string;
  /** An engine as one process has it. Several of them are several processes to the database. */
  engine(options?: Partial<JobsOptions>): Jobs;
  /** A job of the fixture's workspace, of `ingest` unless `more` says otherwise. */
  job(lane: string, value: number, more?: Partial<NewJob>): NewJob;
  /** Stops every engine it has made: what a failed test leaves running takes the wakes of the next. */
  stopEngines(): Promise<void>;
  close(): Promise<void>;
}

export async function jobsFixture(backend: Backend): Promise<JobsFixture> {
  const database = await createTestDatabase({ max: 20 });
  await migrateTransport(database.db);
  const engines: Jobs[] = [];
  const workspaceId = randomUUID();
  const stopEngines = async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.stop(500)));
  };
  return {
    database,
    workspaceId,
    job: (lane, value, more = {}) => ({
      queue: "ingest",
      lane,
      workspaceId,
      kind: "test",
      payload: { value },
      ...more,
    }),
    engine: (options = {}) => {
      const engine = createJobs({
        db: database.db,
        log: silentLogger,
        redis: backend.redisUrl === undefined ? undefined : parseRedisUrl(backend.redisUrl),
        ...options,
      });
      engines.push(engine);
      return engine;
    },
    stopEngines,
    close: async () => {
      await stopEngines();
      await database.drop();
    },
  };
}

/** A table that stands for the effects of jobs: one row an effect, in the order they took place. */
export const EFFECTS_TABLE = `CREATE TABLE effects (
  n bigint GENERATED ALWAYS AS IDENTITY, lane text NOT NULL, value int NOT NULL)`;
