import { randomUUID } from "node:crypto";
import { expect, test } from "@jest/globals";
import { createTestDatabase } from "../../test/support/database.ts";
import { createRetention, silentLogger } from "../platform/index.ts";
import { idempotencyRetention } from "./idempotency.ts";

test("idempotency keys are kept a day, and go in batches", async () => {
  const database = await createTestDatabase();
  const { db } = database;
  const workspaceId = randomUUID();
  await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [workspaceId]);
  for (const hours of [1, 23, 25, 50, 51]) {
    await db.query(
      `INSERT INTO idempotency_keys (workspace_id, key, call, body_hash, created_at)
       VALUES ($1, $2, 'c', sha256(''), now() - $3 * interval '1 h')`,
      [workspaceId, `k${hours}`, hours],
    );
  }
  const rules = [idempotencyRetention];
  const retention = createRetention({ db, log: silentLogger, rules, batchRows: 2, pauseMs: 0 });
  expect(await retention.runOnce()).toEqual({ "idempotency keys": 3 });
  expect(await db.query("SELECT key FROM idempotency_keys ORDER BY key")).toEqual([
    { key: "k1" },
    { key: "k23" },
  ]);
  await database.drop();
});
