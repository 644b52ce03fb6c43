import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Sandbox, type SandboxOptions, startSandbox } from "../../sandbox/index.ts";
import { createWorkspace } from "../../src/connectors/index.ts";
import { migrateTransport } from "../../src/jobs/index.ts";
import { freePort } from "../../src/platform/free-port.ts";
import {
  type Config,
  type Database,
  openDatabase,
  parseRedisUrl,
  sha256,
} from "../../src/platform/index.ts";
import { startIngest } from "../../workers/ingest.ts";
import { startOutbound } from "../../workers/outbound.ts";
import { openSystem, type System } from "../../workers/system.ts";
import { webServer } from "../../workers/web.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";

/** The whole system in one process, on a database of its own, with the sandbox as Telegram. */
export interface TestSystem {
  sandbox: Sandbox;
  system: System;
  /** As the superuser, for what a test does beside the code under test. Closed by `close`. */
  owner: Database;
  /** The web process's address. */
  url: string;
  workspaceId: string;
  apiKey: string;
  /** A call of the API with the workspace's key. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: never }>;
  /** Connects a new bot; its webhook also accepts `secret`, for requests that a test makes itself. */
  connectBot(options?: { canReadAllGroupMessages?: boolean }): Promise<TestBot>;
  close(): Promise<void>;
}

export interface TestBot {
  id: number;
  token: string;
  connectorId: string;
  webhookPath: string;
  secret: string;
}

export interface TestSystemOptions {
  redisUrl?: string;
  /** Default: a fresh database, dropped by `close`. */
  databaseUrl?: string;
  /** Default: webhook. Polling needs a poller beside it: the test's own. */
  updatesMode?: Config["updatesMode"];
  /** Default: ingest and outbound run in this process. */
  pools?: boolean;
  sandbox?: SandboxOptions;
  /** How long a client may take to send a request. */
  requestTimeoutMs?: number;
  /** Whether the web process asks Telegram about its bots by itself. Default: it does not. */
  watch?: boolean;
}

export async function startTestSystem(options: TestSystemOptions = {}): Promise<TestSystem> {
  const database: TestDatabase | undefined =
    options.databaseUrl === undefined ? await createTestDatabase() : undefined;
  const sandbox = await startSandbox({ port: 0, ...options.sandbox });
  const port = await freePort();
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-files-"));
  const config: Config = {
    port,
    databaseUrl: options.databaseUrl ?? database?.url ?? "",
    redis: options.redisUrl === undefined ? undefined : parseRedisUrl(options.redisUrl),
    telegramApiRoot: sandbox.url,
    encryptionKeys: [{ version: 1, key: randomBytes(32) }],
    adminToken: "the-administrator",
    logLevel: "silent",
    storage: { kind: "local", folder },
    updatesMode: options.updatesMode ?? "webhook",
  };
  const system = openSystem(config, "test", 20);
  const owner = openDatabase({ url: config.databaseUrl ?? "", max: 1, as: "login" });
  await migrateTransport(system.db);
  const server = webServer(system, {
    requestTimeoutMs: options.requestTimeoutMs,
    watch: options.watch ?? false,
  });
  await server.listen(port, "127.0.0.1");
  if (options.pools !== false) {
    await startIngest(system);
    await startOutbound(system);
  }
  const { id: workspaceId, apiKey } = await createWorkspace(system.db, "Test");
  const url = `http://127.0.0.1:${port}`;

  const api: TestSystem["api"] = async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as never };
  };

  return {
    sandbox,
    system,
    owner,
    url,
    workspaceId,
    apiKey,
    api,
    connectBot: async (bot = {}) => {
      const username = `b${randomBytes(4).toString("hex")}_bot`;
      const account = sandbox.createBot({
        name: "Bot",
        username,
        canReadAllGroupMessages: bot.canReadAllGroupMessages ?? true,
      });
      const { id, webhookUrl } = await system.connectors.connect(workspaceId, {
        name: "Bot",
        botToken: account.token,
      });
      const secret = randomBytes(16).toString("hex");
      await system.db.query(
        "UPDATE connectors SET previous_secret_hashes = ARRAY[$2::bytea] WHERE id = $1",
        [id, sha256(secret)],
      );
      return {
        id: account.id,
        token: account.token,
        connectorId: id,
        webhookPath: webhookUrl === null ? "" : new URL(webhookUrl).pathname,
        secret,
      };
    },
    close: async () => {
      await server.close(1_000);
      await system.close();
      await owner.close();
      await sandbox.close();
      await database?.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A raw request, so that a test can send what no client would. Resolves with status, headers, body. */
export function rawRequest(
  url: string,
  options: http.RequestOptions,
  body?: string | Buffer,
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: "POST", ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    request.on("error", reject);
    request.end(body);
  });
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

/** Delivers an update to a bot's webhook, as Telegram would. Gives the status. */
export async function deliver(url: string, bot: TestBot, update: unknown): Promise<number> {
  const { status } = await rawRequest(
    url + bot.webhookPath,
    {
      agent,
      headers: {
        "content-type": "application/json",
        "x-telegram-bot-api-secret-token": bot.secret,
      },
    },
    typeof update === "string" ? update : JSON.stringify(update),
  );
  return status;
}

/** A text message in a private chat. */
export const textUpdate = (updateId: number, chatId: number, messageId: number, text: string) => ({
  update_id: updateId,
  message: {
    message_id: messageId,
    date: 1_790_000_000 + messageId,
    chat: { id: chatId, type: "private", first_name: "Ada" },
    from: { id: chatId, is_bot: false, first_name: "Ada" },
    text,
  },
});
