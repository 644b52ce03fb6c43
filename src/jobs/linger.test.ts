import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { ExternalHandler, Job, Outcome } from "./index.ts";

const DONE: Outcome = { type: "complete" };
/** Longer than a lane is kept in any case. */
const EVERY_MS = 700;

describe.each(backends)("a lane of which nothing may start for a moment, on $name", (backend) => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
  });
  afterEach(() => fixture.stopEngines());
  afterAll(() => fixture.close());

  /** Starts one job each 700 ms, and tells how often each lane was opened, and refreshed. */
  const slow = ({ forAll = true } = {}) => {
    const opened = new Map<string, number>();
    const ran: string[] = [];
    const seen = { refreshes: 0 };
    const hooks: { onRun?(job: Job): Promise<void> } = {};
    const handler: ExternalHandler = {
      mode: "external",
      open: async ({ lane }) => {
        opened.set(lane, (opened.get(lane) ?? 0) + 1);
        let nextMs = 0;
        return {
          choose: ([job], nowMs) => {
            if (job === undefined || nowMs < nextMs) return { waitUntilMs: nextMs, forAll };
            nextMs = nowMs + EVERY_MS;
            return { job };
          },
          run: async (job) => {
            ran.push(job.lane);
            await hooks.onRun?.(job);
            return DONE;
          },
          refresh: async () => {
            seen.refreshes++;
          },
        };
      },
    };
    return { opened, ran, seen, hooks, handler };
  };
  const enqueue = (
    engine: ReturnType<JobsFixture["engine"]>,
    lane: string,
    count: number,
    name = "k",
  ) =>
    fixture.database.db.transaction((tx) =>
      engine.enqueueIn(
        tx,
        Array.from({ length: count }, (_, n) =>
          fixture.job(lane, n, { queue: "outbound", orderingKey: `${name}${n}` }),
        ),
      ),
    );

  test("is kept by the drain that knows when it may go on, and looks at what others did before it does", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const { opened, ran, seen, handler } = slow();
    await engine.startPool("outbound", handler, { slots: 2 });
    await enqueue(engine, lane, 4);
    await waitFor(() => ran.length === 4, { what: "all four" });
    expect(opened.get(lane)).toBe(1);
    // A worker that stood still for most of a wait has no need to: it only just chose.
    expect(seen.refreshes).toBeGreaterThan(0);
    expect(seen.refreshes).toBeLessThanOrEqual(3);
  });

  test("is handed back where something else of it might start, and is drained at its time", async () => {
    const lane = randomUUID();
    // Nobody else would find it.
    const engine = fixture.engine({ sweepMs: 60_000 });
    const { opened, ran, hooks, handler } = slow({ forAll: false });
    hooks.onRun = async () => {
      if (ran.length === 1) await enqueue(engine, lane, 1, "woken");
    };
    await engine.startPool("outbound", handler, { slots: 2 });
    await enqueue(engine, lane, 1);
    await waitFor(() => ran.length === 2, { what: "both" });
    expect(opened.get(lane)).toBeGreaterThan(1);
  });

  test("is left at once by a worker that stops", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const { ran, hooks, handler } = slow();
    await engine.startPool("outbound", handler, { slots: 2 });
    hooks.onRun = async () => {
      if (ran.length === 1) void engine.stop(10_000);
    };
    await enqueue(engine, lane, 4);
    const [held] = await waitFor(
      async () => {
        const rows = await fixture.database.db.query<{ owner: string | null }>(
          "SELECT owner FROM lanes WHERE lane = $1 AND owner IS NULL",
          [lane],
        );
        return ran.length === 1 && rows.length === 1 && rows;
      },
      { what: "the lane to be free" },
    );
    expect(held).toEqual({ owner: null });
  });

  test("gives its slot to another lane that waits for one, and comes back", async () => {
    const [lane, other] = [randomUUID(), randomUUID()];
    const engine = fixture.engine();
    const { opened, ran, handler } = slow();
    await engine.startPool("outbound", handler, { slots: 1 });
    await enqueue(engine, lane, 20);
    await waitFor(() => ran.length > 0, { what: "the first lane" });
    await enqueue(engine, other, 1);
    await waitFor(() => ran.includes(other), { what: "the other lane" });
    expect(ran.length).toBeLessThan(20);
    await waitFor(() => (opened.get(lane) ?? 0) > 1, { what: "the first lane again" });
  });
});
