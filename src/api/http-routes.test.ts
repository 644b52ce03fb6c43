import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import express from "express";
import { z } from "zod";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { openEvidence } from "../../workers/evidence-services.ts";
import { createWorkspace } from "../connectors/index.ts";
import { problemHandler, serveRoutes } from "./http-routes.ts";
import { type Answer, defineRoute } from "./route.ts";

/** Routes as any room may describe them, whose handlers are in the test's hand. */
let world: TestSystem;
let server: Server;
let url: string;
let runs: string[] = [];
let answer: () => Answer = () => ({ status: 201, body: {} });

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  const { db, connectors, jobs, metrics, log } = world.system;
  const created = { status: 201, schema: z.looseObject({}) };
  const app = express();
  app.use(
    serveRoutes(
      [
        defineRoute({
          method: "post",
          path: "/v1/things/:id/copies",
          auth: "workspace",
          scope: "send",
          summary: "Copies a thing.",
          params: z.object({ id: z.string() }),
          body: z.looseObject({}),
          success: created,
          idempotent: "stored",
          handler: async ({ params }) => {
            runs.push(params.id);
            return answer();
          },
        }),
        defineRoute({
          method: "get",
          path: "/v1/careless",
          auth: "either",
          scope: "read",
          summary: "Shows what the database shows, whoever asks.",
          success: { status: 200, schema: z.looseObject({}) },
          handler: async ({ db: own }) => {
            const workspaces = await own.query<{ id: string }>("SELECT id FROM workspaces");
            const keys = await own.transaction((tx) =>
              tx.query("SELECT key FROM idempotency_keys"),
            );
            const body = { workspaces: workspaces.map(({ id }) => id), keys: keys.length };
            return { status: 200, body };
          },
        }),
      ],
      {
        db,
        connectors,
        jobs,
        openMessageFile: () => Promise.reject(new Error("no files")),
        evidence: openEvidence(world.system),
        failures: { failed: async () => 0 },
        metrics,
        log,
        adminToken: "the-administrator",
      },
    ),
  );
  app.use(problemHandler(log));
  server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close().closeAllConnections();
  await world.close();
});

async function copy(id: string, key: string) {
  const response = await fetch(`${url}/v1/things/${id}/copies`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${world.apiKey}`,
      "content-type": "application/json",
      "idempotency-key": key,
    },
    body: "{}",
  });
  return { status: response.status, body: await response.json() };
}

test("a handler that forgets whose call it is shows the caller's own all the same", async () => {
  const other = await createWorkspace(world.system.db, "Other");
  await world.system.db.query(
    `INSERT INTO idempotency_keys (workspace_id, key, call, body_hash)
     SELECT id, 'k', 'c', sha256('') FROM workspaces`,
  );
  const shown = async (key: string) => {
    const headers = { authorization: `Bearer ${key}` };
    const response = await fetch(`${url}/v1/careless`, { headers });
    return (await response.json()) as { workspaces: string[]; keys: number };
  };
  expect(await shown(other.apiKey)).toEqual({ workspaces: [other.id], keys: 1 });
  expect(await shown(world.apiKey)).toEqual({ workspaces: [world.workspaceId], keys: 1 });
  const all = await shown("the-administrator");
  expect(new Set(all.workspaces)).toEqual(new Set([other.id, world.workspaceId]));
  expect(all.keys).toBe(2);
  await world.system.db.query("DELETE FROM idempotency_keys");
});

describe("an Idempotency-Key of a call whose answer is stored", () => {
  test("stands for the thing that is named in the path, each by itself", async () => {
    runs = [];
    answer = () => ({ status: 201, body: { of: runs.at(-1) } });
    const key = randomUUID();
    const first = await copy("one", key);
    expect(first.body).toEqual({ of: "one" });
    expect((await copy("two", key)).body).toEqual({ of: "two" });
    expect(await copy("one", key)).toEqual(first);
    expect(runs).toEqual(["one", "two"]);
  });

  test("is given back when the work fails, and the failure is told", async () => {
    runs = [];
    answer = () => {
      throw new Error("out of order");
    };
    const key = randomUUID();
    expect((await copy("one", key)).status).toBe(500);
    answer = () => ({ status: 201, body: { well: true } });
    expect(await copy("one", key)).toEqual({ status: 201, body: { well: true } });
    expect(runs).toEqual(["one", "one"]);
  });

  test("is used up once the work is done, even if its answer cannot be stored", async () => {
    runs = [];
    // Text that jsonb refuses.
    answer = () => ({ status: 201, body: { text: "\0" } });
    const key = randomUUID();
    expect(await copy("one", key)).toEqual({ status: 201, body: { text: "\0" } });
    expect((await copy("one", key)).status).toBe(409);
    expect(runs).toEqual(["one"]);
  });
});
