import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import express from "express";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { createWorkspace } from "../connectors/index.ts";
import { createJobs, UnsafeRedis } from "../jobs/index.ts";
import { createLogger, openDatabase, parseRedisUrl } from "../platform/index.ts";
import { healthRoutes } from "./health.ts";
import { reasonOf } from "./health-checks.ts";

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
});
afterAll(() => world.close());

describe("why a check failed", () => {
  test.each([
    [{ code: "28P01" }, "the credentials were refused"],
    [{ code: "28000" }, "the credentials were refused"],
    [{ code: "42P01" }, "the schema is not as expected: is it migrated?"],
    [{ code: "57P03" }, "it is stopping or starting"],
    [{ code: "57014" }, "no answer in time"],
    [{ code: "ECONNREFUSED" }, "the connection was refused"],
    [new UnsafeRedis("…"), "Redis may evict: set maxmemory-policy to noeviction"],
    [new Error("Connection terminated unexpectedly"), "it cannot be reached"],
    [new Error("WRONGPASS user private_user"), "it failed; the log says how"],
    [{ code: "constructor" }, "it failed; the log says how"],
    ["nonsense", "it failed; the log says how"],
    [null, "it failed; the log says how"],
  ])("%j: %s", (error, reason) => {
    expect(reasonOf(error)).toBe(reason);
  });
});

describe("an installation whose servers do not answer", () => {
  let server: Server;
  let url: string;
  const lines: string[] = [];
  const log = createLogger({
    level: "warn",
    pretty: false,
    write: (line) => void lines.push(line),
  });
  // Port 1 of the loopback interface: nobody is there.
  const db = openDatabase({ url: "postgres://private_user:pw@127.0.0.1:1/private_db" });
  const redis = parseRedisUrl("redis://private_user:pw@127.0.0.1:1");
  const jobs = createJobs({ db, log, redis });
  beforeAll(async () => {
    const { connectors, metrics } = world.system;
    const failures = { failed: async () => 0 };
    const openMessageFile = () => Promise.reject(new Error("no files"));
    const services = { db, jobs, openMessageFile, log, connectors, metrics, failures };
    server = createServer(express().use(healthRoutes(services)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.close().closeAllConnections();
    await jobs.stop(100);
    await db.close();
  });

  test("is not ready, and tells nobody who and where they are; the log is told once", async () => {
    for (let n = 0; n < 3; n++) {
      const answer = await fetch(`${url}/readyz`);
      expect(answer.status).toBe(503);
      const body = await answer.text();
      expect(JSON.parse(body)).toMatchObject({
        status: "not ready",
        checks: { database: { ok: false, detail: "the connection was refused" } },
      });
      expect(body).not.toMatch(/private_|127\.0\.0\.1|ECONN/);
    }
    const told = lines.filter((line) => line.includes('"check":"database"'));
    expect(told).toEqual([expect.stringContaining("ECONNREFUSED")]);
  });
});

test("of more connectors than are told of at once, the answer says that there are more", async () => {
  const { id: workspaceId, apiKey } = await createWorkspace(world.system.db, "Large");
  const add = (from: number, to: number) =>
    world.system.db.query(
      `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
         can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
       SELECT $1, gen_random_uuid(), 'Desk', 'disabled', 9000000 + n, 'b' || n, true, '\\x00',
         gen_random_uuid()::text, sha256('')
       FROM generate_series($2::int, $3::int) n`,
      [workspaceId, from, to],
    );
  const health = async () => {
    const answer = await fetch(`${world.url}/api/integrations/telegram/health`, {
      headers: { authorization: `Bearer ${apiKey}` },
    });
    return (await answer.json()) as { connectors: unknown[]; more?: boolean };
  };
  await add(1, 200);
  const all = await health();
  expect([all.connectors.length, all.more]).toEqual([200, undefined]);
  await add(201, 201);
  const some = await health();
  expect([some.connectors.length, some.more]).toEqual([200, true]);
});
