import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { commitOrApart } from "./commit-apart.ts";
import type { NewJob, TransactionalHandler } from "./index.ts";

const lockTimeout = () => Object.assign(new Error("lock timeout"), { code: "55P03" });

describe("a combined commit that fails", () => {
  const items = (count: number, workspace: string) =>
    Array.from({ length: count }, (_, n) => ({ workspace, n }));
  type Item = ReturnType<typeof items>[number];
  const commit = async (all: Item[], alone: (item: Item) => Promise<string>) =>
    Promise.allSettled(
      await commitOrApart(all, {
        together: () => Promise.reject(lockTimeout()),
        alone,
        workspaceOf: (item) => item.workspace,
      }),
    );

  test("tries few lanes of a workspace that meets locked rows, and all of the others", async () => {
    const tried: string[] = [];
    const ends = await commit([...items(100, "A"), ...items(100, "B")], async ({ workspace }) => {
      tried.push(workspace);
      if (workspace === "A") throw lockTimeout();
      return "done";
    });
    expect(tried.filter((workspace) => workspace === "A").length).toBeLessThan(6);
    expect(tried.filter((workspace) => workspace === "B")).toHaveLength(100);
    expect(ends.slice(0, 100).every((end) => end.status === "rejected")).toBe(true);
    expect(ends.slice(100).every((end) => end.status === "fulfilled")).toBe(true);
  });

  test("tries every lane, whatever else they fail of", async () => {
    let tried = 0;
    const ends = await commit(items(50, "A"), async ({ n }) => {
      tried++;
      if (n % 2 === 0) throw new Error("poison");
      return "done";
    });
    expect(tried).toBe(50);
    expect(ends.filter((end) => end.status === "rejected")).toHaveLength(25);
  });

  test("is everybody's when the database is away", async () => {
    const away = Object.assign(new Error("going away"), { code: "57P01" });
    const ways = {
      together: () => Promise.reject(away),
      alone: async () => "done",
      workspaceOf: () => "A",
    };
    await expect(commitOrApart([1, 2], ways)).rejects.toBe(away);
  });
});

describe.each(backends)("a locked row that many lanes of a workspace need, on $name", (backend) => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
    await fixture.database.owner.query("CREATE TABLE hot (id int PRIMARY KEY)");
    await fixture.database.db.query("INSERT INTO hot VALUES (1)");
  });
  afterAll(() => fixture.close());

  test("holds nobody else's, and nothing is left behind when it goes", async () => {
    const { db } = fixture.database;
    const [a, b, tag] = [randomUUID(), randomUUID(), randomUUID()];
    const job = (workspaceId: string, lane: string): NewJob => ({
      queue: "ingest",
      lane: `${lane}/${tag}`,
      workspaceId,
      kind: "test",
      payload: {},
    });
    const waiting = async (workspaceId: string) =>
      (
        await db.query<{ n: number }>(
          `SELECT count(*)::int AS n FROM jobs
           WHERE workspace_id = $1 AND state IN ('available', 'running', 'retryable')`,
          [workspaceId],
        )
      )[0]?.n;
    const handler: TransactionalHandler = {
      mode: "transactional",
      run: async (tx, lanes) => {
        if (lanes.some(({ workspaceId }) => workspaceId === a))
          await tx.query("SELECT FROM hot WHERE id = 1 FOR UPDATE");
      },
    };
    const holder = await db.connect();
    try {
      await holder.query("BEGIN");
      await holder.query("SELECT FROM hot WHERE id = 1 FOR UPDATE");
      const engine = fixture.engine();
      await engine.startPool("ingest", handler, { slots: 100 });
      const lanes = Array.from({ length: 300 }, (_, n) => job(a, `A${n}`));
      await db.transaction((tx) => engine.enqueueIn(tx, lanes));
      // Now, and at each moment of the blocked lanes' coming back.
      for (let n = 0; n < 5; n++) {
        await engine.enqueue(job(b, `B${n}`));
        await waitFor(async () => (await waiting(b)) === 0, {
          what: "the other workspace's update",
          timeoutMs: 20_000,
        });
        const { attempts } = (
          await db.query<{ attempts: number }>(
            "SELECT max(attempts) AS attempts FROM jobs WHERE workspace_id = $1",
            [a],
          )
        )[0] as { attempts: number };
        expect(attempts).toBe(0);
      }
      expect(await waiting(a)).toBe(300);
      await holder.query("COMMIT");
      await waitFor(async () => (await waiting(a)) === 0, {
        what: "all lanes, now that the row is free",
        timeoutMs: 20_000,
      });
      await engine.stop(1_000);
    } finally {
      await holder.end();
    }
  });
});
