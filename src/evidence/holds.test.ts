import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createWorkspace } from "../connectors/index.ts";
import type { Transaction } from "../platform/index.ts";
import { createEvidence, removeEvidence } from "./change-evidence.ts";
import { findEvidence } from "./evidence-view.ts";
import { listHolds, placeHold, releaseHold } from "./holds.ts";

let database: TestDatabase;
let workspaceId = "";
beforeAll(async () => {
  database = await createTestDatabase({ max: 4 });
  workspaceId = (await createWorkspace(database.db, "Ours")).id;
});
afterAll(() => database.drop());

const inTx = <Result>(work: (tx: Transaction) => Promise<Result>) => database.db.transaction(work);
const begin = async () => {
  const asked = { workspaceId, type: "photo", description: "d", status: "requested" } as const;
  return (await inTx((tx) => createEvidence(tx, { ...asked, createdBy: "key:a" }))).id;
};
const find = (id: string) => findEvidence(database.db, { workspaceId, id });
const hold = (tx: Transaction, evidenceId: string) =>
  placeHold(tx, { workspaceId, evidenceId, reason: "a dispute", by: "key:a" });
const release = (tx: Transaction, evidenceId: string, holdId = "") =>
  releaseHold(tx, { workspaceId, evidenceId, holdId, by: "key:a" });
const remove = (evidenceId: string) =>
  inTx((tx) => removeEvidence(tx, { workspaceId, evidenceId }));

test("a legal hold keeps evidence until the last one is released, whatever a statement says", async () => {
  const id = await begin();
  const one = await inTx((tx) => hold(tx, id));
  const two = await inTx((tx) => hold(tx, id));
  expect(await remove(id)).toBe(false);
  await database.db.query("UPDATE evidence SET held = false WHERE id = $1", [id]);
  await expect(database.db.query("DELETE FROM evidence WHERE id = $1", [id])).rejects.toMatchObject(
    { code: "HG001" },
  );
  await inTx((tx) => release(tx, id, one?.id));
  expect((await find(id))?.held).toBe(true);
  await inTx((tx) => release(tx, id, two?.id));
  expect(await inTx((tx) => release(tx, id, two?.id))).toBeNull();
  expect((await find(id))?.held).toBe(false);
  expect(await remove(id)).toBe(true);
  expect(await find(id)).toBeNull();
});

test("one that is placed while another one is released stands; of two released at once none", async () => {
  const id = await begin();
  const first = await inTx((tx) => hold(tx, id));
  /** Releases `holdId` while `work` is not committed yet. */
  const during = async (work: (tx: Transaction) => Promise<unknown>, holdId?: string) => {
    let releasing: Promise<unknown> = Promise.resolve();
    await inTx(async (tx) => {
      await work(tx);
      releasing = inTx((other) => release(other, id, holdId));
      await waitFor(
        async () =>
          (
            await database.owner.query(
              `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                 AND datname = current_database() AND query LIKE '%release-hold%'`,
            )
          ).length > 0,
        { what: "the release to wait" },
      );
    });
    await releasing;
  };
  await during((tx) => hold(tx, id), first?.id);
  expect((await find(id))?.held).toBe(true);
  const third = await inTx((tx) => hold(tx, id));
  const [one, two] = (await listHolds(database.db, { workspaceId, evidenceId: id })).filter(
    ({ releasedAt }) => releasedAt === null,
  );
  expect([one?.id, two?.id]).toContain(third?.id);
  await during((tx) => release(tx, id, one?.id), two?.id);
  expect((await find(id))?.held).toBe(false);
});
