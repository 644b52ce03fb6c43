import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { createWorkspace } from "../connectors/index.ts";
import { QUEUES } from "../jobs/index.ts";

const ADMIN = "the-administrator";
const LATER = new Date(Date.now() + 3_600_000);

let world: TestSystem;
let stranger: string;
let lane: string;
const connectorId = randomUUID();
let ids: string[];

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  stranger = (await createWorkspace(world.system.db, "Stranger")).apiKey;
  lane = `${connectorId}/c-1001`;
  const { db, jobs } = world.system;
  const enqueued = await db.transaction((tx) =>
    jobs.enqueueIn(
      tx,
      Array.from({ length: 5 }, (_, n) => ({
        queue: "ingest" as const,
        lane,
        workspaceId: world.workspaceId,
        kind: "update",
        payload: { connectorId, updateId: 7_000 + n },
        runAt: LATER,
      })),
    ),
  );
  ids = enqueued.map(({ id }) => id ?? "");
});
afterAll(() => world.close());

/** What the answers of these calls may hold. */
interface Body {
  data: { id: string; name: string; paused: boolean; counts: { available: number } }[];
  name?: string;
  state?: string;
  detail?: string;
}

async function call(method: string, path: string, body?: unknown, key = world.apiKey) {
  const response = await fetch(world.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

const found = async (query: string, key?: string) => {
  const { status, body } = await call("GET", `/v1/jobs?${query}`, undefined, key);
  expect(status).toBe(200);
  return body.data.map((job) => job.id);
};

describe("the ledger over HTTP", () => {
  test("is searched by all that a job is known by", async () => {
    const newestFirst = [...ids].reverse();
    for (const query of [
      `lane=${encodeURIComponent(lane)}`,
      `connectorId=${connectorId}`,
      "chatId=-1001",
      "state=scheduled,running&queue=ingest",
      `createdFrom=${new Date(Date.now() - 60_000).toISOString()}`,
    ]) {
      expect(await found(query)).toEqual(newestFirst);
    }
    expect(await found("updateId=7002")).toEqual([ids[2]]);
    expect(await found(`q=${ids[1]}`)).toEqual([ids[1]]);
    expect(await found("state=available")).toEqual([]);
    expect(await found(`createdTo=${new Date(Date.now() - 60_000).toISOString()}`)).toEqual([]);
    expect(await found("errorClass=None")).toEqual([]);
  });

  test("shows a workspace its own; the administrator all, or one", async () => {
    expect(await found("chatId=-1001", stranger)).toEqual([]);
    expect(await found("chatId=-1001", ADMIN)).toHaveLength(5);
    expect(await found(`workspaceId=${world.workspaceId}`, ADMIN)).toHaveLength(5);
    expect(await found(`workspaceId=${randomUUID()}`, ADMIN)).toEqual([]);
    expect(await found(`workspaceId=${world.workspaceId}`)).toHaveLength(5);
    const foreign = await call(
      "GET",
      `/v1/jobs?workspaceId=${world.workspaceId}`,
      undefined,
      stranger,
    );
    expect(foreign.status).toBe(404);
    const [id] = ids;
    for (const action of ["retry", "discard", "cancel", "run-now"]) {
      expect((await call("POST", `/v1/jobs/${id}/${action}`, {}, stranger)).status).toBe(404);
      const many = await call("POST", `/v1/jobs/${action}`, { chatId: "-1001" }, stranger);
      expect(many.body).toMatchObject({ left: { count: 0, capped: false } });
    }
    expect(await found("state=scheduled")).toHaveLength(5);
  });

  test("counts first, changes up to a limit, and says what is left", async () => {
    const filter = { connectorId };
    const nothing = { count: 0, capped: false };
    expect((await call("POST", "/v1/jobs/cancel", { ...filter, dryRun: true })).body).toEqual({
      count: 5,
      capped: false,
      running: nothing,
    });
    expect((await call("POST", "/v1/jobs/cancel", { ...filter, limit: 2 })).body).toEqual({
      cancelled: 2,
      running: nothing,
      left: { count: 3, capped: false },
    });
    expect(await found("state=cancelled")).toEqual([ids[1], ids[0]]);
    expect((await call("POST", "/v1/jobs/discard", { updateId: "7004" })).body).toMatchObject({
      discarded: 1,
    });
    // What was cancelled is not wanted, unless it is named.
    const retry = async (more = {}) =>
      (await call("POST", "/v1/jobs/retry", { ...filter, ...more })).body;
    expect(await retry({ dryRun: true })).toMatchObject({ count: 1 });
    expect(await retry()).toMatchObject({ retried: 1, left: { count: 0 } });
    expect(await retry({ state: "cancelled" })).toMatchObject({ retried: 2 });
    expect(await found("state=available")).toEqual([ids[4], ids[1], ids[0]]);
    expect((await call("POST", "/v1/jobs/run-now", filter)).body).toMatchObject({ started: 2 });
    expect(await found("state=available")).toHaveLength(5);
  });

  test("a change of many jobs says which, or that all are meant; a count need not", async () => {
    const before = await found("limit=50");
    const states = async () => (await call("GET", "/v1/jobs?limit=50", undefined, ADMIN)).body.data;
    const were = await states();
    for (const action of ["retry", "discard", "cancel", "run-now"]) {
      for (const [body, key] of [
        [{}, ADMIN],
        [{ limit: 5 }, ADMIN],
        [{ all: false }, ADMIN],
        [{}, world.apiKey],
        [{ workspaceId: world.workspaceId }, world.apiKey],
      ] as const) {
        const refused = await call("POST", `/v1/jobs/${action}`, body, key);
        expect([refused.status, refused.body.detail]).toEqual([
          400,
          expect.stringContaining("all: true"),
        ]);
      }
      const count = await call("POST", `/v1/jobs/${action}`, { dryRun: true }, ADMIN);
      expect(count.status).toBe(200);
    }
    expect(await found("limit=50")).toEqual(before);
    expect(await states()).toEqual(were);
    const all = await call("POST", "/v1/jobs/retry", { all: true }, stranger);
    expect(all).toMatchObject({ status: 200, body: { retried: 0 } });
    const oneTenant = { workspaceId: randomUUID() };
    expect((await call("POST", "/v1/jobs/retry", oneTenant, ADMIN)).status).toBe(200);
  });

  test("one job: each action in the state that it is for, 409 in any other", async () => {
    const act = async (action: string) => {
      const { status, body } = await call("POST", `/v1/jobs/${ids[0]}/${action}`);
      return [status, body.state ?? body.detail];
    };
    expect(await act("run-now")).toEqual([409, expect.stringContaining("scheduled or retryable")]);
    expect(await act("cancel")).toEqual([200, "cancelled"]);
    expect(await act("cancel")).toEqual([409, expect.stringContaining("waiting")]);
    expect(await act("retry")).toEqual([200, "available"]);
    expect(await act("retry")).toEqual([409, expect.stringContaining("discarded or cancelled")]);
    expect(await act("discard")).toEqual([200, "discarded"]);
  });

  test.each([
    { state: "lost" },
    { state: "" },
    { createdFrom: "yesterday" },
    { updateId: "1 OR 1" },
    { connectorId: "mine" },
    { q: "" },
    { q: "  " },
    { lane: "" },
    { errorClass: " " },
    { limit: 10_001 },
    { limit: 0 },
    { dryRun: "yes" },
    { colour: "red" },
  ])("%j is refused", async (body) => {
    expect((await call("POST", "/v1/jobs/cancel", body)).status).toBe(400);
  });
});

describe("queues over HTTP", () => {
  test("every queue has its figures, for whoever asks", async () => {
    for (const key of [world.apiKey, stranger, ADMIN]) {
      const { body } = await call("GET", "/v1/queues", undefined, key);
      expect(body.data.map((queue) => queue.name)).toEqual([...QUEUES]);
      for (const queue of body.data) {
        expect(queue).toEqual({
          name: expect.any(String),
          paused: false,
          counts: {
            available: expect.any(Number),
            scheduled: expect.any(Number),
            running: 0,
            retryable: 0,
            completed: 0,
            discarded: expect.any(Number),
            cancelled: 0,
          },
          oldestWaitingMs: queue.counts.available > 0 ? expect.any(Number) : null,
          perSecond: 0,
          waitMs: { p50: null, p95: null, p99: null },
          runMs: { p50: null, p95: null, p99: null },
        });
      }
    }
  });

  test("the administrator pauses and resumes them, nobody else", async () => {
    const paused = async () =>
      (await call("GET", "/v1/queues")).body.data
        .filter((queue) => queue.paused)
        .map((queue) => queue.name);
    for (const action of ["pause", "resume"]) {
      expect((await call("POST", `/v1/queues/ingest/${action}`)).status).toBe(403);
      const unknown = await call("POST", `/v1/queues/nothing/${action}`, undefined, ADMIN);
      expect(unknown.status).toBe(400);
    }
    expect(await paused()).toEqual([]);
    for (let twice = 0; twice < 2; twice++) {
      const { body } = await call("POST", "/v1/queues/ingest/pause", undefined, ADMIN);
      expect(body).toEqual({ name: "ingest", paused: true });
    }
    expect(await paused()).toEqual(["ingest"]);
    const { body } = await call("POST", "/v1/queues/ingest/resume", undefined, ADMIN);
    expect(body).toEqual({ name: "ingest", paused: false });
    expect(await paused()).toEqual([]);
  });
});
