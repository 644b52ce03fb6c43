import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { type Sandbox, startSandbox } from "../sandbox/index.ts";
import { migrateTransport } from "../src/jobs/index.ts";
import { freePort } from "../src/platform/free-port.ts";
import { sha256 } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { newEncryptionKeys, startProcess } from "./support/processes.ts";
import { backends } from "./support/requirements.ts";
import type { RunningScript } from "./support/script.ts";
import { deliver, rawRequest } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/**
 * Nothing secret or personal leaves Postgres by accident: the whole system runs in processes of its
 * own, at the noisiest log level, is fed people's data and made to fail in many ways; then
 * everything it let out is searched.
 */
/** Every row that ever enters a table of the wakes' own schema, kept for the search. */
const KEEP_BULLMQ_ROWS = `
  CREATE TABLE public.seen_by_bullmq (row_text text);
  CREATE FUNCTION public.keep_row() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.seen_by_bullmq VALUES (NEW::text); RETURN NEW; END $$;
  DO $$ DECLARE t record; BEGIN
    FOR t IN SELECT table_name FROM information_schema.tables
      WHERE table_schema = 'bullmq' AND table_type = 'BASE TABLE'
    LOOP
      EXECUTE format('CREATE TRIGGER keep_row AFTER INSERT OR UPDATE ON bullmq.%I
        FOR EACH ROW EXECUTE FUNCTION public.keep_row()', t.table_name);
    END LOOP;
  END $$`;

describe.each(backends)("what leaves Postgres, on $name", (backend) => {
  const mark = `private-${randomBytes(6).toString("hex")}`;
  const phone = `1555${Date.now() % 10_000_000}`;
  const adminToken = `admin-${randomUUID()}`;
  const webhookSecret = randomBytes(24).toString("hex");
  const processes: RunningScript[] = [];
  const redisCommands: string[] = [];
  let database: TestDatabase;
  let sandbox: Sandbox;
  let listener: Redis | undefined;
  let monitor: Redis | undefined;
  let url = "";
  let token = "";
  let nextToken = "";
  let apiKey = "";
  let connectorId = "";
  let webhookPath = "";
  let startToken = "";
  let linkCode = "";
  const answers: string[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await migrateTransport(database.db);
    await database.owner.query(KEEP_BULLMQ_ROWS);
    sandbox = await startSandbox({ port: 0 });
    if (backend.redisUrl !== undefined) {
      listener = new Redis(backend.redisUrl);
      monitor = await listener.monitor();
      monitor.on("monitor", (_time: string, command: string[]) => {
        redisCommands.push(command.join(" "));
      });
    }
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const options = {
      port,
      databaseUrl: database.url,
      redisUrl: backend.redisUrl,
      telegramApiRoot: sandbox.url,
      encryptionKeys: newEncryptionKeys(),
      adminToken,
      logLevel: "trace",
    };
    for (const command of ["web", "ingest", "outbound"] as const) {
      processes.push(await startProcess(command, options));
    }
  });
  afterAll(async () => {
    for (const { child } of processes) child.kill("SIGKILL");
    await Promise.all(processes.map(({ exited }) => exited));
    monitor?.disconnect();
    listener?.disconnect();
    await sandbox.close();
    await database.drop();
  });

  const logs = () => processes.map(({ stderr, lines }) => stderr() + lines.join("\n")).join("\n");

  async function call(method: string, path: string, body?: unknown, key = apiKey) {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(url + path, { method, headers, ...init });
    return { status: response.status, body: (await response.json()) as never };
  }

  let lastUpdateId = 0;
  const post = (message: object) => {
    lastUpdateId++;
    const chat = { id: 42_000, type: "private", first_name: `Ada ${mark}` };
    const from = { id: 42_000, is_bot: false, first_name: `Ada ${mark}` };
    const update = {
      update_id: lastUpdateId,
      message: { message_id: lastUpdateId, date: 1_790_000_000, chat, from, ...message },
    };
    const bot = { id: 0, token, connectorId, webhookPath, secret: webhookSecret };
    return deliver(url, bot, update);
  };

  const settled = (queue: string) =>
    waitFor(
      async () => {
        const [row] = await database.db.query<{ left: number }>(
          `SELECT count(*)::int AS left FROM jobs
           WHERE queue = $1 AND state IN ('available', 'running') AND run_at <= now()`,
          [queue],
        );
        return row?.left === 0;
      },
      { timeoutMs: 30_000, what: `${queue} to settle` },
    );

  test("a day of work, and everything that can go wrong in it", async () => {
    const bot = sandbox.createBot({ name: "Desk", username: `s${Date.now()}_bot` });
    token = bot.token;
    const made = await call("POST", "/v1/workspaces", { name: "Secrets" }, adminToken);
    apiKey = (made.body as { apiKey: string }).apiKey;
    const debug = { level: "debug", detailedLogs: true };
    const connected = await call("POST", "/v1/connectors", {
      name: "Desk",
      botToken: token,
      debug,
    });
    const connector = connected.body as { id: string; webhookUrl: string };
    connectorId = connector.id;
    webhookPath = new URL(connector.webhookUrl).pathname;
    await database.db.query(
      "UPDATE connectors SET previous_secret_hashes = ARRAY[$2::bytea] WHERE id = $1",
      [connectorId, sha256(webhookSecret)],
    );
    // Another process may still have the old hashes in hand.
    await waitFor(async () => (await post({ text: `hello ${mark}` })) === 200);

    expect(await post({ contact: { phone_number: `+${phone}`, first_name: mark } })).toBe(200);
    const file = { file_id: `file-${mark}`, file_unique_id: "u", file_name: `${mark}.pdf` };
    expect(await post({ document: file, caption: `caption ${mark}` })).toBe(200);
    expect(await post({ text: `/start ${mark}` })).toBe(200);
    expect(await post({ text: `/${mark} nobody knows this command` })).toBe(200);
    await invitations();
    await settled("ingest");

    // Postgres itself quotes the row in the error's detail.
    await database.owner.query(
      "ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text NOT LIKE '%poison%') NOT VALID",
    );
    expect(await post({ text: `poison ${mark} +${phone}` })).toBe(200);
    await waitFor(
      async () =>
        (await database.db.query("SELECT 1 FROM jobs WHERE error_class = 'postgres 23514'"))
          .length > 0,
      { what: "the failed attempt" },
    );
    await database.owner.query("ALTER TABLE messages DROP CONSTRAINT no_poison");

    await webhookNonsense();
    await sends(bot.id);
    for (const path of ["/v1/jobs", "/v1/queues", "/readyz", "/metrics"]) {
      const response = await fetch(url + path, { headers: { authorization: `Bearer ${apiKey}` } });
      answers.push(await response.text());
    }
  });

  /** What lets people and groups in, used where it works and where it does not. */
  async function invitations(): Promise<void> {
    const person = await call("POST", "/v1/people", { name: `Ada ${mark}` });
    const { id } = person.body as { id: string };
    const link = await call("POST", `/v1/people/${id}/link`, { connectorId });
    startToken = (link.body as { token: string }).token;
    const made = await call("POST", `/v1/connectors/${connectorId}/link-codes`, {});
    linkCode = (made.body as { code: string }).code;
    expect(await post({ text: `/start ${startToken}` })).toBe(200);
    expect(await post({ text: `is ${startToken} good?` })).toBe(200);
    const chat = { id: -42_000, type: "group", title: mark };
    expect(await post({ chat, text: `/link ${linkCode}` })).toBe(200);
  }

  async function webhookNonsense(): Promise<void> {
    const request = (body: string, headers: Record<string, string> = {}, path = webhookPath) =>
      rawRequest(
        url + path,
        {
          headers: {
            "content-type": "application/json",
            "x-telegram-bot-api-secret-token": webhookSecret,
            ...headers,
          },
        },
        body,
      );
    const results = [
      await request(`{"text":"${mark}`),
      await request(`{"update_id":"${mark}"}`),
      await request(`{"update_id":1,"x":${"[".repeat(500)}"${mark}"${"]".repeat(500)}}`),
      await request(`{"update_id":1,"text":"${mark}${"x".repeat(1_100_000)}"}`),
      await request("{}", { "x-telegram-bot-api-secret-token": `${webhookSecret}-${mark}` }),
      await request(`"${mark}"`, { "content-type": "text/plain" }),
      await request("{}", {}, `/webhooks/telegram/${mark}`),
    ];
    expect(results.map(({ status }) => status)).toEqual([400, 400, 400, 413, 401, 415, 404]);
    answers.push(...results.map(({ body }) => body));
  }

  async function sends(botId: number): Promise<void> {
    const ada = sandbox.createUser({ firstName: "Ada" });
    await sandbox.send({ chatId: ada.id, botId, from: ada.id, text: "hello" });
    const send = (change: object) =>
      call("POST", "/v1/messages", {
        connectorId,
        chatId: String(ada.id),
        text: `secret answer ${mark}`,
        ...change,
      });
    const faults = [
      { status: 400, error_code: 400, description: `Bad Request: ${mark} is not welcome` },
      { status: 502 },
      { status: 429, error_code: 429, description: "Too Many", parameters: { retry_after: 1 } },
      "reset-after-effect",
    ] as const;
    for (const answer of faults) {
      sandbox.fault({ botId, method: "sendMessage", answer });
      expect((await send({})).status).toBe(202);
      await settled("outbound");
    }
    expect((await send({ format: "html", text: `<b>${mark}` })).status).toBe(202);
    expect((await send({ chatId: "99999999" })).status).toBe(202);
    expect((await send({ text: "" })).status).toBe(400);
    expect((await send({ [mark]: mark })).status).toBe(400);
    await settled("outbound");
    nextToken = sandbox.revokeToken(botId).token;
    expect((await send({ text: `after the end ${mark}` })).status).toBe(202);
    await waitFor(
      async () => {
        const { body } = await call("GET", `/v1/connectors/${connectorId}`);
        return (body as { status: string }).status === "disabled";
      },
      { timeoutMs: 20_000, what: "the refused token to be noticed" },
    );
    const rotated = [
      await call("POST", `/v1/connectors/${connectorId}/token`, { botToken: `${nextToken}x\n` }),
      await call("POST", `/v1/connectors/${connectorId}/token`, { botToken: nextToken }),
      await call("POST", `/v1/connectors/${connectorId}/test`),
    ];
    expect(rotated.map(({ status }) => status)).toEqual([400, 200, 200]);
    answers.push(...rotated.map(({ body }) => JSON.stringify(body)));
  }

  /** The audit log, and the whole ledger but for the raw updates, which have a table of their own. */
  async function ledger(): Promise<string> {
    const rows = await database.db.query<{ row: string }>(
      `SELECT j::text AS row FROM jobs j UNION ALL SELECT a::text FROM job_attempts a
       UNION ALL SELECT l::text FROM lanes l UNION ALL SELECT k::text FROM job_keys k
       UNION ALL SELECT e::text FROM audit_entries e`,
    );
    return rows.map(({ row }) => row).join("\n");
  }

  async function seenByBullmq(): Promise<string> {
    const rows = await database.db.query<{ row_text: string }>("SELECT * FROM seen_by_bullmq");
    return rows.map(({ row_text }) => row_text).join("\n");
  }

  test("none of it is in the wakes, the ledger, the logs, the metrics or the answers", async () => {
    const wakes = backend.redisUrl === undefined ? await seenByBullmq() : redisCommands.join("\n");
    const places: Record<string, string> = {
      wakes,
      ledger: await ledger(),
      logs: logs(),
      answers: answers.join("\n"),
    };
    // The search would find what is there.
    expect(places.wakes).toContain(connectorId);
    expect(places.ledger).toContain("postgres 23514");
    expect(places.logs).toContain("updates ingested");
    expect(places.logs).toContain("a call to Telegram sent");
    expect(places.answers).toContain("heliograph_webhook_requests_total");
    const found: string[] = [];
    const secrets = {
      "the people's words and names": mark,
      "a phone number": phone,
      "the bot's token": token.split(":")[1] ?? "",
      "the bot's next token": nextToken.split(":")[1] ?? "",
      "the webhook's secret": webhookSecret,
      "an API key": apiKey.slice(4),
      "the token of a person's link": startToken.slice(4),
      "the code of a group's link": linkCode,
      "the administrator's token": adminToken,
    };
    for (const [what, secret] of Object.entries(secrets)) {
      for (const [place, text] of Object.entries(places)) {
        for (const form of [secret, Buffer.from(secret).toString("base64").slice(0, -3)]) {
          const at = text.indexOf(form);
          if (at >= 0)
            found.push(`${what} in ${place}: …${text.slice(Math.max(0, at - 300), at + 60)}…`);
        }
      }
    }
    expect(found).toEqual([]);
  });

  test("SIGTERM: every process stops by itself, with 0, within ten seconds", async () => {
    const startedMs = performance.now();
    for (const { child } of processes) child.kill("SIGTERM");
    expect(await Promise.all(processes.map(({ exited }) => exited))).toEqual([0, 0, 0]);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });
});
