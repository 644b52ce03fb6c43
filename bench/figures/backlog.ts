import type { Database } from "../../src/platform/index.ts";
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
const WARM_UP_SECONDS = 5;
const REHEARSAL_CHAT = 40_000_000;
const FIRST_COMMAND_CHAT = 50_000_000;

/** Where a command's time went, in ms: p50 and p99 of each stage. */
async function stagesOf(db: Database, startMs: number, plan: OpenLoopPlan, counted: number) {
  const both = (ms: string) =>
    `percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY round(${ms}))`;
  const epochMs = (column: string) => `(extract(epoch FROM ${column}) * 1000)`;
  const [row] = await db.query(
    `SELECT ${both(`${epochMs("i.created_at")} - $2 - ((i.payload->>'updateId')::bigint - $1) * $3`)} AS accepted,
       ${both(epochMs("i.started_at - i.created_at"))} AS "waitedForIngest",
       ${both(epochMs("i.finished_at - i.started_at"))} AS ingested,
       ${both(epochMs("o.started_at - o.created_at"))} AS "waitedForOutbound"
     FROM jobs i JOIN jobs o ON o.cause_id = i.id AND o.queue = 'outbound'
     WHERE i.queue = 'ingest' AND (i.payload->>'updateId')::bigint BETWEEN $1 AND $1 + $4 - 1`,
    [plan.firstUpdateId, startMs, 1_000 / plan.perSecond, counted],
  );
  return row;
}

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
    // All processes run for weeks otherwise, the one that answers too.
    const rehearsal: OpenLoopPlan = {
      ...targets,
      perSecond: COMMANDS_PER_SECOND,
      seconds: WARM_UP_SECONDS,
      chats: COMMANDS_PER_SECOND * WARM_UP_SECONDS,
      firstChatId: REHEARSAL_CHAT,
      firstUpdateId: 80_000_000,
      commands: true,
    };
    await (await openLoop(environment, rehearsal)).result;
    // Their first message is answered too, at thirty a second a bot: not part of what is measured.
    await until(async () => telegram.arrivals.size >= rehearsal.chats + warmUp.chats);
    const before = await completed();

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
    await until(async () => (await completed()) >= before + BACKLOG);
    const seconds = (performance.now() - startedMs) / 1_000;
    const endedMs = Date.now();
    await loop.result;
    const sentMeanwhile = Math.floor(((endedMs - loop.startMs) / 1_000) * COMMANDS_PER_SECOND);
    const counted = Math.min(sentMeanwhile, commands.chats);
    await until(async () => telegram.arrivals.size >= rehearsal.chats + commands.chats);
    const delays = Array.from({ length: counted }, (_, n) => {
      const arrivedMs = telegram.arrivals.get(FIRST_COMMAND_CHAT + n) ?? Number.NaN;
      return arrivedMs - (loop.startMs + (n * 1_000) / COMMANDS_PER_SECOND);
    });
    const p99 = percentile(delays, 0.99);
    const stages = await stagesOf(db, loop.startMs, commands, counted);
    return {
      figure: "a backlog of 100,000 updates of ten bots at once: answers to new commands",
      value: round(p99),
      unit: "ms, p99",
      p50: round(percentile(delays, 0.5)),
      commands: counted,
      stages,
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
