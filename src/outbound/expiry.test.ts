import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { rowsRead } from "../../test/support/rows-read.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Jobs } from "../jobs/index.ts";
import { type Database, openDatabase, silentLogger } from "../platform/index.ts";
import { createExpiryKeeper } from "./expiry.ts";
import { getMessage } from "./message-view.ts";
import type { NewMessage } from "./new-message.ts";
import { replaceMessage } from "./replace.ts";
import { insertMessages, submitMessages } from "./submit.ts";

let fixture: JobsFixture;
let db: Database;
let jobs: Jobs;
beforeAll(async () => {
  fixture = await jobsFixture({ name: "postgres", redisUrl: undefined });
  db = fixture.database.db;
  jobs = fixture.engine();
  await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [fixture.workspaceId]);
});
afterAll(() => fixture.close());

/** A bot's messages, whose drains are nobody's. */
async function bot() {
  const { workspaceId } = fixture;
  const connectorId = randomUUID();
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', hashtext($3), 'b', true, '\\x00', $3,
       decode(repeat('00', 32), 'hex'))`,
    [workspaceId, connectorId, connectorId],
  );
  const message = { workspaceId, connectorId, chatId: "5", text: "hi" };
  const submit = async (more: Partial<NewMessage> = {}): Promise<string> => {
    const messages = [{ ...message, ...more }];
    const [made] = await db.transaction((tx) => submitMessages(tx, jobs, messages));
    return made?.id ?? "";
  };
  return { connectorId, message, submit };
}

const past = () => new Date(Date.now() - 1_000);
const future = () => new Date(Date.now() + 3_600_000);
const keeper = () => createExpiryKeeper({ db, jobs, log: silentLogger });
const shown = async (id: string) => getMessage(db, { workspaceId: fixture.workspaceId, id });
const jobOf = async (id: string) => {
  const [job] = await db.query<{ state: string; error_class: string | null }>(
    "SELECT state, error_class FROM jobs WHERE payload ->> 'messageId' = $1",
    [id],
  );
  return job ?? null;
};
const attempt = (messageId: string, outcome: string | null) =>
  db.query(
    `INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
       job_attempt, deadline_at, finished_at, outcome)
     SELECT m.workspace_id, gen_random_uuid(), m.id, m.connector_id, m.chat_id, m.job_id, 1, now(),
       CASE WHEN $2::text IS NULL THEN NULL ELSE now() END, $2
     FROM outbound_messages m WHERE m.id = $1`,
    [messageId, outcome],
  );

test("what waited too long fails, with its job; what has time, was begun or is half sent does not", async () => {
  const { message, submit } = await bot();
  const [unapproved = ""] = await db.transaction((tx) =>
    insertMessages(tx, [{ ...message, expiresAt: past() }], "awaiting_approval"),
  );
  const stale = await submit({ expiresAt: past() });
  const refused = await submit({ expiresAt: past() });
  await attempt(refused, "failed");
  const kept = [
    await submit(),
    await submit({ expiresAt: future() }),
    await submit({ expiresAt: past() }),
    await submit({ expiresAt: past() }),
  ];
  const [, , begun = "", half = ""] = kept;
  await db.query("UPDATE outbound_messages SET state = 'sending' WHERE id = $1", [begun]);
  await db.query("UPDATE outbound_messages SET parts_sent = 1 WHERE id = $1", [half]);
  expect(await keeper().runOnce()).toBe(2);
  expect((await shown(unapproved))?.state).toBe("awaiting_approval");
  for (const id of [stale, refused]) {
    expect(await shown(id)).toMatchObject({
      state: "failed",
      errorClass: "expired",
      error: expect.stringMatching(/^It was not sent before 20.*Z/),
    });
  }
  expect(await jobOf(stale)).toEqual({ state: "cancelled", error_class: "expired" });
  expect(await jobOf(refused)).toEqual({ state: "cancelled", error_class: "expired" });
  for (const id of kept) expect(await jobOf(id)).toMatchObject({ state: "available" });
  expect(await keeper().runOnce()).toBe(0);
});

test.each([["unknown"], [null]])(
  "after an attempt that may have been sent (%s) it is unknown, and not sent again",
  async (outcome) => {
    const { submit } = await bot();
    const id = await submit({ expiresAt: past() });
    await attempt(id, outcome);
    await keeper().runOnce();
    expect(await shown(id)).toMatchObject({ state: "unknown", errorClass: "Unknown" });
    expect(await jobOf(id)).toMatchObject({ state: "cancelled" });
  },
);

test("given more time at the same moment: it is sent, or it is over, and its job agrees", async () => {
  const { submit } = await bot();
  const ids = [];
  for (let n = 0; n < 12; n++) ids.push(await submit({ expiresAt: past() }));
  const more = ids.map((id) => {
    const ref = { workspaceId: fixture.workspaceId, id };
    const change = { expiresAt: future() };
    return db
      .transaction((tx) => replaceMessage(tx, jobs, ref, change))
      .then(
        () => "queued",
        () => "failed",
      );
  });
  const [, ...states] = await Promise.all([keeper().runOnce(), ...more]);
  for (const [n, id] of ids.entries()) {
    const view = await shown(id);
    expect(view?.state).toBe(states[n]);
    const state = view?.state === "queued" ? "available" : "cancelled";
    expect(await jobOf(id)).toMatchObject({ state });
  }
});

test("a lane that somebody has locked is left for the next turn, and others are not", async () => {
  const [busy, free] = [await bot(), await bot()];
  const [left, ended] = [
    await busy.submit({ expiresAt: new Date(0) }),
    await free.submit({ expiresAt: past() }),
  ];
  await db.transaction(async (tx) => {
    await tx.query("SELECT FROM lanes WHERE lane = $1 FOR UPDATE", [busy.connectorId]);
    await keeper().runOnce();
    expect((await shown(ended))?.state).toBe("failed");
    expect((await shown(left))?.state).toBe("queued");
  });
  await keeper().runOnce();
  expect((await shown(left))?.state).toBe("failed");
});

test("looks at nothing that has time, however much of it there is", async () => {
  const { message } = await bot();
  await db.query(
    `INSERT INTO outbound_messages (workspace_id, id, connector_id, chat_id, kind, text,
       on_unknown, state, expires_at)
     SELECT $1, gen_random_uuid(), $2, '5', 'message', 'x', 'hold',
       CASE WHEN n % 2 = 0 THEN 'queued' ELSE 'sent' END,
       now() + CASE WHEN n % 2 = 0 THEN 1 ELSE -1 END * interval '1 h'
     FROM generate_series(1, 5000) n`,
    [fixture.workspaceId, message.connectorId],
  );
  const one = openDatabase({ url: fixture.database.url, max: 1 });
  const look = createExpiryKeeper({ db: one, jobs, log: silentLogger });
  const read = await rowsRead(one, ["outbound_messages"], () => look.runOnce());
  await one.close();
  expect(read).toBeLessThan(500);
});

test("runs by itself, in turns", async () => {
  const { submit } = await bot();
  const service = createExpiryKeeper({ db, jobs, log: silentLogger, everyMs: 20 });
  service.start();
  const id = await submit({ expiresAt: past() });
  await waitFor(async () => (await shown(id))?.state === "failed");
  await service.stop();
});
