import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { createConnectorSends } from "./connector-sends.ts";
import { getMessage } from "./message-view.ts";
import { submitMessages } from "./submit.ts";

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
});
afterAll(() => world.close());

async function submit(bot: TestBot, count: number, sendAt?: Date): Promise<string[]> {
  const { db, jobs } = world.system;
  const message = {
    workspaceId: world.workspaceId,
    connectorId: bot.connectorId,
    chatId: "4711",
    text: "hi",
    sendAt,
  };
  const messages = Array.from({ length: count }, () => message);
  const submitted = await db.transaction((tx) => submitMessages(tx, jobs, messages));
  return submitted.map(({ id }) => id);
}

const states = (bot: TestBot) =>
  world.system.db.query<{ job: string; message: string; error: string | null; count: number }>(
    `SELECT j.state AS job, m.state AS message, m.error, count(*)::int AS count
     FROM jobs j JOIN outbound_messages m ON m.id = (j.payload->>'messageId')::uuid
     WHERE j.queue = 'outbound' AND j.lane = $1 GROUP BY 1, 2, 3 ORDER BY 1, 2`,
    [bot.connectorId],
  );

const sends = () => {
  const { db, jobs } = world.system;
  return createConnectorSends({ db, ledger: jobs.ledger });
};

const of = (bot: TestBot) => ({ workspaceId: world.workspaceId, connectorId: bot.connectorId });

test("disconnecting cancels what waits, with the reason, also what was for later; another bot's stays", async () => {
  const [bot, other] = [await world.connectBot(), await world.connectBot()];
  const [id = ""] = await submit(bot, 3);
  await submit(bot, 2, new Date(Date.now() + 3_600_000));
  await submit(other, 2);
  const removed = await world.system.connectors.remove(world.workspaceId, bot.connectorId);
  expect(removed).toEqual({ removed: true, webhookRemoved: true, sendsCancelled: 5 });
  const error = "The bot was disconnected before this was sent.";
  expect(await states(bot)).toEqual([{ job: "cancelled", message: "cancelled", error, count: 5 }]);
  expect(await states(other)).toEqual([
    { job: "available", message: "queued", error: null, count: 2 },
  ]);
  const message = await getMessage(world.system.db, { workspaceId: world.workspaceId, id });
  expect(message).toMatchObject({ state: "cancelled", error });
});

test("thousands that wait are cancelled batch by batch", async () => {
  const bot = await world.connectBot();
  await submit(bot, 1);
  const { db } = world.system;
  // The same job and message, many times over.
  await db.query(
    `WITH one AS (SELECT * FROM jobs WHERE queue = 'outbound' AND lane = $1),
     made AS (
       INSERT INTO outbound_messages (workspace_id, id, connector_id, chat_id, kind, text,
         on_unknown)
       SELECT $2, gen_random_uuid(), $1::uuid, '4711', 'message', 'hi', 'hold'
       FROM generate_series(1, 4499) RETURNING id
     )
     INSERT INTO jobs (workspace_id, id, queue, lane, kind, ordering_key, priority, payload, run_at,
       max_attempts, created_at)
     SELECT one.workspace_id, nextval('job_ids'), queue, lane, kind, ordering_key, priority,
       jsonb_build_object('messageId', made.id), run_at, max_attempts, created_at
     FROM one, made`,
    [bot.connectorId, world.workspaceId],
  );
  expect(await sends().cancel(of(bot))).toBe(4_500);
  expect(await states(bot)).toMatchObject([{ job: "cancelled", message: "cancelled" }]);
});

test("what a worker has in hand is left to its own end", async () => {
  const bot = await world.connectBot();
  await submit(bot, 2);
  await world.system.db.query(
    `UPDATE jobs SET state = 'running', worker = 'somebody' WHERE id =
       (SELECT min(id) FROM jobs WHERE queue = 'outbound' AND lane = $1)`,
    [bot.connectorId],
  );
  expect(await sends().cancel(of(bot))).toBe(1);
  expect((await states(bot)).map(({ job }) => job)).toEqual(["cancelled", "running"]);
});

test("nothing waits, or there never was such a bot: nothing is cancelled", async () => {
  expect(await sends().cancel(of(await world.connectBot()))).toBe(0);
  expect(await sends().cancel({ workspaceId: world.workspaceId, connectorId: randomUUID() })).toBe(
    0,
  );
});

test("a good token wakes what was paused for it, and nothing else", async () => {
  const bot = await world.connectBot();
  const ids = await submit(bot, 3);
  const wait = (n: number, errorClass: string) =>
    world.system.db.query(
      `UPDATE jobs SET state = 'retryable', error_class = $2, error = 'unauthorized',
         run_at = now() + interval '1 min' WHERE payload->>'messageId' = $1`,
      [ids[n], errorClass],
    );
  await wait(0, "Pause");
  await wait(1, "Unknown");
  expect(await sends().resume(of(bot))).toBe(1);
  const [row] = await world.system.db.query<{ due: boolean }>(
    "SELECT run_at <= now() AS due FROM jobs WHERE payload->>'messageId' = $1",
    [ids[0]],
  );
  expect(row).toEqual({ due: true });
});
