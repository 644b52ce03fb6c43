import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import type { Reply } from "../conversations/index.ts";
import { insertJobs, type NewJob } from "../jobs/index.ts";
import type { NewMessage } from "./new-message.ts";
import { createReplySink } from "./reply-sink.ts";
import { enqueueSends, insertMessages, rewriteMessage, submitMessages } from "./submit.ts";

let database: TestDatabase;
const ids = { workspaceId: randomUUID(), connectorId: randomUUID() };
beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [
    ids.workspaceId,
  ]);
  await database.db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', 1, 'desk_bot', true, '\\x00', 'key', decode(repeat('00', 32), 'hex'))`,
    [ids.workspaceId, ids.connectorId],
  );
});
afterAll(() => database.drop());

/** Whether each job that is put on the queue meanwhile is urgent. */
function urgencies() {
  const urgent: (boolean | undefined)[] = [];
  const enqueueIn: (
    tx: Parameters<typeof insertJobs>[0],
    jobs: NewJob[],
  ) => ReturnType<typeof insertJobs> = (tx, jobs) => {
    urgent.push(...jobs.map((job) => job.urgent));
    return insertJobs(tx, jobs);
  };
  return { urgent, jobs: { enqueueIn } };
}

test("replies are urgent, because somebody waits; a courtesy is not", async () => {
  const { urgent, jobs } = urgencies();
  const chat = { ...ids, chatId: "5", causeId: "1", text: "hi" };
  const message = { ...chat, kind: "message", threadId: null, format: "plain" } as const;
  const replies: Reply[] = [
    message,
    { ...message, isCourtesy: true },
    { ...chat, kind: "callback-answer", callbackQueryId: "7" },
  ];
  await database.db.transaction((tx) => createReplySink({ jobs })(tx, replies));
  expect(urgent).toEqual([true, false, true]);
});

test("of other messages, those of high priority", async () => {
  const { urgent, jobs } = urgencies();
  const priorities: NewMessage["priority"][] = ["critical", "high", "medium", "low", undefined];
  const messages = priorities.map((priority) => ({ ...ids, chatId: "5", text: "hi", priority }));
  await database.db.transaction((tx) => submitMessages(tx, jobs, messages));
  expect(urgent).toEqual([true, true, false, false, false]);
});

test("a message keeps its job's id, whether both come at once or the job later", async () => {
  const { db } = database;
  const jobs = { enqueueIn: insertJobs };
  const message = { ...ids, chatId: "5", text: "hi" };
  const kept = await db.transaction(async (tx) => {
    const both = await submitMessages(tx, jobs, [message, message]);
    const [id = ""] = await insertMessages(tx, [message], "queued");
    await enqueueSends(tx, jobs, [{ ...message, id }]);
    return [...both.map((one) => one.id), id];
  });
  const rows = await db.query(
    `SELECT m.id FROM outbound_messages m JOIN jobs j ON j.id = m.job_id
     WHERE j.payload ->> 'messageId' = m.id::text AND m.id = ANY ($1)`,
    [kept],
  );
  expect(rows).toHaveLength(3);
});

test("a message that somebody rewrote is no template's any more", async () => {
  const message = { ...ids, chatId: "5", text: "hi", template: { name: "greeting", version: 2 } };
  const [id = ""] = await database.db.transaction((tx) =>
    insertMessages(tx, [message], "awaiting_approval"),
  );
  const made = () =>
    database.db.query(
      "SELECT text, template, template_version FROM outbound_messages WHERE id = $1",
      [id],
    );
  expect(await made()).toEqual([{ text: "hi", template: "greeting", template_version: 2 }]);
  await rewriteMessage(database.db, { ...ids, id, chatId: "5", text: "bye" });
  expect(await made()).toEqual([{ text: "bye", template: null, template_version: null }]);
});
