import { afterAll, afterEach, describe, expect, test } from "@jest/globals";
import { numbers, openBroadcasts } from "../../test/support/broadcast-world.ts";
import { rowsRead } from "../../test/support/rows-read.ts";
import { replaceMessage } from "../outbound/index.ts";
import { openDatabase } from "../platform/index.ts";
import { changeBroadcast } from "./change-broadcast.ts";
import { listRecipients } from "./recipient-list.ts";

const {
  database,
  db,
  workspaceId,
  connectorId,
  jobs,
  feeder,
  create,
  change,
  turn,
  countsOf,
  end,
  jobStates,
  chatsSent,
  clear,
  drop,
} = await openBroadcasts();
afterAll(drop);
afterEach(clear);

describe("a pause", () => {
  test("takes back what waits, leaves what is under way, and what is resumed is sent once", async () => {
    const { id } = await create({ to: { chatIds: numbers(10) } });
    await turn();
    await end("sent", 2);
    await end("sending", 1);
    expect(await change(id, "pause")).toBe(true);
    expect(await countsOf(id)).toEqual({ waiting: 7, sending: 1, sent: 2 });
    expect(await jobStates()).toEqual({ cancelled: 7, completed: 2, running: 1 });
    await turn();
    expect(await countsOf(id)).toEqual({ waiting: 7, sending: 1, sent: 2 });
    expect(await change(id, "pause")).toBe(true);
    expect(await change(id, "resume")).toBe(true);
    await turn();
    expect(await countsOf(id)).toEqual({ queued: 7, sending: 1, sent: 2 });
    expect(await chatsSent()).toEqual(numbers(10));
  });

  test("keeps what was tried, with its attempt, and what a group became that moved", async () => {
    const { id } = await create();
    await turn();
    await db.query(
      `INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
         job_attempt, deadline_at, finished_at, outcome)
       SELECT $1, gen_random_uuid(), id, $2, chat_id, 1, 1, now(), now(), 'rate-limited'
       FROM outbound_messages WHERE chat_id = '1'`,
      [workspaceId, connectorId],
    );
    await db.query("UPDATE outbound_messages SET chat_id = '-1003' WHERE chat_id = '3'");
    await db.query("UPDATE jobs SET ordering_key = '-1003' WHERE ordering_key = '3'");
    await change(id, "pause");
    expect(await countsOf(id)).toEqual({ queued: 1, waiting: 2 });
    const page = await listRecipients(db, { workspaceId, id, state: "waiting", limit: 10 });
    expect(page?.data.map(({ chatId }) => chatId)).toEqual(["2", "3"]);
  });

  test("loses nobody's words: those of one of its messages are not replaced", async () => {
    await create();
    await turn();
    const [one] = await db.query<{ id: string }>("SELECT id FROM outbound_messages LIMIT 1");
    const said = { text: "for you alone", entities: [], partLength: 4_096 };
    const replacing = db
      .asTenant(workspaceId)
      .transaction((tx) => replaceMessage(tx, jobs, { workspaceId, id: one?.id ?? "" }, { said }));
    await expect(replacing).rejects.toThrow("one of a broadcast's");
  });

  test("keeps what a change waits for, and the change", async () => {
    const { id } = await create();
    await turn();
    await db.query(
      `INSERT INTO outbound_messages (workspace_id, id, connector_id, chat_id, kind, text, content,
         target_id, on_unknown, state)
       SELECT workspace_id, gen_random_uuid(), connector_id, chat_id, 'message', 'better',
         jsonb_build_object('type', 'edit', 'messageId', id), id, 'hold', 'queued'
       FROM outbound_messages WHERE chat_id = '2'`,
    );
    await change(id, "pause");
    expect(await countsOf(id)).toEqual({ queued: 1, waiting: 2 });
    expect(await chatsSent()).toEqual(["2", "2"]);
  });

  test("that finds more than a batch leaves the rest to the feeder, which takes it back", async () => {
    const { id } = await create({ to: { chatIds: numbers(2_300) } });
    while ((await countsOf(id)).waiting) {
      await db.query(
        "UPDATE broadcasts SET target = 10000, looked_at = clock_timestamp(), due_at = now()",
      );
      await feeder().runOnce();
    }
    expect(await countsOf(id)).toEqual({ queued: 2_300 });
    await change(id, "pause");
    expect(await countsOf(id)).toEqual({ queued: 300, waiting: 2_000 });
    await turn();
    expect(await countsOf(id)).toEqual({ waiting: 2_300 });
    expect(await jobStates()).toEqual({ cancelled: 2_300 });
  });
});

describe("a cancellation", () => {
  test("ends what waits, in the queue and before it; what may have been sent has its own end", async () => {
    const { id } = await create({ to: { chatIds: numbers(310) } });
    await turn();
    await end("sent", 1);
    await db.query(
      `INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
         job_attempt, deadline_at, finished_at, outcome)
       SELECT $1, gen_random_uuid(), id, $2, chat_id, 1, 1, now(), now(), 'unknown'
       FROM outbound_messages WHERE chat_id = '2'`,
      [workspaceId, connectorId],
    );
    await change(id, "cancel");
    expect(await countsOf(id)).toEqual({ sent: 1, queued: 1, cancelled: 308 });
    expect(await jobStates()).toEqual({ available: 1, cancelled: 298, completed: 1 });
    expect(await change(id, "cancel")).toBe(true);
    await expect(change(id, "resume")).rejects.toThrow("cancelled cannot be resumed");
    await turn();
    expect(await countsOf(id)).toEqual({ sent: 1, queued: 1, cancelled: 308 });
    const chats: string[] = [];
    let after: string | undefined;
    do {
      const which = { workspaceId, id, state: "cancelled", limit: 149, after } as const;
      const page = await listRecipients(db.asTenant(workspaceId), which);
      chats.push(...(page?.data.map(({ chatId }) => chatId) ?? []));
      after = page?.next ?? undefined;
    } while (after !== undefined);
    expect(chats.map(Number).sort((a, b) => a - b)).toEqual(numbers(310).slice(2).map(Number));
  });
});

test("a stop reads what it takes back, whatever else waits for the bot", async () => {
  const { id } = await create({ to: { chatIds: numbers(20) } });
  await db.query(
    `INSERT INTO jobs (workspace_id, id, queue, lane, kind, ordering_key, priority, payload, run_at,
       max_attempts, created_at)
     SELECT $1, nextval('job_ids'), 'outbound', $2, 'message', 'chat ' || n, 8, '{}', t.at, 1,
       t.created_at
     FROM generate_series(1, 2000) n, (VALUES (now(), now()), (now() + interval '1 day', now()))
       AS t(at, created_at)`,
    [workspaceId, connectorId],
  );
  const alone = openDatabase({ url: database.url, max: 1 });
  for (let round = 0; round < 7; round++) {
    await turn();
    const read = await rowsRead(alone, ["jobs", "outbound_messages"], async () => {
      await alone.transaction((tx) => changeBroadcast(tx, jobs, { workspaceId, id }, "pause"));
    });
    expect({ round, read, bounded: read < 1_000 }).toEqual({ round, read, bounded: true });
    expect(await countsOf(id)).toEqual({ waiting: 20 });
    await change(id, "resume");
  }
  await alone.close();
});
