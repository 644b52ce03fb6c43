import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import type { NewMessage } from "./new-message.ts";
import { insertMessages, submitMessages } from "./submit.ts";
import { whyWaiting } from "./why-waiting.ts";

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await jobsFixture({ name: "postgres", redisUrl: undefined });
  await fixture.database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'a')", [
    fixture.workspaceId,
  ]);
});
afterAll(() => fixture.close());

let bots = 0;
/** A bot that nobody drains. */
async function world() {
  const { db } = fixture.database;
  const { workspaceId } = fixture;
  const connectorId = randomUUID();
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, 'b', true, '\\x00', $2::uuid::text, decode(repeat('00', 32), 'hex'))`,
    [workspaceId, connectorId, ++bots],
  );
  const message = (chatId: string, more: Partial<NewMessage> = {}): NewMessage => ({
    workspaceId,
    connectorId,
    chatId,
    text: "x",
    ...more,
  });
  const engine = fixture.engine();
  return {
    db,
    workspaceId,
    connectorId,
    message,
    submit: async (...messages: NewMessage[]) =>
      (await db.transaction((tx) => submitMessages(tx, engine, messages))).map(({ id }) => id),
    why: (id = "") => db.transaction((tx) => whyWaiting(tx.engine, { workspaceId, id })),
    hold: (chatId: string, forS: number) =>
      db.query("INSERT INTO send_holds VALUES ($1, $2, $3, now() + $4 * interval '1 s')", [
        workspaceId,
        connectorId,
        chatId,
        forS,
      ]),
  };
}

test("behind earlier ones of its chat, and behind what is more urgent or older in others", async () => {
  const { submit, message, why, hold } = await world();
  const ids = await submit(
    message("1"),
    message("2"),
    message("5"),
    message("5"),
    message("3", { priority: "low" }),
    message("4", { priority: "critical" }),
    message("9"),
    message("5"),
  );
  expect(await why(ids[7])).toMatchObject({
    id: ids[7],
    state: "queued",
    waiting: true,
    reasons: [
      { reason: "earlier-message", before: 2, messageId: ids[2] },
      { reason: "bot-rate", before: 4, aboutS: 1 },
    ],
  });
  // What Telegram holds is passed.
  await hold("2", 60);
  const passing = await why(ids[7]);
  expect(passing?.reasons[1]).toMatchObject({ reason: "bot-rate", before: 3 });
  expect((await why(ids[5]))?.reasons).toMatchObject([{ reason: "next" }]);
  expect((await why(ids[1]))?.reasons[0]).toMatchObject({ reason: "chat-held" });
  // A critical one passes those of its own chat.
  const [alert] = await submit(message("5", { priority: "critical" }));
  expect((await why(alert))?.reasons).toMatchObject([{ reason: "bot-rate", before: 1 }]);
  expect((await why(ids[2]))?.reasons[0]).toMatchObject({ before: 1, messageId: alert });
});

test("behind a hold, a time, an approval, a refused token, a queue that is stopped", async () => {
  const { db, submit, message, why, hold, connectorId } = await world();
  const soon = new Date(Date.now() + 3_600_000);
  const expiresAt = new Date(Date.now() + 7_200_000);
  const [plain, scheduled] = await submit(
    message("1", { expiresAt }),
    message("2", { sendAt: soon }),
  );
  expect((await why(scheduled))?.reasons).toMatchObject([
    { reason: "time", until: soon.toISOString() },
  ]);
  expect(await why(plain)).toMatchObject({ expiresAt: expiresAt.toISOString() });
  const [draft] = await db.transaction((tx) =>
    insertMessages(tx, [message("3")], "awaiting_approval"),
  );
  expect((await why(draft))?.reasons).toMatchObject([{ reason: "approval" }]);
  await hold("", 60);
  await db.query("UPDATE connectors SET status = 'disabled' WHERE id = $1", [connectorId]);
  await db.query("INSERT INTO paused_queues (queue) VALUES ('outbound')");
  const reasons = (await why(plain))?.reasons ?? [];
  await db.query("DELETE FROM paused_queues");
  expect(reasons.map(({ reason }) => reason)).toEqual(["token", "paused", "bot-held"]);
  expect(Date.parse(reasons[2]?.until ?? "") - Date.now()).toBeGreaterThan(50_000);
});

test("what its chat has had in the last minute counts, whoever sent it", async () => {
  const { db, submit, message, why, workspaceId, connectorId } = await world();
  const [sent, next] = await submit(message("-100"), message("-100"));
  await db.query("UPDATE jobs SET state = 'completed' WHERE payload ->> 'messageId' = $1", [sent]);
  await db.query(
    `INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
       job_attempt, started_at, finished_at, deadline_at, outcome)
     SELECT $1, gen_random_uuid(), $2, $3, '-100', 1, 1, t, t, t, 'sent'
     FROM (SELECT now() - n * interval '1 s' AS t FROM generate_series(11, 30) n) times`,
    [workspaceId, sent, connectorId],
  );
  const waiting = await why(next);
  expect(waiting?.reasons).toMatchObject([{ reason: "chat-limit" }]);
  const inMs = Date.parse(waiting?.reasons[0]?.until ?? "") - Date.now();
  expect(inMs).toBeGreaterThan(25_000);
  expect(inMs).toBeLessThan(31_000);
  await db.query("UPDATE outbound_messages SET state = 'sent' WHERE id = $1", [sent]);
  expect(await why(sent)).toEqual({ id: sent, state: "sent", waiting: false, reasons: [] });
  expect(await whyWaiting(db, { workspaceId: randomUUID(), id: next ?? "" })).toBeNull();
});
