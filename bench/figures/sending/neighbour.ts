import { createJobs } from "../../../src/jobs/index.ts";
import { type NewMessage, submitMessages } from "../../../src/outbound/index.ts";
import { parseRedisUrl, silentLogger } from "../../../src/platform/index.ts";
import {
  type AnsweringTelegram,
  preciseNow,
  startAnsweringTelegram,
} from "../../answering-telegram.ts";
import { collectGarbage } from "../../collect-garbage.ts";
import { type BenchBot, type Environment, openEnvironment } from "../../environment.ts";
import type { Figure } from "../../figure.ts";
import { percentile, round } from "../../numbers.ts";
import { until } from "../../until.ts";
import { settled } from "../../webhook-to-row.ts";

const CROWD = 100_000;
const CROWD_CHATS = 1_000;
const FIRST_CROWD_CHAT = 100_000_000;
const FIRST_CHAT = 200_000_000;
const BATCH = 5_000;
const MESSAGES = 400;
const EVERY_MS = 75;
/** A p99 of few is that of a moment in which the disk was slow. */
const ROUNDS = 4;

/** What 100,000 waiting messages of one workspace's bot do to the messages of another's. */
export async function neighbour(): Promise<Figure> {
  const telegram = await startAnsweringTelegram();
  const environment = await openEnvironment(telegram.url);
  try {
    const [crowd] = await environment.addBots(1);
    const [other] = await environment.addBots(1, "new");
    if (crowd === undefined || other === undefined) throw new Error("no bots");
    await environment.start("outbound");
    const measure = measurement(environment, telegram, other);
    await measure();
    collectGarbage();
    const alone: number[] = [];
    for (let n = 0; n < ROUNDS; n++) alone.push(...(await measure()));
    await submitCrowd(environment, crowd);
    // They wait for an hour: what accepting them costs is over by then.
    await settled(environment);
    await environment.owner.query("VACUUM ANALYZE");
    await environment.owner.query("CHECKPOINT");
    // What was known of the tables before has every statement planned anew.
    await measure();
    collectGarbage();
    const beside: number[] = [];
    for (let n = 0; n < ROUNDS; n++) beside.push(...(await measure()));
    const [value, baseline] = [percentile(beside, 0.99), percentile(alone, 0.99)];
    return {
      figure: "another workspace's bot while 100,000 messages wait for one: submitted to sent",
      value: round(value),
      unit: "ms, p99",
      p50: round(percentile(beside, 0.5)),
      p95: round(percentile(beside, 0.95)),
      baseline: { name: "nothing waiting", value: round(baseline) },
      baselineP50: round(percentile(alone, 0.5)),
      baselineP95: round(percentile(alone, 0.95)),
      morePercent: round((value / baseline - 1) * 100),
      target: "p99 within 20 %",
      reached: value <= 1.2 * baseline,
    };
  } finally {
    await environment.close();
    telegram.close();
  }
}

type ToSend = Pick<NewMessage, "chatId" | "text" | "priority">;

/** Accepts messages of one bot as the API does. */
function submitter({ db, redisUrl }: Environment, { workspaceId, connectorId }: BenchBot) {
  const redis = redisUrl === undefined ? undefined : parseRedisUrl(redisUrl);
  const jobs = createJobs({ db, log: silentLogger, redis });
  const submit = (messages: ToSend[]) =>
    db.transaction((tx) =>
      submitMessages(
        tx,
        jobs,
        messages.map((message) => ({ workspaceId, connectorId, ...message })),
      ),
    );
  return { submit, stop: () => jobs.stop() };
}

async function submitCrowd(environment: Environment, bot: BenchBot): Promise<void> {
  const { submit, stop } = submitter(environment, bot);
  for (let from = 0; from < CROWD; from += BATCH) {
    await submit(
      Array.from({ length: BATCH }, (_, n) => ({
        chatId: String(FIRST_CROWD_CHAT + ((from + n) % CROWD_CHATS)),
        text: `m${from + n}`,
        priority: "low" as const,
      })),
    );
  }
  await stop();
}

/**
 * Sends messages of a bot, one every so often, each to a chat of its own; answers how long each took from
 * its submission to Telegram, in ms.
 */
function measurement(environment: Environment, telegram: AnsweringTelegram, bot: BenchBot) {
  let nextChat = FIRST_CHAT;
  return async (): Promise<number[]> => {
    const { submit, stop } = submitter(environment, bot);
    const submittedMs = new Map<number, number>();
    const submitting: Promise<unknown>[] = [];
    for (let n = 0; n < MESSAGES; n++) {
      const chat = nextChat++;
      submittedMs.set(chat, preciseNow());
      submitting.push(submit([{ chatId: String(chat), text: `m${n}`, priority: "high" }]));
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    await Promise.all(submitting);
    const chats = [...submittedMs.keys()];
    await until(async () => chats.every((chat) => telegram.arrivals.has(chat)), { everyMs: 200 });
    await stop();
    return chats.map((chat) => (telegram.arrivals.get(chat) ?? 0) - (submittedMs.get(chat) ?? 0));
  };
}
