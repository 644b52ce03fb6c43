import {
  type AnsweringTelegram,
  preciseNow,
  startAnsweringTelegram,
} from "../../answering-telegram.ts";
import { collectGarbage } from "../../collect-garbage.ts";
import { type BenchBot, openEnvironment } from "../../environment.ts";
import type { Figure } from "../../figure.ts";
import { percentile, round } from "../../numbers.ts";
import { createSubmitter, inTurn, type Submitter } from "../../sending.ts";
import { until } from "../../until.ts";
import { settled } from "../../webhook-to-row.ts";

const CROWD_CHATS = 1_000;
const PER_CROWD_CHAT = 100;
const FIRST_CROWD_CHAT = 100_000_000;
const FIRST_CHAT = 200_000_000;
const MESSAGES = 400;
const EVERY_MS = 75;
/** A p99 of few is that of a moment in which the disk was slow. */
const ROUNDS = 4;

/** What 100,000 waiting messages of one workspace's bot do to the messages of another's. */
export async function neighbour(): Promise<Figure> {
  const telegram = await startAnsweringTelegram();
  const environment = await openEnvironment(telegram.url);
  const submitter = createSubmitter(environment);
  try {
    const [crowd] = await environment.addBots(1);
    const [other] = await environment.addBots(1, "new");
    if (crowd === undefined || other === undefined) throw new Error("no bots");
    await environment.start("outbound");
    const measure = measurement(submitter, telegram, other);
    await measure();
    collectGarbage();
    const alone: number[] = [];
    for (let n = 0; n < ROUNDS; n++) alone.push(...(await measure()));
    const chats = Array.from({ length: CROWD_CHATS }, (_, n) => String(FIRST_CROWD_CHAT + n));
    await submitter.submit(crowd, inTurn(chats, PER_CROWD_CHAT));
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
    await submitter.stop();
    await environment.close();
    telegram.close();
  }
}

/**
 * Sends messages of a bot, one every so often, each to a chat of its own; answers how long each took from
 * its submission to Telegram, in ms.
 */
function measurement({ submit }: Submitter, telegram: AnsweringTelegram, bot: BenchBot) {
  let nextChat = FIRST_CHAT;
  return async (): Promise<number[]> => {
    const submittedMs = new Map<number, number>();
    const submitting: Promise<unknown>[] = [];
    for (let n = 0; n < MESSAGES; n++) {
      const chat = nextChat++;
      submittedMs.set(chat, preciseNow());
      submitting.push(submit(bot, [{ chatId: String(chat), text: `m${n}`, priority: "high" }]));
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    await Promise.all(submitting);
    const chats = [...submittedMs.keys()];
    await until(async () => chats.every((chat) => telegram.arrivals.has(chat)), { everyMs: 200 });
    return chats.map((chat) => (telegram.arrivals.get(chat) ?? 0) - (submittedMs.get(chat) ?? 0));
  };
}
