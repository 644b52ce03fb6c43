import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Queue } from "bullmq";
import { EFFECTS_TABLE, type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Jobs, NewJob, TransactionalHandler } from "./index.ts";

const FLOOD = 5_000;
const SLOTS = 4;
/**
 * What may go before it: the lanes that have their slots, two wakes of sixteen lanes in hand, and
 * those that had the first priority before there were too many of them.
 */
const AHEAD = SLOTS + 2 * 16 + 64;

describe.each(backends)("who waits for an answer on $name", (backend) => {
  let fixture: JobsFixture;
  let engine: Jobs;
  let open: () => void;
  let handler: TransactionalHandler;

  beforeEach(async () => {
    fixture = await jobsFixture(backend);
    await fixture.database.owner.query(EFFECTS_TABLE);
    // Without the sweep, which would take some of the flood by its age, a test counts exactly.
    engine = fixture.engine({ sweepMs: 3_600_000, turnMs: 50 });
    // What a test before this one left in this file's Redis.
    await engine.check();
    await wakeQueue().obliterate({ force: true });
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    handler = {
      mode: "transactional",
      run: async (tx, lanes) => {
        await opened;
        const effects = lanes.flatMap(({ lane, jobs }) =>
          jobs.map(({ payload }) => ({ lane, value: Number(payload.value) })),
        );
        await tx.query(
          `INSERT INTO effects (lane, value)
           SELECT lane, value FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS e(lane, value, n)
           ORDER BY n`,
          [effects.map(({ lane }) => lane), effects.map(({ value }) => value)],
        );
      },
    };
  });
  afterEach(async () => {
    open();
    await fixture.close();
  });

  const job = (lane: string, value: number, more: Partial<NewJob> = {}) =>
    fixture.job(lane, value, more);

  const wakeQueue = (): Queue => {
    const queue = (engine.boardQueues() as Queue[]).find(({ name }) => name === "ingest");
    if (queue === undefined) throw new Error("no queue of wakes");
    return queue;
  };

  /** Wakes that the transport holds: waiting and in hand. */
  const wakes = async () => {
    const counts = await wakeQueue().getJobCounts("waiting", "prioritized", "active");
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  };

  /** The flood waits, a pool of few slots has begun with it and cannot go on until `open`. */
  async function startFlood(): Promise<void> {
    const jobs = Array.from({ length: FLOOD }, (_, n) => job(`flood/${n}`, 0));
    await fixture.database.db.transaction((tx) => engine.enqueueIn(tx, jobs));
    await waitFor(async () => (await wakes()) >= FLOOD / 16, { what: "the flood's wakes" });
    await engine.startPool("ingest", handler, { slots: SLOTS });
    await waitFor(() => engine.lanesHeld === SLOTS, { what: "the pool to be busy" });
  }

  /** Sends jobs, lets the pool go on once `expected` more wakes are there, and answers what ran. */
  async function sendAndOpen(jobs: NewJob[], expected: number) {
    const before = await wakes();
    for (const one of jobs) await engine.enqueue(one);
    await waitFor(async () => (await wakes()) === before + expected, { what: "the wakes" });
    open();
    const last = jobs.at(-1);
    const effects = () =>
      fixture.database.db.query<{ lane: string; value: number }>(
        "SELECT lane, value FROM effects ORDER BY n",
      );
    const isDone = ({ lane, value }: { lane: string; value: number }) =>
      lane === last?.lane && value === last.payload?.value;
    await waitFor(async () => (await effects()).some(isDone), {
      what: "the command",
      timeoutMs: 40_000,
    });
    const all = await effects();
    const end = all.findIndex(isDone);
    return {
      earlier: all.slice(0, end).filter(({ lane }) => lane !== last?.lane).length,
      ofLane: all.filter(({ lane }) => lane === last?.lane).map(({ value }) => value),
    };
  }

  test("goes before thousands of waiting lanes of the same workspace", async () => {
    await startFlood();
    const { earlier } = await sendAndOpen([job("asks/1", 1, { urgent: true })], 1);
    expect(earlier).toBeLessThanOrEqual(AHEAD);
  });

  test("in a chat whose wake stands far back: its lane goes first, in its order", async () => {
    await startFlood();
    const lane = `flood/${FLOOD - 1}`;
    const { earlier, ofLane } = await sendAndOpen(
      [job(lane, 1), job(lane, 2), job(lane, 3, { urgent: true })],
      1,
    );
    expect(earlier).toBeLessThanOrEqual(AHEAD);
    expect(ofLane).toEqual([0, 1, 2, 3]);
  });

  test("five hundred times in one chat that is due: one further wake", async () => {
    await startFlood();
    const lane = `flood/${FLOOD - 1}`;
    const commands = Array.from({ length: 500 }, (_, n) => job(lane, n + 1, { urgent: true }));
    const { ofLane } = await sendAndOpen(commands, 1);
    expect(ofLane).toEqual(Array.from({ length: 501 }, (_, n) => n));
  });

  test("behind more in its own chat than a turn takes: the lane comes back to the front", async () => {
    await startFlood();
    const long = Array.from({ length: 2_000 }, (_, n) => job("asks/1", n));
    const before = await wakes();
    await fixture.database.db.transaction((tx) => engine.enqueueIn(tx, long));
    await waitFor(async () => (await wakes()) > before, { what: "the plain wake" });
    const { earlier, ofLane } = await sendAndOpen([job("asks/1", 2_000, { urgent: true })], 1);
    expect(ofLane).toEqual(Array.from({ length: 2_001 }, (_, n) => n));
    expect(earlier).toBeLessThan(FLOOD / 2);
  });

  test("of another workspace too: a plain message is not behind a flood of commands", async () => {
    const commands = Array.from({ length: FLOOD }, (_, n) =>
      job(`flood/${n}`, 0, { urgent: true }),
    );
    await fixture.database.db.transaction((tx) => engine.enqueueIn(tx, commands));
    await waitFor(async () => (await wakes()) >= FLOOD / 16, { what: "the flood's wakes" });
    await engine.startPool("ingest", handler, { slots: SLOTS });
    await waitFor(() => engine.lanesHeld === SLOTS, { what: "the pool to be busy" });
    const quiet = job("quiet/1", 1, { workspaceId: randomUUID() });
    const { earlier } = await sendAndOpen([quiet], 1);
    expect(earlier).toBeLessThanOrEqual(AHEAD);
  });
});
