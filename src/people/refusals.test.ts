import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { dropRefusals, type Refusal, writeRefusals } from "./refusals.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());

const NONE: Refusal = { droppedAtS: null, toldAtMs: null, wrongCodes: 0, wrongSinceMs: null };

test("what two transactions noted of one account, read at the same time, only moves forward", async () => {
  const scope = await world.newScope();
  const note = (refusal: Partial<Refusal>) =>
    world.db.transaction((tx) =>
      writeRefusals(tx, [{ ...scope, peerId: "5", refusal: { ...NONE, ...refusal } }]),
    );
  await note({ droppedAtS: 200, toldAtMs: 300_000 });
  await note({ droppedAtS: 100, toldAtMs: null });
  const rows = await world.db.query(
    `SELECT extract(epoch FROM dropped_at)::int AS dropped, extract(epoch FROM told_at)::int AS told
     FROM access_refusals WHERE workspace_id = $1`,
    [scope.workspaceId],
  );
  expect(rows).toEqual([{ dropped: 200, told: 300 }]);
});

test("is forgotten a week after the last refusal, in batches", async () => {
  await world.db.query("DELETE FROM access_refusals");
  const scope = await world.newScope();
  await world.db.query(
    `INSERT INTO access_refusals (workspace_id, connector_id, peer_id, refused_at)
     SELECT $1, $2, n, now() - n * interval '1 day' FROM generate_series(1, 12) n`,
    [scope.workspaceId, scope.connectorId],
  );
  const drop = () => world.db.transaction((tx) => dropRefusals.dropBatch(tx, 4, null));
  expect(await drop()).toEqual({ rows: 4, place: "more" });
  expect(await drop()).toEqual({ rows: 2, place: null });
  const left = await world.db.query<{ peer_id: string }>(
    "SELECT peer_id FROM access_refusals ORDER BY peer_id",
  );
  expect(left.map((row) => row.peer_id)).toEqual(["1", "2", "3", "4", "5", "6"]);
});
