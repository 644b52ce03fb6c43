import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../test/support/property.ts";
import { InsertQueue } from "./insert-queue.ts";
import type { NewJob } from "./types.ts";

const job = (lane: string, value: number, urgent = false, workspaceId = "w"): NewJob => ({
  queue: "ingest",
  lane,
  workspaceId,
  kind: "test",
  payload: { value },
  urgent,
});

/** Answers the jobs of each insert, when `jobs` come while the first insert is under way. */
async function insertsOf(jobs: NewJob[]): Promise<NewJob[][]> {
  const inserts: NewJob[][] = [];
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const queue = new InsertQueue(async (some) => {
    inserts.push(some);
    if (inserts.length === 1) await opened;
    return some.map(() => ({ id: "1", duplicate: false }));
  });
  const first = queue.add(job("first", 0));
  await new Promise((resolve) => setImmediate(resolve));
  const rest = jobs.map((one) => queue.add(one));
  open();
  await Promise.all([first, ...rest]);
  return inserts.slice(1);
}

describe("inserts of one process", () => {
  test("an urgent job is in the next one, with what stands before it in its lane", async () => {
    const plain = Array.from({ length: 900 }, (_, n) => job(`plain/${n}`, n));
    const command = job("plain/899", 900, true);
    const [next] = await insertsOf([...plain, command]);
    expect(next?.filter(({ lane }) => lane === "plain/899")).toEqual([plain[899], command]);
  });

  test("plain jobs are not starved by a flood of urgent ones", async () => {
    const urgent = Array.from({ length: 900 }, (_, n) => job(`urgent/${n}`, n, true));
    const [next] = await insertsOf([...urgent, job("plain/1", 1)]);
    expect(next?.some(({ lane }) => lane === "plain/1")).toBe(true);
  });

  test("nor is another workspace, by however many of them", async () => {
    const urgent = Array.from({ length: 900 }, (_, n) => job(`urgent/${n}`, n, true));
    const others = Array.from({ length: 140 }, (_, n) => job(`quiet/${n}`, n, false, "quiet"));
    const [next] = await insertsOf([...urgent, ...others]);
    expect(next?.filter(({ workspaceId }) => workspaceId === "quiet")).toHaveLength(140);
  });

  test("every job is inserted once, and those of a lane in their order", async () => {
    const sent = fc.array(fc.record({ lane: fc.nat(40), urgent: fc.boolean() }), {
      minLength: 250,
      maxLength: 900,
    });
    await fc.assert(
      fc.asyncProperty(sent, async (asked) => {
        const jobs = asked.map(({ lane, urgent }, n) =>
          job(`${lane % 3}/${lane}`, n, urgent && lane % 4 === 0, `w${lane % 3}`),
        );
        const inserted = (await insertsOf(jobs)).flat();
        expect(inserted).toHaveLength(jobs.length);
        for (const lane of new Set(jobs.map((one) => one.lane))) {
          const of = (some: NewJob[]) => some.filter((one) => one.lane === lane);
          expect(of(inserted)).toEqual(of(jobs));
        }
      }),
      { numRuns: runs(30) },
    );
  });
});
