import { randomBytes, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { type Sandbox, startSandbox } from "../../../sandbox/index.ts";
import { migrateTransport } from "../../../src/jobs/index.ts";
import { freePort } from "../../../src/platform/free-port.ts";
import { startClamd } from "../clamd-server.ts";
import { createTestDatabase, type TestDatabase } from "../database.ts";
import { type ProcessOptions, startProcess } from "../processes.ts";
import type { OwnRedis } from "../redis.ts";
import { type RunningScript, startScript } from "../script.ts";
import { waitFor } from "../wait-for.ts";
import { keepRows } from "./kept-rows.ts";
import type { Needle, Place } from "./search.ts";
import { openTelegramLine } from "./telegram-line.ts";

/** What an answer may hold after all: a key or an invitation is shown once, and people's words to who asks for them. */
export type Shows = "nothing" | "API key" | "words" | "content";

export interface CallOptions {
  body?: unknown;
  /** Default: the workspace's first key. Null: none. */
  key?: string | null;
  headers?: Record<string, string>;
  shows?: Shows;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; null when it is none. */
  json: never;
}

/**
 * An installation of processes, as loud as it can be, whose every door is listened at: what it wrote
 * to its logs, what it answered, what it said to Telegram that was secret.
 */
export interface SecrecyWorld {
  sandbox: Sandbox;
  database: TestDatabase;
  url: string;
  adminToken: string;
  /** In all that people write and are called. */
  mark: string;
  /** Of a person who shares it. */
  phone: string;
  /** In the files that people hand in, and in nothing else. */
  content: string;
  /** Where those files lie. */
  storageFolder: string;
  /** The keys of the installation, newest first: `v2:…,v1:…`. */
  encryptionKeys: string;
  /** The key of the workspace that all is done in. */
  setKey(apiKey: string): void;
  /** Something that must not be found. Twice is once. */
  hide(kind: Needle["kind"], what: string, value: string | Buffer): void;
  /** A bot's token, and its secret part by itself. */
  hideToken(token: string): void;
  /** An API key, and what follows its prefix by itself. */
  hideKey(apiKey: string): void;
  needles(): Needle[];
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Something that was answered in another way. */
  heard(text: string, shows?: Shows): void;
  start(
    command: "web" | "ingest" | "outbound" | "evidence" | "poller",
    change?: Partial<ProcessOptions>,
  ): Promise<RunningScript>;
  /** SIGTERM; gives the exit code. */
  stop(process: RunningScript): Promise<number | NodeJS.Signals | null>;
  /** `heliograph …` as a process of its own; what it prints is an answer, what it says a log. */
  cli(
    args: string[],
    options?: { env?: Record<string, string>; shows?: Shows; code?: number },
  ): Promise<string>;
  /** Waits until nothing that is due is left in a queue. */
  settled(queue: string): Promise<void>;
  /** Notes with what arguments the processes run that run now. */
  noteArguments(): void;
  /** Logs, answers and arguments so far, and the store of files as it is. */
  places(): Promise<Place[]>;
  close(): Promise<void>;
}

const MAIN = new URL("../../../workers/main.ts", import.meta.url);
const newKey = (version: number) => `v${version}:${randomBytes(32).toString("base64")}`;

/** `redis` undefined: Postgres alone. */
export async function openWorld(redis: OwnRedis | undefined): Promise<SecrecyWorld> {
  const database = await createTestDatabase();
  await migrateTransport(database.db);
  await keepRows(database.owner);
  const sandbox = await startSandbox({ port: 0 });
  const needles = new Map<string, Needle>();
  const hide: SecrecyWorld["hide"] = (kind, what, value) => {
    needles.set(`${kind} ${Buffer.from(value as string).toString("base64")}`, {
      what,
      kind,
      value,
    });
  };
  const hideToken = (token: string) => {
    hide("secret", "a bot's token", token);
    hide("secret", "the secret part of a bot's token", token.split(":")[1] ?? "");
  };
  const line = await openTelegramLine(sandbox.url, {
    token: hideToken,
    webhookSecret: (secret) => hide("secret", "a webhook's secret", secret),
  });
  const storageFolder = await mkdtemp(path.join(tmpdir(), "heliograph-secrecy-"));
  const clamd = await startClamd();
  const content = `content-${randomBytes(6).toString("hex")}`;
  const mark = `private-${randomBytes(6).toString("hex")}`;
  const phone = `1555${randomInt(1_000_000, 10_000_000)}`;
  const adminToken = `admin-${randomBytes(18).toString("hex")}`;
  const encryptionKeys = [newKey(2), newKey(1)].join(",");
  hide("words", "people's words and names", mark);
  hide("content", "what is in a file", content);
  hide("phone number", "a phone number that was shared", phone);
  hide("secret", "ADMIN_TOKEN", adminToken);
  for (const [n, key] of encryptionKeys.split(",").entries()) {
    hide("secret", `key ${n} of ENCRYPTION_KEYS`, Buffer.from(key.split(":")[1] ?? "", "base64"));
  }
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const environment: ProcessOptions = {
    port,
    databaseUrl: database.url,
    redisUrl: redis?.url,
    telegramApiRoot: line.url,
    encryptionKeys,
    adminToken,
    logLevel: "debug",
    storageUrl: pathToFileURL(storageFolder).href,
    scannerUrl: `clamd://127.0.0.1:${clamd.port}`,
  };
  const processes: RunningScript[] = [];
  const running = new Set<RunningScript>();
  const answers: Record<Shows, string[]> = { nothing: [], "API key": [], words: [], content: [] };
  const commandLines: string[] = [];
  let apiKey = "";

  const heard: SecrecyWorld["heard"] = (text, shows = "nothing") => void answers[shows].push(text);

  function watch(process: RunningScript): void {
    processes.push(process);
    running.add(process);
    void process.exited.then(() => running.delete(process));
    commandLines.push(commandLineOf(process));
  }

  return {
    sandbox,
    database,
    url,
    adminToken,
    mark,
    phone,
    content,
    storageFolder,
    encryptionKeys,
    setKey: (key) => {
      apiKey = key;
    },
    hide,
    hideToken,
    hideKey: (key) => {
      hide("API key", "an API key", key);
      hide("API key", "an API key without its prefix", key.slice("hgk_".length));
    },
    needles: () => [...needles.values()],
    heard,
    call: async (method, path, { body, key = apiKey, headers = {}, shows } = {}) => {
      const response = await fetch(url + path, {
        method,
        redirect: "manual",
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      // A session is given out in this header, and looked for everywhere else.
      const sent = [...response.headers].filter(([name]) => name !== "set-cookie");
      heard(`${method} ${response.status} ${JSON.stringify(sent)}\n${text}`, shows);
      return { status: response.status, headers: response.headers, text, json: jsonOf(text) };
    },
    start: async (command, change = {}) => {
      const process = await startProcess(command, { ...environment, ...change });
      watch(process);
      return process;
    },
    stop: async ({ child, exited }) => {
      child.kill("SIGTERM");
      return exited;
    },
    cli: async (args, { env = {}, shows, code = 0 } = {}) => {
      const process = startScript(MAIN, {
        args,
        env: {
          PORT: String(port),
          DATABASE_URL: database.url,
          REDIS_URL: redis?.url,
          TELEGRAM_API_ROOT: line.url,
          ENCRYPTION_KEYS: encryptionKeys,
          ADMIN_TOKEN: adminToken,
          LOG_LEVEL: "debug",
          STORAGE_URL: environment.storageUrl,
          ...env,
        },
      });
      watch(process);
      const ended = await process.exited;
      if (ended !== code) {
        throw new Error(`${args.join(" ")} ended with ${ended}: ${process.stderr()}`);
      }
      const printed = process.lines.splice(0).join("\n");
      heard(printed, shows);
      return printed;
    },
    settled: async (queue) => {
      await waitFor(
        async () => {
          const rows = await database.db.query(
            `SELECT 1 FROM jobs WHERE queue = $1 AND state IN ('available', 'running')
               AND run_at <= now() LIMIT 1`,
            [queue],
          );
          return rows.length === 0;
        },
        { timeoutMs: 30_000, what: `${queue} to settle` },
      );
    },
    noteArguments: () => {
      for (const process of running) commandLines.push(commandLineOf(process));
    },
    places: async () => [
      {
        name: "the logs",
        text: processes.map(({ stderr, lines }) => stderr() + lines.join("\n")).join("\n"),
      },
      { name: "the answers", text: answers.nothing.join("\n") },
      {
        name: "answers with a new key",
        text: answers["API key"].join("\n"),
        may: ["API key", "invitation"],
      },
      { name: "answers with people's words", text: answers.words.join("\n"), may: ["words"] },
      { name: "answers with a file", text: answers.content.join("\n"), may: ["words", "content"] },
      { name: "the store of files", text: await filesIn(storageFolder) },
      { name: "the arguments of processes", text: commandLines.join("\n") },
    ],
    close: async () => {
      for (const { child } of running) child.kill("SIGKILL");
      await Promise.all(processes.map(({ exited }) => exited));
      await line.close();
      await sandbox.close();
      await clamd.close();
      await rm(storageFolder, { recursive: true, force: true });
      await database.drop();
    },
  };
}

/** Names and bytes of all files of a folder, as text in which each byte is a character. */
async function filesIn(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const texts = entries.map(async (entry) => {
    const file = path.join(entry.parentPath, entry.name);
    return entry.isFile() ? `${file}\n${await readFile(file, "latin1")}` : file;
  });
  return (await Promise.all(texts)).join("\n");
}

function jsonOf(text: string): never {
  try {
    return JSON.parse(text) as never;
  } catch {
    return null as never;
  }
}

/** As every user of the machine can read it, where the system says so; else as it was started. */
function commandLineOf({ child }: RunningScript): string {
  try {
    return readFileSync(`/proc/${child.pid}/cmdline`, "utf8");
  } catch {
    return child.spawnargs.join("\0");
  }
}
