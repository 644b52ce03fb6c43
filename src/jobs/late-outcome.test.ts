import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { claimInOrder } from "./claim.ts";
import { type Begun, beginAttempts, recordOutcomes } from "./outcome.ts";
import { takeLeases } from "./take-leases.ts";
import type { Outcome } from "./types.ts";

let fixture: JobsFixture;
beforeAll(async () => {
  const backend = backends.at(-1);
  if (backend === undefined) throw new Error("no backend");
  fixture = await jobsFixture(backend);
});
afterAll(() => fixture.close());

test("a dead holder's late outcome does not land on the attempt after a retry by hand", async () => {
  const { db } = fixture.database;
  const engine = fixture.engine();
  const lane = randomUUID();
  const { id } = await engine.enqueue({
    queue: "outbound",
    lane,
    orderingKey: "k",
    workspaceId: fixture.workspaceId,
    kind: "test",
    payload: {},
  });
  const holder = { owner: randomUUID(), leaseMs: 5_000, claimLimit: 0 };
  const lease = (await takeLeases(db, "outbound", [lane], holder)).get(lane)?.lease;
  if (lease === undefined || id === null) throw new Error("no lease");
  const begin = async (worker: string) => {
    const [claim] = await claimInOrder(db, "outbound", [{ lease, limit: 1 }]);
    const job = claim?.jobs[0];
    if (job === undefined) throw new Error("no job");
    const [begun] = await db.transaction((tx) =>
      beginAttempts(tx, [{ lease, job }], { worker, skipLocked: false }),
    );
    if (typeof begun !== "object") throw new Error("not begun");
    return { job, begun };
  };
  type Attempt = { job: Awaited<ReturnType<typeof begin>>["job"]; begun: Begun };
  const record = ({ job, begun }: Attempt, worker: string, outcome: Outcome) =>
    recordOutcomes(db, [{ job, ...begun, outcome, runMs: 1 }], {
      worker,
      nowMs: Date.now(),
      wasRunning: true,
    });
  const first = await begin("zombie");
  await record(first, "successor", { type: "discard", errorClass: "Unknown", error: "unknown" });
  await engine.ledger.retry({ id });
  const second = await begin("successor");
  expect(second.begun.attempt).toBe(first.begun.attempt);

  expect((await record(first, "zombie", { type: "complete" })).size).toBe(0);
  const stateOf = "SELECT state, worker FROM jobs WHERE id = $1";
  expect(await db.query(stateOf, [id])).toEqual([{ state: "running", worker: "successor" }]);
  expect((await record(second, "successor", { type: "complete" })).size).toBe(1);
});
