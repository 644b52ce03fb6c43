import type { ExternalHandler, LaneRunner, NewJob } from "../../src/jobs/index.ts";
import type { JobsFixture } from "./jobs.ts";

/** Jobs whose work is outside Postgres, ordered per key, for tests of the engine. */
export interface OutsideWork {
  job(lane: string, key: string, value: number, more?: Partial<NewJob>): NewJob;
  handler(runner: LaneRunner, more?: Pick<ExternalHandler, "finish">): ExternalHandler;
  /** Of a lane's jobs, in the order in which they came. */
  statesOf(lane: string): Promise<string[]>;
  /** Whether they have all ended, for `waitFor`. */
  allEnded(lane: string): () => Promise<boolean>;
}

/** `fixture`: asked for when it is needed, since it is made before the tests and not with them. */
export function outsideWork(fixture: () => JobsFixture): OutsideWork {
  const statesOf = async (lane: string) => {
    const rows = await fixture().database.db.query<{ state: string }>(
      "SELECT state FROM jobs WHERE lane = $1 ORDER BY id",
      [lane],
    );
    return rows.map((row) => row.state);
  };
  return {
    job: (lane, key, value, more = {}) =>
      fixture().job(lane, value, { queue: "outbound", orderingKey: key, ...more }),
    handler: (runner, more = {}) => ({ mode: "external", open: async () => runner, ...more }),
    statesOf,
    allEnded: (lane) => async () =>
      (await statesOf(lane)).every((state) => state === "completed" || state === "discarded"),
  };
}
