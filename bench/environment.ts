import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { commandLists } from "../src/compliance/index.ts";
import { hashOfLists } from "../src/connectors/command-menus.ts";
import { freePort } from "../src/platform/free-port.ts";
import {
  createKeyring,
  type Database,
  openDatabase,
  projectFile,
  sha256,
  silentLogger,
  startEmbeddedPostgres,
} from "../src/platform/index.ts";
import { migrateAll } from "../workers/migrate.ts";

/** A connected bot whose webhook a benchmark may call itself. */
export interface BenchBot {
  workspaceId: string;
  connectorId: string;
  webhookPath: string;
  secret: string;
}

/** Durable Postgres (fsync on), Redis with its append-only file, and processes as in production. */
export interface Environment {
  db: Database;
  /** As the superuser, for what is beside the system: maintenance, and schemas of others. */
  owner: Database;
  redisUrl: string | undefined;
  databaseUrl: string;
  port: number;
  url: string;
  /** Of the Postgres. */
  postgresPid: number;
  /** Starts a process of the installation; resolves when it says it is up. */
  start(
    command: "web" | "ingest" | "outbound" | "evidence",
    nodeArgs?: string[],
    env?: Record<string, string>,
  ): Promise<ChildProcess>;
  /** Starts another script of this folder; resolves with its first line of stdout. */
  script(name: string, args: string[], env?: Record<string, string>): Promise<Script>;
  /**
   * Bots of the workspace that is there, or of a new one; with the token of an account, where a
   * Telegram looks at it.
   */
  addBots(count: number, workspace?: "new", account?: { token: string }): Promise<BenchBot[]>;
  close(): Promise<void>;
}

export interface Script {
  child: ChildProcess;
  firstLine: string;
  /** Everything it wrote to stdout, once it has ended. */
  output: Promise<string>;
}

const READY_TIMEOUT_MS = 30_000;

export async function openEnvironment(apiRoot: string): Promise<Environment> {
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-bench-"));
  await chmod(folder, 0o755);
  const postgres = await startEmbeddedPostgres({ dataFolder: folder, log: silentLogger });
  await migrateAll(postgres.url);
  const db = openDatabase({ url: postgres.url, max: 4 });
  const owner = openDatabase({ url: postgres.url, max: 1, as: "login" });
  const key = randomBytes(32);
  const keyring = createKeyring([{ version: 1, key }]);
  const children: ChildProcess[] = [];
  const redisPort = await freePort();
  const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;
  if (hasRedis) {
    const flags = [
      "--port",
      String(redisPort),
      "--dir",
      folder,
      "--save",
      "",
      "--appendonly",
      "yes",
    ];
    children.push(spawn("redis-server", flags, { stdio: "ignore" }));
  }
  const redisUrl = hasRedis ? `redis://127.0.0.1:${redisPort}` : undefined;
  const port = await freePort();
  const environment = {
    ...process.env,
    NODE_OPTIONS: "",
    PORT: String(port),
    DATABASE_URL: postgres.url,
    TELEGRAM_API_ROOT: apiRoot,
    ENCRYPTION_KEYS: `v1:${key.toString("base64")}`,
    STORAGE_URL: `file://${path.join(folder, "files")}`,
    LOG_LEVEL: "info",
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
  };
  const addWorkspace = async () => {
    const [workspace] = await db.query<{ id: string }>(
      "INSERT INTO workspaces (name) VALUES ('bench') RETURNING id",
    );
    return workspace?.id ?? "";
  };
  const firstWorkspaceId = await addWorkspace();

  return {
    db,
    owner,
    redisUrl,
    databaseUrl: postgres.url,
    port,
    url: `http://127.0.0.1:${port}`,
    postgresPid: postgres.pid,
    start: async (command, nodeArgs = [], env = {}) => {
      const args = [...nodeArgs, projectFile("bin", "heliograph.mjs"), command];
      const child = spawn(process.execPath, args, {
        env: { ...environment, ...env },
        stdio: ["ignore", "ignore", "pipe"],
      });
      children.push(child);
      await untilPrinted(child, child.stderr, /"msg":"(listening|working)"/);
      return child;
    },
    script: async (name, args, env = {}) => {
      const file = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
      const child = spawn(process.execPath, [file, ...args], {
        env: { ...environment, ...env },
        stdio: ["ignore", "pipe", "inherit"],
      });
      children.push(child);
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
      const ended = new Promise<string>((resolve) => child.once("close", () => resolve(output)));
      await untilPrinted(child, child.stdout, /\n/);
      return { child, firstLine: output.split("\n")[0] ?? "", output: ended };
    },
    addBots: async (count, workspace, account) => {
      const workspaceId = workspace === "new" ? await addWorkspace() : firstWorkspaceId;
      const bots: BenchBot[] = [];
      for (let n = 0; n < count; n++) {
        const connectorId = randomUUID();
        const webhookKey = randomUUID();
        const secret = randomUUID();
        const token = account?.token ?? `${randomBotId()}:${"b".repeat(35)}`;
        const botId = Number(token.split(":")[0]);
        const place = {
          workspaceId,
          table: "connectors",
          column: "token_sealed",
          row: connectorId,
        };
        const sealed = keyring.seal(token, place);
        await db.query(
          `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
             can_read_all_group_messages, token_sealed, webhook_key, secret_hash, webhook_url,
             commands_hash)
           VALUES ($1, $2, 'bench', 'active', $3, 'bench_bot', true, $4, $5, $6, $7, $8)`,
          [
            workspaceId,
            connectorId,
            botId,
            sealed,
            webhookKey,
            sha256(secret),
            `http://127.0.0.1:${port}/webhooks/telegram/${webhookKey}`,
            // Registered with all that belongs to it: a start asks nothing of Telegram.
            hashOfLists(commandLists()),
          ],
        );
        const webhookPath = `/webhooks/telegram/${webhookKey}`;
        bots.push({ workspaceId, connectorId, webhookPath, secret });
      }
      return bots;
    },
    close: async () => {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all([db.close(), owner.close()]);
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const randomBotId = () => 1_000_000 + Math.floor(Math.random() * 1e12);

async function untilPrinted(
  child: ChildProcess,
  stream: NodeJS.ReadableStream,
  pattern: RegExp,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let seen = "";
    const timer = setTimeout(() => reject(new Error("a process did not start")), READY_TIMEOUT_MS);
    stream.on("data", (chunk) => {
      if (seen.length > 100_000) return;
      seen += String(chunk);
      if (!pattern.test(seen)) return;
      clearTimeout(timer);
      resolve();
    });
    child.once("exit", (code) => reject(new Error(`a process ended with ${code}: ${seen}`)));
  });
}
