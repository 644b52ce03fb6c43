import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { onePixelPng } from "../../sandbox/test-client.ts";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Job } from "../jobs/index.ts";
import { createMetrics, silentLogger } from "../platform/index.ts";
import { createBotApiFactory, UploadFile } from "../telegram/index.ts";
import { BotRunner, type BotRunnerOptions } from "./bot-runner.ts";
import type { Content } from "./content/index.ts";
import type { NewMessage } from "./new-message.ts";
import { createOutboundHandler } from "./outbound-handler.ts";
import { Pace, type PaceLimits } from "./pace.ts";
import { PaidAllowance } from "./paid-allowance.ts";
import { submitMessages } from "./submit.ts";

const GROUP_LIMIT = { limit: 6, windowMs: 2_000 };

let fixture: JobsFixture;
let sandbox: Sandbox;
beforeAll(async () => {
  fixture = await jobsFixture({ name: "postgres", redisUrl: undefined });
  sandbox = await startSandbox({ limits: { bot: [], chat: [], group: [GROUP_LIMIT] } });
  await fixture.database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [
    fixture.workspaceId,
  ]);
});
afterAll(async () => {
  await fixture.close();
  await sandbox.close();
});

test("an album waits until its group has room for all its items, and is not refused", async () => {
  const { db } = fixture.database;
  const { workspaceId } = fixture;
  const bot = sandbox.createBot({ name: "Bot", username: "album_bot" });
  const user = sandbox.createUser({ firstName: "Ada" });
  const memberIds = [user.id, bot.id];
  const group = sandbox.createChat({ type: "supergroup", title: "G", memberIds });
  const connectorId = randomUUID();
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, 'album_bot', true, '\\x00', 'k', decode(repeat('00', 32), 'hex'))`,
    [workspaceId, connectorId, bot.id],
  );
  await sandbox.send({ from: user.id, chatId: user.id, botId: bot.id, text: "hello" });
  const api = createBotApiFactory({ apiRoot: sandbox.url })(bot.token);
  const photo = new UploadFile({
    name: "p.png",
    sizeBytes: onePixelPng.length,
    open: () => Readable.from([onePixelPng]),
  });
  const answer = await api.call<{ photo: { file_id: string }[] }>(
    "sendPhoto",
    { chat_id: user.id, photo },
    { timeoutMs: 5_000 },
  );
  const fileId = answer.photo[0]?.file_id ?? "";
  const engine = fixture.engine();
  const handler = createOutboundHandler({
    db,
    botApiFor: async () => api,
    onUnauthorized: async () => {},
    metrics: createMetrics(),
    log: silentLogger,
    limits: { bot: [{ count: 100, perMs: 1_000 }], chat: [], group: [{ count: 6, perMs: 2_100 }] },
  });
  await engine.startPool("outbound", handler, { slots: 2, laneConcurrency: 10 });
  const item = { type: "photo", file: { fileId } } as const;
  const album: Content = { type: "album", items: [item, item, item, item] };
  const texts = ["1", "2", "3", "4"].map((text) => ({ text }));
  const messages: Partial<NewMessage>[] = [...texts, { text: "all", content: album }];
  const complete = messages.map((message) => ({
    ...{ workspaceId, connectorId, chatId: String(group.id), text: "", ...message },
  }));
  const sent = await db.transaction((tx) => submitMessages(tx, engine, complete));
  const ids = sent.map(({ id }) => id);
  const unsent = "SELECT FROM outbound_messages WHERE id = ANY ($1) AND state <> 'sent'";
  await waitFor(async () => (await db.query(unsent, [ids])).length === 0, { what: "all sent" });
  const calls = ["sendMessage", "sendMediaGroup"].flatMap((method) =>
    sandbox.record.callsOf(method, bot.id),
  );
  expect(calls.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
});

/** Chooses as a drain does, from what is not held. */
function runnerOf(limits: PaceLimits) {
  const { db } = fixture.database;
  const pace = new Pace(limits);
  const allowance = new PaidAllowance({ db, connectorId: randomUUID(), log: silentLogger });
  const options = { pace, allowance, paidJobs: new Set() };
  const runner = new BotRunner(options as unknown as BotRunnerOptions);
  const job = (id: number, chatId: string, payload = {}) =>
    ({ id: String(id), kind: "message", orderingKey: chatId, priority: 5, payload }) as Job;
  return { pace, runner, job };
}

test("albums without room in their chats hide nothing that could be sent", () => {
  const group = [{ count: 20, perMs: 60_000 }];
  const { pace, runner, job } = runnerOf({ bot: [], chat: [], group });
  const nowMs = 1_000_000;
  const albums = Array.from({ length: 5 }, (_, n) => job(n, `-${n + 1}`, { cost: 10 }));
  for (const { orderingKey } of albums) pace.record(orderingKey, nowMs - 30_000, 11);
  expect(runner.choose(albums, nowMs)).toMatchObject({ waitUntilMs: expect.any(Number) });
  // A message would find room there, an album does not.
  expect(pace.heldChats(nowMs).chatIds).toEqual([]);
  expect(runner.held(nowMs).keys).toEqual(["-1", "-2", "-3", "-4", "-5"]);
  // Something more urgent may come in front meanwhile.
  expect(runner.held(nowMs + 1_000).keys).toEqual([]);
  const plain = job(9, "-1");
  expect(runner.choose([plain], nowMs + 1_000)).toEqual({ job: plain });
  expect(runner.choose(albums.slice(1), nowMs + 31_000)).toEqual({ job: albums[1] });
});

test("an album that is first finds its room: nothing goes before it that would take it away", () => {
  const { pace, runner, job } = runnerOf({
    bot: [{ count: 10, perMs: 1_000 }],
    chat: [],
    group: [],
  });
  const album = job(1, "5", { cost: 5 });
  const ready = [album, job(2, "6"), job(3, "7")];
  let nowMs = 1_000_000;
  for (let n = 0; n < 8; n++) pace.record(null, nowMs - 400 + 50 * n);
  let waited = 0;
  for (;;) {
    const choice = runner.choose(ready, nowMs);
    if ("job" in choice) {
      expect(choice.job).toBe(album);
      break;
    }
    waited++;
    expect(choice.waitUntilMs).toBeGreaterThan(nowMs);
    nowMs = Math.ceil(choice.waitUntilMs);
  }
  expect(waited).toBeGreaterThan(0);
  // All it counts as is taken: of ten a second nothing more for a while.
  expect(pace.botNextAtMs(nowMs)).toBeGreaterThan(nowMs);
  runner.notBegun(album);
  expect(runner.choose(ready, nowMs)).toEqual({ job: album });
});

test("an alert does not wait for an album's room, whichever of them is first in turn", () => {
  const { pace, runner, job } = runnerOf({
    bot: [{ count: 10, perMs: 1_000 }],
    chat: [],
    group: [],
  });
  const nowMs = 1_000_000;
  for (let n = 0; n < 8; n++) pace.record(null, nowMs - 900 + 100 * n);
  const album = job(1, "5", { cost: 8 });
  const alert = { ...job(2, "6"), priority: 0 };
  // An alert that comes meanwhile may start.
  expect(runner.choose([album, job(3, "7")], nowMs)).toMatchObject({
    waitUntilMs: expect.any(Number),
    forAll: false,
  });
  expect(runner.choose([album, alert], nowMs)).toEqual({ job: alert });
  // One that has no room in its chat leaves the album its turn.
  pace.hold("6", nowMs + 60_000);
  const { waitUntilMs } = runner.choose([album, alert], nowMs + 10) as { waitUntilMs: number };
  expect(waitUntilMs).toBeLessThan(nowMs + 3_000);
});
