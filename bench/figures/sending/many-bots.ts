import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { createJobs } from "../../../src/jobs/index.ts";
import { submitMessages } from "../../../src/outbound/index.ts";
import { parseRedisUrl, silentLogger } from "../../../src/platform/index.ts";
import { type AnsweringTelegram, startAnsweringTelegram } from "../../answering-telegram.ts";
import { cpuTimeMs } from "../../cpu-time.ts";
import { type Environment, openEnvironment } from "../../environment.ts";
import type { Figure } from "../../figure.ts";
import { startNaiveSender } from "../../naive-sender-run.ts";
import { round } from "../../numbers.ts";
import { profiledInto, stopProcess, writeFlameGraph } from "../../profiles.ts";
import { until } from "../../until.ts";

const BOTS = 1_000;
const PER_BOT = 50;
const TOTAL = BOTS * PER_BOT;
const FIRST_CHAT = 100_000_000;
const FIRST_NAIVE_CHAT = 200_000_000;
const NAIVE_MESSAGES = 20_000;
const FIGURE = "1,000 bots with 50 messages each, two outbound processes";

/** 1,000 bots with fifty messages each, and two processes that send. */
export async function manyBots(): Promise<Figure> {
  const telegram = await startAnsweringTelegram();
  const environment = await openEnvironment(telegram.url);
  try {
    const { perSecond, cpuMsASend } = await sendAll(environment, telegram);
    const naive = await startNaiveSender(environment, {
      apiRoot: telegram.url,
      token: "1:naive",
      queue: "naive",
      chatIds: Array.from({ length: NAIVE_MESSAGES / 10 }, (_, n) => String(FIRST_NAIVE_CHAT + n)),
      perChat: 10,
      perSecond: 1_000_000,
      seconds: 60,
    });
    const startedMs = performance.now();
    await naive?.output;
    const naivePerSecond = NAIVE_MESSAGES / ((performance.now() - startedMs) / 1_000);
    return {
      figure: FIGURE,
      value: round(perSecond),
      unit: "sends/s",
      cores: availableParallelism(),
      cpuMsASend,
      baseline: naive && {
        name: "a BullMQ job a message, one process, no pace of any bot",
        value: round(naivePerSecond),
      },
      backend: environment.redisUrl === undefined ? "postgres" : "redis",
      target: ">= 1,500 sends/s, or what the machine has",
      reached: perSecond >= 1_500,
    };
  } finally {
    await environment.close();
    telegram.close();
  }
}

/** The same while one of the processes is profiled: its flame graph, in docs/flame-graphs. */
export async function manyBotsProfile(): Promise<Figure> {
  const telegram = await startAnsweringTelegram();
  const environment = await openEnvironment(telegram.url);
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-profiles-"));
  try {
    const { perSecond, processes } = await sendAll(environment, telegram, profiledInto(folder));
    await Promise.all(processes.map(stopProcess));
    const of = `${TOTAL} messages of ${BOTS} bots, one of two processes`;
    return {
      figure: FIGURE,
      value: round(perSecond),
      unit: "sends/s while profiled",
      widest: await writeFlameGraph(folder, { name: "many-bots", of }),
      baseline: null,
      target: "kept",
      reached: true,
    };
  } finally {
    await environment.close();
    telegram.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Accepts the messages and waits until each has arrived. `cpuMsASend`: CPU time of all that, by whom,
 * Postgres's with what accepting them took; null where it cannot be read. `flags`: of the first process.
 */
async function sendAll(
  environment: Environment,
  telegram: AnsweringTelegram,
  flags: string[] = [],
) {
  const { db, redisUrl } = environment;
  const redis = redisUrl === undefined ? undefined : parseRedisUrl(redisUrl);
  const jobs = createJobs({ db, log: silentLogger, redis });
  try {
    const bots = await environment.addBots(BOTS);
    const processes = [
      await environment.start("outbound", flags),
      await environment.start("outbound"),
    ];
    const messages = Array.from({ length: TOTAL }, (_, n) => {
      const { workspaceId, connectorId } = bots[n % BOTS] as (typeof bots)[number];
      return { workspaceId, connectorId, chatId: String(FIRST_CHAT + n), text: `m${n}` };
    });
    const before = await cpuTimes(environment, processes);
    for (let from = 0; from < TOTAL; from += 10_000) {
      const batch = messages.slice(from, from + 10_000);
      await db.transaction((tx) => submitMessages(tx, jobs, batch));
    }
    await until(async () => telegram.arrivals.size >= TOTAL);
    const after = await cpuTimes(environment, processes);
    const times = [...telegram.arrivals.values()].sort((a, b) => a - b);
    const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1_000;
    const cpuMsASend = Object.fromEntries(
      Object.entries(after).map(([who, ms]) => {
        const earlierMs = before[who];
        const isKnown = ms !== undefined && earlierMs !== undefined;
        return [who, isKnown ? round((100 * (ms - earlierMs)) / TOTAL) / 100 : null];
      }),
    );
    return { perSecond: (TOTAL - 1) / seconds, cpuMsASend, processes };
  } finally {
    await jobs.stop();
  }
}

async function cpuTimes(
  environment: Environment,
  processes: readonly ChildProcess[],
): Promise<Record<string, number | undefined>> {
  const ofProcesses = await Promise.all(processes.map(({ pid }) => cpuTimeMs(pid ?? 0)));
  const outbound = ofProcesses.reduce<number | undefined>(
    (sum, ms) => (sum === undefined || ms === undefined ? undefined : sum + ms),
    0,
  );
  return { outbound, postgres: await cpuTimeMs(environment.postgresPid) };
}
