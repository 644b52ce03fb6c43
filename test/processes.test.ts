import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "../sandbox/index.ts";
import { migrateTransport } from "../src/jobs/index.ts";
import { freePort } from "../src/platform/free-port.ts";
import { sha256 } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { newEncryptionKeys, startProcess } from "./support/processes.ts";
import { backends } from "./support/requirements.ts";
import type { RunningScript } from "./support/script.ts";
import { deliver, type TestBot, textUpdate } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

const CHATS = 12;
const MESSAGES = 80;

/** An installation of two receivers and two workers, each a process, behind what balances the load. */
describe.each(backends)("two receivers and two workers, on $name", (backend) => {
  let database: TestDatabase;
  let sandbox: Sandbox;
  let bot: TestBot;
  const webs: Array<{ url: string; process: RunningScript }> = [];
  const workers: RunningScript[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await migrateTransport(database.db);
    sandbox = await startSandbox({ port: 0 });
    const workspaceId = randomUUID();
    bot = {
      id: 1,
      token: "",
      connectorId: randomUUID(),
      webhookPath: `/webhooks/telegram/${randomUUID()}`,
      secret: randomBytes(16).toString("hex"),
    };
    await database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [workspaceId]);
    await database.db.query(
      `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
         can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
       VALUES ($1, $2, 'Desk', 'disabled', 1, 'desk_bot', true, '\\x00', $3, $4)`,
      [workspaceId, bot.connectorId, bot.webhookPath.split("/").at(-1), sha256(bot.secret)],
    );
    const common = {
      databaseUrl: database.url,
      redisUrl: backend.redisUrl,
      telegramApiRoot: sandbox.url,
      encryptionKeys: newEncryptionKeys(),
    };
    const ports = [await freePort(), await freePort()];
    await Promise.all([
      ...ports.map(async (port) => {
        const process = await startProcess("web", { ...common, port });
        webs.push({ url: `http://127.0.0.1:${port}`, process });
      }),
      ...[0, 1].map(async () => {
        workers.push(await startProcess("ingest", { ...common, port: 1 }));
      }),
    ]);
  });
  afterAll(async () => {
    const all = [...workers, ...webs.map((web) => web.process)];
    for (const { child } of all) child.kill("SIGKILL");
    await Promise.all(all.map(({ exited }) => exited));
    await sandbox.close();
    await database.drop();
  });

  const receiver = (n: number) => webs[n % webs.length]?.url ?? "";

  /** One request; 0 when nobody answered. */
  const attempt = (n: number, update: unknown) => deliver(receiver(n), bot, update).catch(() => 0);

  /** Until it is accepted, now by the one receiver, now by the other; and often by both at once. */
  async function deliverOnce(n: number, update: unknown): Promise<void> {
    for (let tries = n; ; tries++) {
      const statuses = await Promise.all(
        n % 3 === 0
          ? [attempt(tries, update), attempt(tries + 1, update)]
          : [attempt(tries, update)],
      );
      if (statuses.includes(200)) return;
    }
  }

  async function writeTo(chat: number): Promise<void> {
    for (let n = 1; n <= MESSAGES; n++) {
      const updateId = chat * MESSAGES + n;
      await deliverOnce(updateId, textUpdate(updateId, 50_000 + chat, n, `m${n}`));
    }
  }

  const rows = () =>
    database.db.query<{ chat_id: string; numbers: number[] }>(
      `SELECT chat_id, array_agg(telegram_message_id::int ORDER BY id) AS numbers FROM messages
       WHERE direction = 'in' GROUP BY chat_id ORDER BY chat_id`,
    );
  const count = async () => (await rows()).reduce((sum, row) => sum + row.numbers.length, 0);

  test("insert for the same chats while one of each is told to stop: all once, in order, exit 0", async () => {
    const writing = Promise.all(Array.from({ length: CHATS }, (_, chat) => writeTo(chat)));
    await waitFor(async () => (await count()) > (CHATS * MESSAGES) / 5, { what: "some load" });
    const leaving = [webs[1]?.process, workers[1]].flatMap((one) => one ?? []);
    expect(await count()).toBeLessThan(CHATS * MESSAGES);
    const toldMs = performance.now();
    for (const { child } of leaving) child.kill("SIGTERM");
    expect(await Promise.all(leaving.map(({ exited }) => exited))).toEqual([0, 0]);
    expect(performance.now() - toldMs).toBeLessThan(10_000);
    await writing;
    await waitFor(async () => (await count()) === CHATS * MESSAGES, { what: "the rest" });
    const inOrder = Array.from({ length: MESSAGES }, (_, n) => n + 1);
    for (const { chat_id, numbers } of await rows()) {
      expect({ chat_id, numbers }).toEqual({ chat_id, numbers: inOrder });
    }
    const [ledger] = await database.db.query(
      `SELECT count(*)::int AS jobs, max(attempts)::int AS attempts
       FROM jobs WHERE queue = 'ingest' AND state = 'completed'`,
    );
    expect(ledger).toEqual({ jobs: CHATS * MESSAGES, attempts: 1 });
  });
});
