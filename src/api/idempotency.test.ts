import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase } from "../../test/support/database.ts";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createRetention, sha256, silentLogger } from "../platform/index.ts";
import { claimKey, idempotencyRetention } from "./idempotency.ts";

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

describe("two web processes on one database", () => {
  let first: TestSystem;
  let second: TestSystem;
  let bot: TestBot;
  beforeAll(async () => {
    first = await startTestSystem({ pools: false });
    const databaseUrl = first.system.config.databaseUrl;
    second = await startTestSystem({ pools: false, databaseUrl });
    bot = await first.connectBot();
  });
  afterAll(async () => {
    await second.close();
    await first.close();
  });

  async function send(at: TestSystem, key: string, text: string) {
    const response = await fetch(`${at.url}/v1/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${first.apiKey}`,
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify({ connectorId: bot.connectorId, chatId: "5", text }),
    });
    return { status: response.status, body: (await response.json()) as { id: string } };
  }

  /** Messages with this text, and their jobs: one each, or something is lost or double. */
  async function made(text: string): Promise<number[]> {
    const [row] = await first.system.db.query<{ messages: number; jobs: number }>(
      `SELECT count(*)::int AS messages, count(j.id)::int AS jobs FROM outbound_messages m
       LEFT JOIN jobs j ON j.payload ->> 'messageId' = m.id::text WHERE m.text = $1`,
      [text],
    );
    return [row?.messages ?? 0, row?.jobs ?? 0];
  }

  test("the same key at both at once: one message, and the same answer for everybody", async () => {
    for (let round = 0; round < 5; round++) {
      const text = `once ${round}`;
      const calls = [first, second, first, second].map((at) => send(at, text, text));
      const answers = await Promise.all(calls);
      expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
      expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
      expect(await made(text)).toEqual([1, 1]);
    }
    expect((await send(second, "once 0", "something else")).status).toBe(422);
  });

  test("one dies before its commit: the other, which waits for it, sends it; nothing is left of the first", async () => {
    const { db } = first.system;
    const client = await db.connect();
    const text = "of whoever lives";
    const body = { connectorId: bot.connectorId, chatId: "5", text };
    await client.query("BEGIN");
    const [process] = (await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows;
    const on = {
      query: async <Row extends object>(sql: string, params?: readonly unknown[]) =>
        (await client.query(sql, [...(params ?? [])])).rows as Row[],
    };
    const key = {
      workspaceId: first.workspaceId,
      key: "dies",
      call: "POST /v1/messages",
      bodyHash: sha256(JSON.stringify(body)),
    };
    expect(await claimKey(on, key)).toBeNull();
    const answer = send(second, "dies", text);
    await waitFor(
      async () =>
        (
          await first.owner.query(
            `SELECT FROM pg_stat_activity WHERE datname = current_database()
               AND wait_event_type = 'Lock' AND query LIKE '%idempotency_keys%'`,
          )
        ).length > 0,
      { what: "the other to wait" },
    );
    // As at its end by SIGKILL: the server rolls back what was not committed.
    await first.owner.query("SELECT pg_terminate_backend($1)", [process?.pid]);
    expect((await answer).status).toBe(202);
    expect(await made(text)).toEqual([1, 1]);
    expect(await send(first, "dies", text)).toEqual(await answer);
    await client.end().catch(() => {});
  });

  test("a day later the key stands for another message", async () => {
    const before = await send(first, "daily", "daily");
    await first.system.db.query(
      "UPDATE idempotency_keys SET created_at = now() - interval '24 h 1 s' WHERE key = 'daily'",
    );
    const after = await send(second, "daily", "daily");
    expect(after.status).toBe(202);
    expect(after.body.id).not.toBe(before.body.id);
  });
});
