import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startSandbox } from "../sandbox/index.ts";
import { getJob, type TransactionalHandler } from "../src/jobs/index.ts";
import { createOutboundHandler, getMessage, submitMessages } from "../src/outbound/index.ts";
import { createMetrics, silentLogger } from "../src/platform/index.ts";
import { createBotApiFactory } from "../src/telegram/index.ts";
import { EFFECTS_TABLE, type JobsFixture, jobsFixture } from "./support/jobs.ts";
import { backends } from "./support/requirements.ts";
import { startScript } from "./support/script.ts";
import { waitFor } from "./support/wait-for.ts";

const FAST = { leaseMs: 600, sweepMs: 100 };
const worker = new URL("./support/killed-worker.ts", import.meta.url);

describe.each(backends)("a worker killed in any phase, on $name", (backend) => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
    await fixture.database.owner.query(EFFECTS_TABLE);
    await fixture.database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [
      fixture.workspaceId,
    ]);
  });
  afterAll(() => fixture.close());

  /** Runs a worker that dies as told, and waits until it has. */
  async function runUntilKilled(settings: object): Promise<void> {
    const script = startScript(worker, {
      args: [
        JSON.stringify({
          databaseUrl: fixture.database.url,
          redisUrl: backend.redisUrl,
          ...settings,
        }),
      ],
    });
    const ended = await script.exited;
    if (ended !== "SIGKILL") throw new Error(`the worker ended with ${ended}: ${script.stderr()}`);
  }

  const handler: TransactionalHandler = {
    mode: "transactional",
    run: async (tx, lanes) => {
      for (const { lane, jobs } of lanes) {
        for (const { payload } of jobs) {
          await tx.query("INSERT INTO effects (lane, value) VALUES ($1, $2)", [
            lane,
            payload.value,
          ]);
        }
      }
    },
  };

  test.each([
    ["the lease with its first claim", 5, ["jobs.lease"]],
    ["a later claim", 66, ["jobs.claim"]],
    ["the first effect", 5, ["INSERT INTO effects"]],
    ["the fence with completion and release, not yet committed", 5, ["jobs.finish"]],
    ["the commit", 5, ["jobs.finish", "COMMIT"]],
  ])("right after %s: each effect once, in order", async (_phase, count, markers) => {
    const lane = randomUUID();
    const { db } = fixture.database;
    const sender = fixture.engine();
    const values = Array.from({ length: count }, (_, value) => value);
    await Promise.all(
      values.map((value) =>
        sender.enqueue({
          queue: "ingest",
          lane,
          workspaceId: fixture.workspaceId,
          kind: "test",
          payload: { value },
        }),
      ),
    );
    await runUntilKilled({ queue: "ingest", markers, when: "after" });
    const healthy = fixture.engine(FAST);
    await healthy.startPool("ingest", handler, { slots: 4 });
    await waitFor(
      async () =>
        (await db.query("SELECT 1 FROM jobs WHERE lane = $1 AND state <> 'completed'", [lane]))
          .length === 0,
      { what: "the successor" },
    );
    await healthy.stop(1_000);
    const effects = await db.query<{ value: number }>(
      "SELECT value FROM effects WHERE lane = $1 ORDER BY n",
      [lane],
    );
    expect(effects.map((effect) => effect.value)).toEqual(values);
  });

  test.each([
    ["crashes over", "crash"],
    ["never comes back from", "hang"],
  ])(
    "a worker %s a job, again and again: it is discarded, its lane and the others go on",
    async (_what, poisonedBy) => {
      const lanes = [randomUUID(), randomUUID(), randomUUID()];
      const { db } = fixture.database;
      const sender = fixture.engine();
      const poison = 102;
      for (let value = 0; value < 5; value++) {
        for (const [n, lane] of lanes.entries()) {
          await sender.enqueue({
            queue: "ingest",
            lane,
            workspaceId: fixture.workspaceId,
            kind: "test",
            payload: { value: n * 100 + value },
          });
        }
      }
      const open = () =>
        db.query(
          "SELECT 1 FROM jobs WHERE lane = ANY ($1) AND state NOT IN ('completed', 'discarded')",
          [lanes],
        );
      let killed = 0;
      for (; (await open()).length > 0 && killed < 10; killed++) {
        const args = { databaseUrl: fixture.database.url, redisUrl: backend.redisUrl };
        const script = startScript(worker, {
          args: [
            JSON.stringify({
              ...args,
              queue: "ingest",
              markers: [],
              when: "after",
              poison,
              poisonedBy,
            }),
          ],
        });
        let ended = false;
        void script.exited.then(() => {
          ended = true;
        });
        await waitFor(async () => ended || (await open()).length === 0, { timeoutMs: 20_000 });
        const diedByItself = ended;
        script.child.kill("SIGKILL");
        await script.exited;
        if (!diedByItself) break;
      }
      // One death that nobody can be blamed for, one with the whole claim marked, one alone.
      expect(killed).toBe(3);
      const jobs = await db.query<{
        value: number;
        state: string;
        attempts: number;
        deaths: number;
      }>(
        `SELECT (payload->>'value')::int AS value, state, attempts, deaths FROM jobs
       WHERE lane = ANY ($1) ORDER BY 1`,
        [lanes],
      );
      for (const { value, state, attempts } of jobs) {
        const expected =
          value === poison ? { state: "discarded" } : { state: "completed", attempts: 1 };
        expect({ value, state, attempts }).toMatchObject({ value, ...expected });
      }
      expect(jobs.find(({ value }) => value === poison)?.deaths).toBe(3);
      const [dead] = await db.query<{ id: string }>(
        "SELECT id FROM jobs WHERE lane = ANY ($1) AND state = 'discarded'",
        [lanes],
      );
      const job = await getJob(db, { id: dead?.id ?? "" });
      expect(job).toMatchObject({ errorClass: "WorkerDied", error: /3 workers died/ });
      const deaths = job?.attemptLog.filter(({ outcome }) => outcome === "died") ?? [];
      expect(deaths).toHaveLength(2);
      // A crash leaves no word; the watchdog says what the worker was at.
      const known =
        poisonedBy === "hang" ? new RegExp(`event loop was blocked.*${dead?.id}`) : /died/;
      for (const { error } of deaths) expect(error).toMatch(known);
      for (const [n, lane] of lanes.entries()) {
        const effects = await db.query<{ value: number }>(
          "SELECT value FROM effects WHERE lane = $1 ORDER BY n",
          [lane],
        );
        const values = [0, 1, 2, 3, 4].map((value) => n * 100 + value);
        expect(effects.map(({ value }) => value)).toEqual(values.filter((one) => one !== poison));
      }
    },
    90_000,
  );

  test.each([
    ["before the request left", ["outbound.attempt */", "COMMIT"], "after" as const, 0],
    ["after the request, before its outcome", ["jobs.record"], "before" as const, 1],
  ])(
    "sending, %s: unknown, never sent again by itself, and its chat goes on",
    async (_phase, markers, when, arrived) => {
      const sandbox = await startSandbox({ port: 0, limits: { bot: [], chat: [], group: [] } });
      const { db } = fixture.database;
      const { workspaceId } = fixture;
      const bot = sandbox.createBot({ name: "Bot", username: `b${randomUUID().slice(0, 8)}_bot` });
      const ada = sandbox.createUser({ firstName: "Ada" });
      const chat = { chatId: ada.id, botId: bot.id };
      await sandbox.send({ ...chat, from: ada.id, text: "hello" });
      const connectorId = randomUUID();
      await db.query("DELETE FROM connectors");
      await db.query(
        `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
         can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
       VALUES ($1, $2, 'bot', 'active', $3, $4, true, '\\x00', $5, decode(repeat('00', 32), 'hex'))`,
        [workspaceId, connectorId, bot.id, bot.username, randomUUID()],
      );
      const sender = fixture.engine(FAST);
      const message = {
        workspaceId,
        connectorId,
        chatId: String(ada.id),
        onUnknown: "hold" as const,
      };
      const [first] = await db.transaction((tx) =>
        submitMessages(tx, sender, [{ ...message, text: "first" }]),
      );
      const telegram = { apiRoot: sandbox.url, token: bot.token };
      await runUntilKilled({ queue: "outbound", markers, when, ...telegram });
      const [second] = await db.transaction((tx) =>
        submitMessages(tx, sender, [{ ...message, text: "second" }]),
      );
      const outbound = createOutboundHandler({
        db,
        botApiFor: async () => createBotApiFactory({ apiRoot: sandbox.url })(bot.token),
        onUnauthorized: async () => {},
        metrics: createMetrics(),
        log: silentLogger,
        callTimeoutMs: 400,
      });
      await sender.startPool("outbound", outbound, { slots: 2 });
      const stateOf = async (id = "") => (await getMessage(db, { workspaceId, id }))?.state;
      await waitFor(async () => (await stateOf(second?.id)) === "sent", { what: "the second" });
      expect(await stateOf(first?.id)).toBe("unknown");
      const texts = sandbox.messages(chat).map((one) => one.text);
      expect(texts.filter((text) => text === "first")).toHaveLength(arrived);
      expect(texts.filter((text) => text === "second")).toHaveLength(1);
      await sender.stop(1_000);
      await sandbox.close();
    },
  );
});
