import { createJobs } from "../../../src/jobs/index.ts";
import { submitMessages } from "../../../src/outbound/index.ts";
import { parseRedisUrl, silentLogger } from "../../../src/platform/index.ts";
import { startAnsweringTelegram } from "../../answering-telegram.ts";
import { openEnvironment } from "../../environment.ts";
import type { Figure } from "../../figure.ts";
import { startNaiveSender } from "../../naive-sender-run.ts";
import { round } from "../../numbers.ts";
import { until } from "../../until.ts";

const BOTS = 1_000;
const PER_BOT = 50;
const FIRST_CHAT = 100_000_000;
const FIRST_NAIVE_CHAT = 200_000_000;
const NAIVE_MESSAGES = 20_000;

/** 1,000 bots with fifty messages each, and two processes that send. */
export async function manyBots(): Promise<Figure> {
  const telegram = await startAnsweringTelegram();
  const environment = await openEnvironment(telegram.url);
  const { db, redisUrl } = environment;
  const redis = redisUrl === undefined ? undefined : parseRedisUrl(redisUrl);
  const jobs = createJobs({ db, log: silentLogger, redis });
  try {
    const bots = await environment.addBots(BOTS);
    await environment.start("outbound");
    await environment.start("outbound");
    const total = BOTS * PER_BOT;
    const messages = Array.from({ length: total }, (_, n) => {
      const { workspaceId, connectorId } = bots[n % BOTS] as (typeof bots)[number];
      return { workspaceId, connectorId, chatId: String(FIRST_CHAT + n), text: `m${n}` };
    });
    for (let from = 0; from < total; from += 10_000) {
      const batch = messages.slice(from, from + 10_000);
      await db.transaction((tx) => submitMessages(tx, jobs, batch));
    }
    await until(async () => telegram.arrivals.size >= total);
    const times = [...telegram.arrivals.values()].sort((a, b) => a - b);
    const perSecond = (total - 1) / (((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1_000);
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
      figure: "1,000 bots with 50 messages each, two outbound processes",
      value: round(perSecond),
      unit: "sends/s",
      baseline: naive && {
        name: "a BullMQ job a message, one process, no pace of any bot",
        value: round(naivePerSecond),
      },
      backend: redisUrl === undefined ? "postgres" : "redis",
      target: ">= 1,500 sends/s",
      reached: perSecond >= 1_500,
    };
  } finally {
    await jobs.stop();
    await environment.close();
    telegram.close();
  }
}
