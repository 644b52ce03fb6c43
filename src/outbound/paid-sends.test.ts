import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createMetrics, silentLogger } from "../platform/index.ts";
import { createBotApiFactory } from "../telegram/index.ts";
import { createOutboundHandler } from "./outbound-handler.ts";
import { listPaidSends } from "./paid-sends.ts";
import { submitMessages } from "./submit.ts";

const FREE_PER_SECOND = 10;
const PER_DAY = 25;

let fixture: JobsFixture;
let sandbox: Sandbox;
beforeAll(async () => {
  const [backend] = backends;
  if (backend === undefined) throw new Error("there is always one");
  fixture = await jobsFixture(backend);
  sandbox = await startSandbox({
    port: 0,
    // Room enough that what a busy machine bunches up is not refused.
    limits: { bot: [{ limit: 2 * FREE_PER_SECOND, windowMs: 1_000 }], chat: [], group: [] },
  });
  await fixture.database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [
    fixture.workspaceId,
  ]);
});
afterAll(async () => {
  await fixture.close();
  await sandbox.close();
});

test("a broadcast is paid for beyond the free rate, up to what a day may cost, and nothing else is", async () => {
  const { db } = fixture.database;
  const { workspaceId } = fixture;
  const bot = sandbox.createBot({ name: "Bot", username: "paying_bot" });
  const connectorId = randomUUID();
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username, max_send_rate,
       paid_broadcasts, can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, 'paying_bot', $4, $5, true, '\\x00', 'k',
       decode(repeat('00', 32), 'hex'))`,
    [workspaceId, connectorId, bot.id, FREE_PER_SECOND, { perSecond: 200, perDay: PER_DAY }],
  );
  const people = Array.from({ length: 40 }, (_, n) => sandbox.createUser({ firstName: `P${n}` }));
  for (const { id } of people) {
    await sandbox.send({ from: id, chatId: id, botId: bot.id, text: "hello" });
  }
  const engine = fixture.engine();
  const handler = createOutboundHandler({
    db,
    botApiFor: async () => createBotApiFactory({ apiRoot: sandbox.url })(bot.token),
    onUnauthorized: async () => {},
    metrics: createMetrics(),
    log: silentLogger,
  });
  await engine.startPool("outbound", handler, { slots: 2, laneConcurrency: 50 });
  const send = async (chats: typeof people, more: { broadcastId?: string }) => {
    const messages = chats.map(({ id }) => ({
      workspaceId,
      connectorId,
      chatId: String(id),
      text: "news",
      ...more,
    }));
    const submitted = await db.transaction((tx) => submitMessages(tx, engine, messages));
    const ids = submitted.map(({ id }) => id);
    const states = "SELECT FROM outbound_messages WHERE id = ANY ($1) AND state <> 'sent'";
    await waitFor(async () => (await db.query(states, [ids])).length === 0, { what: "all sent" });
  };
  const calls = () => sandbox.record.callsOf("sendMessage").filter(({ tookEffect }) => tookEffect);
  const paid = () => calls().filter(({ params }) => params.allow_paid_broadcast === true).length;

  await send(people, { broadcastId: randomUUID() });
  expect(calls()).toHaveLength(people.length);
  expect(paid()).toBe(PER_DAY);
  const spent = await listPaidSends(db.asTenant(workspaceId), { workspaceId, connectorId });
  expect(spent).toEqual([{ day: expect.any(String), messages: PER_DAY, stars: PER_DAY / 10 }]);

  // A day's money is spent once, and it is not for what is no broadcast.
  await send(people.slice(0, 12), { broadcastId: randomUUID() });
  const more = { perSecond: 200, perDay: 1_000 };
  await db.query("UPDATE connectors SET paid_broadcasts = $2 WHERE id = $1", [connectorId, more]);
  await send(people.slice(12, 24), {});
  expect(paid()).toBe(PER_DAY);
  await engine.stop(2_000);
  expect(await listPaidSends(db, { workspaceId, connectorId })).toEqual(spent);
  expect(sandbox.record.limited).toEqual([]);
});
