import { type ChildProcess, spawn } from "node:child_process";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { type Database, projectFile } from "../src/platform/index.ts";
import { type BenchBot, type Environment, freePort, openEnvironment } from "./environment.ts";
import { LEDGER_FIGURES } from "./ledger.ts";

/** One measured figure, beside what a user would have instead. */
export interface Figure {
  figure: string;
  value: number;
  unit: string;
  baseline: { name: string; value: number } | null;
  target: string;
  reached: boolean;
  [detail: string]: unknown;
}

const CONNECTIONS = 64;
const CHATS = 1_000;
const RECOVERY_DEADLINE_MS = 60_000;
const NOWHERE = "http://127.0.0.1:1";
const round = (value: number) => Math.round(value * 10) / 10;

interface LoadResult {
  accepted: number;
  refused: number;
  seconds: number;
}

async function load(
  environment: Environment,
  target: { port: number; path: string; secret: string },
  amount: ["--seconds" | "--count", number],
  firstUpdateId = 1,
): Promise<LoadResult> {
  const { port, path, secret } = target;
  const args = [port, path, secret, CONNECTIONS, CHATS, ...amount].map(String);
  const script = await environment.script("load", args, { FIRST_UPDATE_ID: String(firstUpdateId) });
  return JSON.parse((await script.output).trim().split("\n").at(-1) ?? "{}") as LoadResult;
}

const rate = ({ accepted, seconds }: LoadResult) => accepted / seconds;
const targetOf = (environment: Environment, bot: BenchBot) => ({
  port: environment.port,
  path: bot.webhookPath,
  secret: bot.secret,
});

/** Accepted and committed updates a second, against bare Express with the same bodies. */
async function accepted(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  try {
    const [bot] = await environment.addBots(1);
    await environment.start("web");
    const bare = await environment.script("bare-express", []);
    const bareTarget = { port: Number(bare.firstLine), path: "/webhook", secret: "x" };
    const ours: number[] = [];
    const theirs: number[] = [];
    const webTarget = targetOf(environment, bot as BenchBot);
    await load(environment, bareTarget, ["--seconds", 2]);
    await load(environment, webTarget, ["--seconds", 3], 1);
    for (let run = 1; run <= 3; run++) {
      theirs.push(rate(await load(environment, bareTarget, ["--seconds", 5])));
      ours.push(rate(await load(environment, webTarget, ["--seconds", 5], run * 10_000_000)));
    }
    const value = median(ours);
    const baseline = median(theirs);
    return {
      figure: "updates accepted and committed by the receiver",
      value: round(value),
      unit: "updates/s",
      baseline: { name: "bare Express, express.json() and a 200", value: round(baseline) },
      ratio: round((value / baseline) * 100) / 100,
      target: "at least 50 % of the baseline",
      reached: value >= baseline / 2,
    };
  } finally {
    await environment.close();
  }
}

/** From the webhook POST to the message's row, over HTTP. */
async function endToEnd(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  const { db } = environment;
  try {
    const [bot] = await environment.addBots(1);
    await environment.start("web");
    await environment.start("ingest");
    const webTarget = targetOf(environment, bot as BenchBot);
    const until = async (sql: string, count: number, startedMs: number) => {
      for (;;) {
        const [row] = await db.query<{ count: number }>(sql);
        if ((row?.count ?? 0) >= count) return (performance.now() - startedMs) / 1_000;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const ownRows = `SELECT count(*)::int AS count FROM messages WHERE direction = 'in'`;
    const warm = 5_000;
    await load(environment, webTarget, ["--count", warm]);
    await until(ownRows, warm, performance.now());
    const count = 30_000;
    let startedMs = performance.now();
    await load(environment, { ...webTarget }, ["--count", count], 10_000_000);
    // The same bodies under new update ids are the same messages: only new rows are counted.
    const seconds = await until(
      `SELECT count(*)::int AS count FROM jobs WHERE state = 'completed'`,
      warm + count,
      startedMs,
    );
    let naive: number | null = null;
    if (environment.redisUrl !== undefined) {
      const script = await environment.script("naive", []);
      const naiveTarget = { port: Number(script.firstLine), path: "/webhook", secret: "x" };
      const naiveCount = 10_000;
      startedMs = performance.now();
      await load(environment, naiveTarget, ["--count", naiveCount]);
      const rows = "SELECT count(*)::int AS count FROM naive.jobs WHERE state = 'completed'";
      naive = naiveCount / (await until(rows, naiveCount, startedMs));
    }
    const value = count / seconds;
    return {
      figure: "webhook POST to message row, over HTTP",
      value: round(value),
      unit: "updates/s",
      baseline: naive === null ? null : { name: "naive pipeline", value: round(naive) },
      ratio: naive === null ? null : round(value / naive),
      backend: environment.redisUrl === undefined ? "postgres" : "redis",
      target: "at least 3,000/s and 3 times the baseline",
      reached: value >= 3_000 && naive !== null && value >= 3 * naive,
    };
  } finally {
    await environment.close();
  }
}

/** From the webhook POST of a command to the sendMessage that answers it, at 100 a second. */
async function commandLatency(): Promise<Figure> {
  const arrivals = new Map<number, number>();
  const telegram = http.createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      const { chat_id: chatId } = JSON.parse(text || "{}") as { chat_id?: number };
      if (chatId !== undefined && !arrivals.has(chatId)) arrivals.set(chatId, performance.now());
      const chat = { id: chatId ?? 1, type: "private", first_name: "A" };
      const from = { id: 9, is_bot: true, first_name: "B" };
      const result = { message_id: arrivals.size + 1_000_000, date: 1_790_000_000, chat, from };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ ok: true, result }));
    });
  });
  await new Promise<void>((resolve) => telegram.listen(0, "127.0.0.1", resolve));
  const port = (telegram.address() as AddressInfo).port;
  const environment = await openEnvironment(`http://127.0.0.1:${port}`);
  const agent = new http.Agent({ keepAlive: true });
  try {
    const bots = await environment.addBots(10);
    await environment.start("web");
    await environment.start("ingest");
    await environment.start("outbound");
    const posted = new Map<number, number>();
    // Ten seconds: the processes run for weeks otherwise.
    const warmUp = 1_000;
    const count = 2_000;
    for (let n = 0; n < warmUp + count; n++) {
      const chatId = 20_000_000 + n;
      post(agent, environment.port, bots[n % bots.length] as BenchBot, n, chatId);
      posted.set(chatId, performance.now());
      const dueMs = (posted.get(20_000_000) ?? 0) + (n + 1) * 10;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
    }
    const deadline = performance.now() + 20_000;
    while (arrivals.size < warmUp + count && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const delays = [...posted]
      .filter(([chatId]) => chatId >= 20_000_000 + warmUp)
      .flatMap(([chatId, atMs]) => {
        const arrivedMs = arrivals.get(chatId);
        return arrivedMs === undefined ? [] : [arrivedMs - atMs];
      })
      .sort((a, b) => a - b);
    const stages = await environment.db.query(
      `SELECT queue, round((percentile_cont(0.5) WITHIN GROUP
           (ORDER BY extract(epoch FROM started_at - created_at)))::numeric * 1000, 1)::float AS wait_p50,
         round((percentile_cont(0.99) WITHIN GROUP
           (ORDER BY extract(epoch FROM started_at - created_at)))::numeric * 1000, 1)::float AS wait_p99,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY run_ms) AS run_p50
       FROM jobs GROUP BY queue`,
    );
    const at = (share: number) => delays[Math.floor(delays.length * share)] ?? Number.NaN;
    return {
      figure: "webhook POST of a command to its sendMessage at the Bot API, 100/s",
      value: round(at(0.5)),
      unit: "ms, p50",
      p95: round(at(0.95)),
      p99: round(at(0.99)),
      answered: delays.length,
      stages,
      of: count,
      baseline: null,
      target: "p50 < 25 ms, p99 < 100 ms, all answered",
      reached: at(0.5) < 25 && at(0.99) < 100 && delays.length === count,
    };
  } finally {
    agent.destroy();
    await environment.close();
    telegram.close();
  }
}

function post(agent: http.Agent, port: number, bot: BenchBot, n: number, chatId: number): void {
  const from = { id: chatId, is_bot: false, first_name: "Ada" };
  const update = {
    update_id: n + 1,
    message: {
      message_id: 1,
      date: 1_790_000_000,
      chat: { id: chatId, type: "private", first_name: "Ada" },
      from,
      text: "/start",
      entities: [{ type: "bot_command", offset: 0, length: 6 }],
    },
  };
  const request = http.request({
    agent,
    port,
    host: "127.0.0.1",
    method: "POST",
    path: bot.webhookPath,
    headers: {
      "content-type": "application/json",
      "x-telegram-bot-api-secret-token": bot.secret,
    },
  });
  request.on("response", (response) => response.resume());
  request.on("error", () => {});
  request.end(JSON.stringify(update));
}

/** From the SIGKILL of a worker that holds lanes until what waited in them at that moment is done. */
async function recovery(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  const { db } = environment;
  try {
    const [bot] = await environment.addBots(1);
    await environment.start("web");
    const victim = await environment.start("ingest");
    await environment.start("ingest");
    const target = targetOf(environment, bot as BenchBot);
    await load(environment, target, ["--count", 2_000]);
    const running = load(environment, target, ["--seconds", 6], 5_000_000);
    const held = await killWithLanes(db, victim);
    const killedMs = performance.now();
    const [newest] = await db.query<{ id: string }>("SELECT max(id) AS id FROM jobs");
    while (
      (
        await db.query(
          `SELECT 1 FROM jobs WHERE queue = 'ingest' AND lane = ANY ($1) AND id <= $2
             AND state IN ('available', 'running', 'retryable') LIMIT 1`,
          [held, newest?.id],
        )
      ).length > 0
    ) {
      if (performance.now() - killedMs > RECOVERY_DEADLINE_MS) throw new Error("no recovery");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const seconds = (performance.now() - killedMs) / 1_000;
    await running;
    return {
      figure: "SIGKILL of a worker under load until what waited in its lanes is done",
      value: round(seconds),
      unit: "s",
      lanesHeld: held.length,
      baseline: null,
      target: "< 8 s",
      reached: seconds < 8,
    };
  } finally {
    await environment.close();
  }
}

/** Kills a worker at a moment at which it holds lanes, and answers their names. */
async function killWithLanes(db: Database, victim: ChildProcess): Promise<string[]> {
  const [worker] = await db.query<{ owner: string }>(
    "SELECT split_part(worker, '/', 3) AS owner FROM jobs WHERE split_part(worker, '/', 2) = $1 LIMIT 1",
    [String(victim.pid)],
  );
  if (worker === undefined) throw new Error("the worker to kill has done nothing");
  for (;;) {
    victim.kill("SIGSTOP");
    const lanes = await db.query<{ lane: string }>(
      "SELECT lane FROM lanes WHERE owner::text LIKE $1 || '%' AND due_at IS NOT NULL",
      [worker.owner],
    );
    if (lanes.length > 0) {
      victim.kill("SIGKILL");
      return lanes.map(({ lane }) => lane);
    }
    victim.kill("SIGCONT");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** `npm start` for the second time in this folder, until it says it is ready. */
async function secondStart(): Promise<Figure> {
  const port = await freePort();
  const startOnce = () =>
    new Promise<number>((resolve, reject) => {
      const startedMs = performance.now();
      const env = { ...process.env, NODE_OPTIONS: "", PORT: String(port) };
      const entry = projectFile("bin", "heliograph.mjs");
      const child = spawn(process.execPath, [entry, "start"], {
        env,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let errors = "";
      child.stderr.on("data", (chunk) => {
        errors += chunk;
      });
      let seconds: number | undefined;
      child.stdout.on("data", (chunk) => {
        if (!String(chunk).includes("Ctrl-C")) return;
        seconds = (performance.now() - startedMs) / 1_000;
        child.kill("SIGINT");
      });
      child.once("exit", () =>
        seconds === undefined ? reject(new Error(`no start: ${errors}`)) : resolve(seconds),
      );
    });
  const first = await startOnce();
  const second = await startOnce();
  return {
    figure: "npm start, second time, until ready",
    value: round(second),
    unit: "s",
    firstSeconds: round(first),
    baseline: null,
    target: "< 5 s",
    reached: second < 5,
  };
}

export const FIGURES: Record<string, () => Promise<Figure>> = {
  accepted,
  "end-to-end": endToEnd,
  "command-latency": commandLatency,
  recovery,
  "second-start": secondStart,
  ...LEDGER_FIGURES,
};

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
