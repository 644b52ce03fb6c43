import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { ExternalHandler, Outcome } from "./index.ts";

const DONE: Outcome = { type: "complete" };
/** Longer than a lane is kept in any case. */
const EVERY_MS = 300;

describe.each(backends)("a lane of which nothing may start for a moment, on $name", (backend) => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
  });
  afterAll(() => fixture.close());

  /** Starts one job each 300 ms, and tells how often each lane was opened. */
  const slow = () => {
    const opened = new Map<string, number>();
    const ran: string[] = [];
    const handler: ExternalHandler = {
      mode: "external",
      open: async ({ lane }) => {
        opened.set(lane, (opened.get(lane) ?? 0) + 1);
        let nextMs = 0;
        return {
          choose: ([job], nowMs) => {
            if (job === undefined || nowMs < nextMs) return { waitUntilMs: nextMs, forAll: true };
            nextMs = nowMs + EVERY_MS;
            return { job };
          },
          run: async (job) => {
            ran.push(job.lane);
            return DONE;
          },
        };
      },
    };
    return { opened, ran, handler };
  };
  const enqueue = (engine: ReturnType<JobsFixture["engine"]>, lane: string, count: number) =>
    fixture.database.db.transaction((tx) =>
      engine.enqueueIn(
        tx,
        Array.from({ length: count }, (_, n) =>
          fixture.job(lane, n, { queue: "outbound", orderingKey: `k${n}` }),
        ),
      ),
    );

  test("is kept by the drain that knows when it may go on", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const { opened, ran, handler } = slow();
    await engine.startPool("outbound", handler, { slots: 2 });
    await enqueue(engine, lane, 4);
    await waitFor(() => ran.length === 4, { what: "all four" });
    expect(opened.get(lane)).toBe(1);
    await engine.stop(2_000);
  });

  test("gives its slot to another lane that waits for one, and comes back", async () => {
    const [lane, other] = [randomUUID(), randomUUID()];
    const engine = fixture.engine();
    const { opened, ran, handler } = slow();
    await engine.startPool("outbound", handler, { slots: 1 });
    await enqueue(engine, lane, 6);
    await waitFor(() => ran.length > 0, { what: "the first lane" });
    await enqueue(engine, other, 1);
    await waitFor(() => ran.includes(other), { what: "the other lane" });
    expect(ran.length).toBeLessThan(6);
    await waitFor(() => ran.length === 7, { what: "all of them" });
    expect(opened.get(lane)).toBeGreaterThan(1);
    await engine.stop(2_000);
  });
});
