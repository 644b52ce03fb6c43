import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { nextEvent, type Page, type Picture, pageOf, post } from "../../test/support/console.ts";
import { type OwnPostgres, startPostgres } from "../../test/support/postgres.ts";
import { backends } from "../../test/support/requirements.ts";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { migrateAll } from "../../workers/migrate.ts";

describe("what the console shows", () => {
  let world: TestSystem;
  let page: Page;
  beforeAll(async () => {
    world = await startTestSystem();
    page = pageOf(world.url);
  });
  afterAll(() => world.close());

  const json = async (path: string) => {
    const answer = await page(path);
    return { status: answer.status, body: (await answer.json()) as never };
  };
  /** A dead letter of a queue that nobody works on. */
  const deadLetter = async (options: { error?: string; payload?: unknown; lane?: string } = {}) => {
    const [row] = await world.system.db.query<{ id: string }>(
      `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, priority, payload, run_at,
         attempts, max_attempts, error_class, error, created_at, finished_at)
       VALUES ($1, nextval('job_ids'), 'delivery', $4, 'event', 'discarded', 5, $2, now(), 3, 3,
         'HttpError', $3, now(), now()) RETURNING id`,
      [
        world.workspaceId,
        JSON.stringify(options.payload ?? {}),
        options.error ?? "it answered 500",
        options.lane ?? `endpoint-${randomUUID()}`,
      ],
    );
    return row?.id ?? "";
  };

  test("a message from update to answer: each job names its causes, its effects, and the messages", async () => {
    const bot = await world.connectBot();
    const ada = world.sandbox.createUser({ firstName: "Ada", lastName: "Lovelace" });
    const chat = { chatId: ada.id, botId: bot.id };
    await world.sandbox.send({ ...chat, from: ada.id, text: "/start" });
    await waitFor(() => world.sandbox.messages(chat).some((each) => each.from?.id === bot.id));
    const listed = await waitFor(async () => {
      const { body } = await json(`/console/api/jobs?lane=${bot.connectorId}`);
      const { jobs } = body as { jobs: { id: string; state: string }[] };
      return jobs[0]?.state === "completed" && jobs[0];
    });
    const answer = (await json(`/console/api/jobs/${listed.id}`)).body as never as {
      trace: { causes: { id: string; queue: string }[] };
      outbound: { state: string; chatId: string };
      messages: { direction: string; conversationId: string }[];
    };
    expect(answer).toMatchObject({
      outbound: { state: "sent", chatId: String(ada.id) },
      messages: [{ direction: "out" }],
      trace: { causes: [{ queue: "ingest" }], effects: [] },
    });
    const cause = await json(`/console/api/jobs/${answer.trace.causes[0]?.id}`);
    expect(cause.body).toMatchObject({
      payload: { shown: { connectorId: bot.connectorId, updateKind: "message" } },
      trace: { causes: [], effects: [{ id: listed.id, queue: "outbound", state: "completed" }] },
      messages: [{ direction: "in", conversationId: answer.messages[0]?.conversationId }],
    });
    const everything = JSON.stringify([answer, cause.body]);
    for (const words of ["/start", "Ada", "Lovelace"]) expect(everything).not.toContain(words);
  });

  test("of a payload, ids and kinds; of the rest the names alone", async () => {
    const id = await deadLetter({
      payload: {
        endpointId: "e-1",
        updateKind: "message",
        phone: "+4915112345678",
        text: "secret words",
        contactId: { nested: "secret words" },
        replyToId: "not an id: secret words",
        constructor: "x",
      },
    });
    const { body } = await json(`/console/api/jobs/${id}`);
    expect(body).toMatchObject({
      payload: {
        shown: { endpointId: "e-1", updateKind: "message" },
        hidden: ["text", "phone", "contactId", "replyToId", "constructor"],
      },
    });
    expect(JSON.stringify(body)).not.toContain("secret words");
    expect(JSON.stringify(body)).not.toContain("4915112345678");
  });

  test("an error of 64 kB is whole on its job's page, and a line in the list", async () => {
    const error = "<b>&\u2028".repeat(16_384);
    const lane = `endpoint-${randomUUID()}`;
    const id = await deadLetter({ error, lane });
    const one = await json(`/console/api/jobs/${id}`);
    expect((one.body as { job: { error: string } }).job.error).toBe(error);
    const list = await json(`/console/api/jobs?lane=${lane}`);
    const [listed] = (list.body as { jobs: { error: string }[] }).jobs;
    expect(listed?.error.length).toBeLessThan(400);
  });

  test("nonsense is told, not thrown: ids, filters, cursors, topics, actions", async () => {
    const asData = { headers: { accept: "application/json" } };
    const status = async (path: string) => (await page(path, asData)).status;
    for (const id of ["0", "nonsense", "9".repeat(19), "9".repeat(400), "%00", "-1", "1e3"]) {
      expect(await status(`/console/api/jobs/${id}`)).toBe(404);
    }
    for (const query of [
      "queue=none",
      "state=asleep",
      "workspaceId=1",
      "before=x",
      "before=1&before=2",
      "q=%00",
      "queue=ingest&queue=outbound",
      "connectorId=1",
      "chatId=someone",
      "updateId=-1",
      "from=yesterday",
      "to=2026-13-01T00:00:00Z",
      `q=${"x".repeat(500)}`,
    ]) {
      expect([query, await status(`/console/api/jobs?${query}`)]).toEqual([query, 400]);
    }
    expect(await status("/console/api/events?topic=secrets")).toBe(400);
    expect(await status("/console/api/nothing")).toBe(404);
    expect(await status("/console/nothing")).toBe(404);
    expect((await post(page, "/console/api/jobs/1/explode")).status).toBe(404);
    expect((await post(page, "/console/api/jobs/nonsense/retry")).status).toBe(409);
    const broken = await page("/console/api/jobs/1/retry", {
      method: "POST",
      body: "{",
      headers: { "content-type": "application/json" },
    });
    expect(broken.status).toBe(400);
  });

  test("a dead letter is retried, and waits; discarded, it is one again", async () => {
    const id = await deadLetter();
    const state = async () =>
      ((await json(`/console/api/jobs/${id}`)).body as { job: { state: string } }).job.state;
    const answers = await Promise.all(
      [1, 2].map(() => post(page, `/console/api/jobs/${id}/retry`)),
    );
    // Two operators at once: one of them did it.
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409]);
    expect(await state()).toBe("available");
    expect((await post(page, `/console/api/jobs/${id}/discard`)).status).toBe(200);
    expect(await state()).toBe("discarded");
  });

  test("all that match are counted first, then changed; a search for nothing changes nothing", async () => {
    const lane = `endpoint-${randomUUID()}`;
    for (let n = 0; n < 3; n++) await deadLetter({ lane });
    const other = await deadLetter();
    const call = async (name: string, body: unknown) => {
      const answer = await post(page, `/console/api/jobs/${name}`, body);
      return { status: answer.status, body: await answer.json() };
    };
    const filter = { lane, queue: "delivery" };
    const states = async () =>
      (
        (await json(`/console/api/jobs?lane=${lane}`)).body as { jobs: { state: string }[] }
      ).jobs.map((job) => job.state);
    const all = (state: string) => [state, state, state];
    expect(await call("retry", { filter, dryRun: true })).toMatchObject({
      status: 200,
      body: { matching: { count: 3, capped: false }, running: { count: 0 } },
    });
    expect(await states()).toEqual(all("discarded"));
    expect((await call("retry", { filter })).body).toMatchObject({
      changed: 3,
      left: { count: 0 },
    });
    expect(await states()).toEqual(all("available"));
    expect((await call("cancel", { filter })).body).toMatchObject({ changed: 3 });
    expect(await states()).toEqual(all("cancelled"));
    for (const nothing of [
      {},
      { filter: {} },
      { filter: { lane: "" } },
      { filter: { before: "1" } },
    ]) {
      expect((await call("retry", nothing)).status).toBe(400);
    }
    for (const wrong of [{ lane: 5 }, { lane: " " }, { lane, q: "  " }, { lane, colour: "red" }]) {
      expect((await call("retry", { filter: wrong })).status).toBe(400);
      expect((await call("retry", { filter: wrong, dryRun: true })).status).toBe(400);
    }
    expect(await states()).toEqual(all("cancelled"));
    const { body } = await json(`/console/api/jobs/${other}`);
    expect(body).toMatchObject({ job: { state: "discarded" } });
  });

  test("a queue is paused and resumed, and the pages say so", async () => {
    const pausedIs = (paused: boolean) => (picture: Picture) =>
      (picture.queues as { name: string; paused: boolean }[]).some(
        (queue) => queue.name === "backfill" && queue.paused === paused,
      );
    expect((await post(page, "/console/api/queues/backfill/pause")).status).toBe(200);
    await nextEvent(page, "queues", "queues", pausedIs(true));
    expect((await post(page, "/console/api/queues/backfill/resume")).status).toBe(200);
    await nextEvent(page, "queues", "queues", pausedIs(false));
    expect((await post(page, "/console/api/queues/nonsense/pause")).status).toBe(404);
  });

  test("pages of the list hang together, newest first", async () => {
    const lane = `endpoint-${randomUUID()}`;
    const ids: string[] = [];
    for (let n = 0; n < 60; n++) ids.push(await deadLetter({ lane }));
    const first = (await json(`/console/api/jobs?lane=${lane}`)).body as never as {
      jobs: { id: string }[];
      nextBefore: string;
    };
    const second = (await json(`/console/api/jobs?lane=${lane}&before=${first.nextBefore}`))
      .body as never as typeof first;
    const all = [...first.jobs, ...second.jobs].map((job) => job.id);
    expect(all).toEqual([...ids].reverse());
    expect(second.nextBefore).toBeNull();
  });

  test("each topic is a whole picture, with the age of the oldest waiting job", async () => {
    await world.system.jobs.announce("all");
    await world.system.db.query(
      `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, priority, payload, run_at,
         max_attempts, created_at)
       VALUES ($1, nextval('job_ids'), 'schedule', 'stalled', 'run', 'available', 5, '{}',
         now() - interval '1 h', 3, now() - interval '1 h')`,
      [world.workspaceId],
    );
    interface Queue {
      name: string;
      counts: { available: number };
      oldestWaitingMs: number;
    }
    const named = (picture: Picture, name: string) =>
      (picture.queues as Queue[]).find((queue) => queue.name === name);
    const picture = await nextEvent(
      page,
      "queues",
      "queues",
      (each) => named(each, "schedule")?.counts.available === 1,
    );
    expect(named(picture, "schedule")).toMatchObject({ counts: { available: 1 }, workers: 0 });
    expect(named(picture, "schedule")?.oldestWaitingMs).toBeGreaterThan(3_500_000);
    expect(named(picture, "ingest")).toMatchObject({ workers: 1 });
    const { processes } = await nextEvent(page, "processes", "processes");
    expect(processes).toMatchObject([{ role: "all", alive: true, queues: ["ingest", "outbound"] }]);
    const bot = await world.connectBot();
    const has = ({ bots }: Picture) =>
      (bots as { id: string }[]).find((each) => each.id === bot.connectorId);
    const ofBots = await nextEvent(page, "bots", "bots", (each) => has(each) !== undefined);
    const shown = has(ofBots);
    expect(shown).toMatchObject({ status: "active", sending: { sendRate: 0, heldUntil: null } });
    expect(JSON.stringify(ofBots)).not.toContain(bot.token);
  });

  test("a bot that Telegram holds: until when, on the console and at the health address", async () => {
    const bot = await world.connectBot();
    await world.system.db.query(
      "INSERT INTO send_holds VALUES ($1, $2, '', now() + interval '90 s')",
      [world.workspaceId, bot.connectorId],
    );
    const held = ({ bots }: Picture) =>
      (bots as { id: string; sending: { heldUntil: string | null } }[]).find(
        (each) => each.id === bot.connectorId && each.sending.heldUntil !== null,
      );
    const shown = held(await nextEvent(page, "bots", "bots", (picture) => !!held(picture)));
    const leftMs = Date.parse(shown?.sending.heldUntil ?? "") - Date.now();
    expect(leftMs).toBeGreaterThan(60_000);
    const health = await world.api("GET", "/api/integrations/telegram/health");
    const { connectors } = health.body as { connectors: { id: string }[] };
    expect(connectors.find((each) => each.id === bot.connectorId)).toMatchObject({
      id: bot.connectorId,
      status: "active",
      sendRate: 0,
      heldUntil: shown?.sending.heldUntil,
    });
    expect(connectors.filter((each) => "heldUntil" in each)).toHaveLength(1);
  });
});

describe.each(backends)("the board of the wakes, on $name", (backend) => {
  let world: TestSystem;
  beforeAll(async () => {
    world = await startTestSystem({ redisUrl: backend.redisUrl });
  });
  afterAll(() => world.close());

  test("shows every queue, and changes none", async () => {
    const page = pageOf(world.url);
    const opened = await page("/console/queues");
    expect(opened.status).toBe(200);
    expect(opened.headers.get("content-security-policy")).toContain("script-src 'self';");
    const listed = await page("/console/queues/api/queues");
    const { queues } = (await listed.json()) as {
      queues: { name: string; readOnlyMode: boolean }[];
    };
    expect(queues.map((queue) => queue.name).sort()).toEqual([
      "backfill",
      "delivery",
      "evidence",
      "ingest",
      "outbound",
      "schedule",
    ]);
    expect(queues.every((queue) => queue.readOnlyMode)).toBe(true);
    for (const [method, path] of [
      ["PUT", "/console/queues/api/queues/ingest/pause"],
      ["PUT", "/console/queues/api/queues/pause"],
      ["PUT", "/console/queues/api/queues/ingest/clean/completed"],
      ["PUT", "/console/queues/api/queues/ingest/obliterate"],
      ["POST", "/console/queues/api/queues/ingest/add"],
      ["DELETE", "/console/queues/api/queues/ingest"],
    ] as const) {
      expect([path, (await page(path, { method })).status]).toEqual([path, 405]);
    }
    const without = await pageOf(world.url, "")("/console/queues/api/queues", {
      headers: { accept: "application/json" },
    });
    expect(without.status).toBe(401);
  });
});

describe("a database that goes away", () => {
  let postgres: OwnPostgres;
  let world: TestSystem;
  beforeAll(async () => {
    postgres = await startPostgres();
    await migrateAll(postgres.url);
    world = await startTestSystem({ databaseUrl: postgres.url, pools: false });
  });
  afterAll(async () => {
    await world.close();
    await postgres.destroy();
  });

  test("the open page is told and goes on; others still open; all is well again when it is back", async () => {
    const page = pageOf(world.url);
    await nextEvent(page, "queues", "queues");
    await postgres.kill();
    const { message } = await nextEvent(page, "queues", "trouble");
    expect(message).toContain("database does not answer");
    expect((await page("/console")).status).toBe(200);
    const asked = await page("/console/api/jobs", { headers: { accept: "application/json" } });
    expect(asked.status).toBe(503);
    expect(await asked.json()).toEqual({ error: expect.stringContaining("database") });
    const back = nextEvent(page, "bots", "bots");
    await postgres.start();
    expect(await back).toMatchObject({ bots: [] });
  });
});
