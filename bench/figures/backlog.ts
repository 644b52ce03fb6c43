import { startAnsweringTelegram } from "../answering-telegram.ts";
import { openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { load, targetsOf } from "../load-run.ts";
import { percentile, round } from "../numbers.ts";
import { type OpenLoopPlan, openLoop } from "../open-loop-run.ts";
import { until } from "../until.ts";

const BOTS = 10;
const BACKLOG = 100_000;
const COMMANDS_PER_SECOND = 20;
const FIRST_COMMAND_CHAT = 50_000_000;

/**
 * What Telegram kept for an hour comes at once: 100,000 updates of ten bots, forty connections each.
 * New commands come meanwhile, and want their answer.
 */
export async function backlog(): Promise<Figure> {
  const telegram = await startAnsweringTelegram();
  const environment = await openEnvironment(telegram.url);
  const { db } = environment;
  try {
    const bots = await environment.addBots(BOTS);
    await environment.start("web");
    await environment.start("ingest");
    await environment.start("outbound");
    const targets = targetsOf(environment, bots);
    const completed = async () => {
      const [row] = await db.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM jobs WHERE queue = 'ingest' AND state = 'completed'",
      );
      return row?.count ?? 0;
    };
    const warmUp = { ...targets, connections: 6, count: 1_000, chats: 500 };
    await load(environment, warmUp);
    await until(async () => (await completed()) === BOTS * 1_000);

    const perBot = BACKLOG / BOTS;
    const startedMs = performance.now();
    const pushed = load(environment, {
      ...targets,
      connections: 40,
      chats: 500,
      count: perBot,
      firstUpdateId: 10_000_000,
    });
    const commands: OpenLoopPlan = {
      ...targets,
      perSecond: COMMANDS_PER_SECOND,
      seconds: 15,
      chats: COMMANDS_PER_SECOND * 15,
      firstChatId: FIRST_COMMAND_CHAT,
      firstUpdateId: 90_000_000,
      commands: true,
    };
    const loop = await openLoop(environment, commands);
    const { seconds: pushedSeconds, refused } = await pushed;
    await until(async () => (await completed()) >= BOTS * 1_000 + BACKLOG);
    const seconds = (performance.now() - startedMs) / 1_000;
    const endedMs = Date.now();
    await loop.result;
    const sentMeanwhile = Math.floor(((endedMs - loop.startMs) / 1_000) * COMMANDS_PER_SECOND);
    const counted = Math.min(sentMeanwhile, commands.chats);
    await until(async () => telegram.arrivals.size >= commands.chats);
    const delays = Array.from({ length: counted }, (_, n) => {
      const arrivedMs = telegram.arrivals.get(FIRST_COMMAND_CHAT + n) ?? Number.NaN;
      return arrivedMs - (loop.startMs + (n * 1_000) / COMMANDS_PER_SECOND);
    });
    const p99 = percentile(delays, 0.99);
    return {
      figure: "a backlog of 100,000 updates of ten bots at once: answers to new commands",
      value: round(p99),
      unit: "ms, p99",
      p50: round(percentile(delays, 0.5)),
      commands: counted,
      takenIn: round(BACKLOG / seconds),
      takenInUnit: "updates/s, to their rows",
      accepted: round(BACKLOG / pushedSeconds),
      refused,
      baseline: null,
      backend: environment.redisUrl === undefined ? "postgres" : "redis",
      target: "p99 < 2 s, taken in at the end-to-end rate",
      reached: p99 < 2_000,
    };
  } finally {
    await environment.close();
    telegram.close();
  }
}
