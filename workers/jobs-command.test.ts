import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestSystem } from "../test/support/system.ts";
import { jobsCommand, queuesCommand } from "./jobs-command.ts";

let world: TestSystem;
let lane: string;
let ids: string[];
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  lane = randomUUID();
  const runAt = new Date(Date.now() + 3_600_000);
  const { jobs, db } = world.system;
  const enqueued = await db.transaction((tx) =>
    jobs.enqueueIn(
      tx,
      [1, 2, 3].map(() => ({
        queue: "schedule" as const,
        lane,
        workspaceId: world.workspaceId,
        kind: "test",
        runAt,
      })),
    ),
  );
  ids = enqueued.map(({ id }) => id ?? "");
});
afterAll(() => world.close());

async function jobs(...args: string[]): Promise<unknown[]> {
  const printed: unknown[] = [];
  await jobsCommand(world.system, args, (value) => void printed.push(value));
  return printed;
}

async function queues(...args: string[]): Promise<unknown[]> {
  const printed: unknown[] = [];
  await queuesCommand(world.system, args, (value) => void printed.push(value));
  return printed;
}

describe("heliograph jobs", () => {
  test("lists by filter, counts first, changes one or all that match", async () => {
    expect(await jobs("list", "--lane", lane, "--state", "scheduled,retryable")).toHaveLength(3);
    expect(await jobs("list", "--lane", lane, "--limit", "1")).toEqual([
      expect.stringMatching(`^${ids[2]}  scheduled  schedule ${lane}`),
    ]);
    expect(await jobs("show", ids[0] ?? "")).toMatchObject([{ id: ids[0], attemptLog: [] }]);
    expect(await jobs("cancel", ids[0] ?? "")).toEqual([`job ${ids[0]}: cancelled`]);
    await expect(jobs("cancel", ids[0] ?? "")).rejects.toThrow(
      "is cancelled: not a state to cancel",
    );
    expect(await jobs("discard", "--lane", lane, "--dry-run")).toEqual(["2 would be changed"]);
    expect(await jobs("discard", "--lane", lane, "--limit", "1")).toEqual([
      "1 discarded; 0 run now; 1 left",
    ]);
    // What was cancelled is not wanted, unless it is named.
    const retry = ["retry", "--lane", lane];
    expect(await jobs(...retry)).toEqual(["1 will run again; 0 run now; 0 left"]);
    expect(await jobs(...retry, "--state", "cancelled")).toEqual([
      "1 will run again; 0 run now; 0 left",
    ]);
    expect(await jobs("run-now", "--queue", "schedule")).toEqual(["1 due now; 0 run now; 0 left"]);
  });

  test("with --dry-run nothing is changed, be it one job or all that match", async () => {
    const id = ids[1] ?? "";
    const before = await jobs("show", id);
    for (const [action, count] of [
      ["discard", 1],
      ["cancel", 1],
      ["retry", 0],
    ] as const) {
      expect(await jobs(action, id, "--dry-run")).toEqual([`${count} would be changed`]);
      expect(await jobs("show", id)).toEqual(before);
    }
    expect(await jobs("discard", "--dry-run")).toEqual(["3 would be changed"]);
    expect(await jobs("show", id)).toEqual(before);
  });

  test("what is asked beside an id, or left empty, is told: no job is changed", async () => {
    const id = ids[1] ?? "";
    const before = await jobs("show", id);
    for (const beside of [["--workspace", randomUUID()], ["--queue", "ingest"], ["--all"]]) {
      await expect(jobs("discard", id, ...beside)).rejects.toThrow(`an id or ${beside[0]}`);
    }
    for (const name of ["q", "lane", "chat", "update", "error-class", "connector", "state"]) {
      for (const value of ["", "  "]) {
        await expect(jobs("discard", `--${name}`, value)).rejects.toThrow(`--${name} is empty`);
      }
    }
    expect(await jobs("show", id)).toEqual(before);
  });

  test.each([
    [["retry"], "an id, a filter, or --all"],
    [["list", "--state", "lost"], "--state is one of"],
    [["list", "--queue", "nothing"], "--queue is one of"],
    [["list", "--from", "yesterday"], "--from is a time"],
    [["list", "--workspace", "mine"], "--workspace is"],
    [["list", "--limit", "0"], "--limit is"],
    [["list", "--connector", "mine"], "--connector is"],
    [["list", "123"], "jobs show 123"],
    [["list", "--q", ""], "--q is empty"],
    [["show"], "takes an id"],
    [["show", "987654321"], "there is no job"],
    [["vanish"], "jobs takes list"],
    [["retry", "1", "2"], "takes one id"],
    [["list", "--colour"], "--colour"],
  ])("%j: one line that says what is wrong", async (args, says) => {
    await expect(jobs(...args)).rejects.toThrow(says);
  });

  test("queues are listed, paused and resumed", async () => {
    expect(await queues("pause", "delivery")).toEqual(["delivery: paused"]);
    expect(await queues()).toContain("delivery  paused empty");
    expect(await queues("pause", "delivery")).toEqual(["delivery: was paused already"]);
    expect(await queues("resume", "delivery")).toEqual(["delivery: goes on"]);
    expect(await queues("resume", "delivery")).toEqual(["delivery: was not paused"]);
    await expect(queues("pause", "all")).rejects.toThrow("a queue is one of");
    await expect(queues("stop", "delivery")).rejects.toThrow("queues takes");
  });
});
