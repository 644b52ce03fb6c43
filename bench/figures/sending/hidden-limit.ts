import type { Figure } from "../../figure.ts";
import { NAIVE, startNaiveSender } from "../../naive-sender-run.ts";
import { round } from "../../numbers.ts";
import { inTurn, openSending } from "../../sending.ts";
import { SendRecord } from "../../sends.ts";

const LIMITS_PER_SECOND = [11, 27, 19];
const PHASE_MS = 120_000;
/** It must have found the limit by then. */
const FOUND_AFTER_MS = 60_000;
const CHATS = 2_000;
const PER_CHAT = 6;

/** A limit that nobody is told, and that changes twice: 11/s, 27/s, 19/s, two minutes each. */
export async function hiddenLimit(): Promise<Figure> {
  const sending = await openSending();
  const { sandbox, environment } = sending;
  try {
    const bot = await sending.addBot();
    const naiveAccount = sandbox.createBot({ name: "Naive", username: "naive_bot" });
    const chats = await sending.people(bot.account, CHATS);
    const naiveChats = await sending.people(naiveAccount, CHATS);
    await sending.submit(bot, inTurn(chats, PER_CHAT));
    const setLimit = (limit: number) => {
      for (const { id } of [bot.account, naiveAccount]) {
        sandbox.setLimits({ botId: id, bot: [{ limit, windowMs: 1_000 }] });
      }
    };
    setLimit(LIMITS_PER_SECOND[0] ?? 0);
    await environment.start("outbound");
    const naive = await startNaiveSender(environment, {
      apiRoot: sandbox.url,
      token: naiveAccount.token,
      queue: "naive",
      chatIds: naiveChats,
      perChat: PER_CHAT,
      perSecond: 30,
      seconds: (LIMITS_PER_SECOND.length * PHASE_MS) / 1_000,
    });
    const phases: { limit: number; fromMs: number }[] = [];
    for (const limit of LIMITS_PER_SECOND) {
      setLimit(limit);
      phases.push({ limit, fromMs: Date.now() });
      await new Promise((resolve) => setTimeout(resolve, PHASE_MS));
    }
    const record = new SendRecord(sandbox.record);
    const share = (botId: number) =>
      phases.map(({ limit, fromMs }) => {
        const found: [number, number] = [fromMs + FOUND_AFTER_MS, fromMs + PHASE_MS];
        const { sentAtMs } = record.sendsOf(botId, found);
        return sentAtMs.length / ((PHASE_MS - FOUND_AFTER_MS) / 1_000) / limit;
      });
    const own = share(bot.account.id);
    const theirs = share(naiveAccount.id);
    const all = record.sendsOf(bot.account.id);
    const allOfTheirs = record.sendsOf(naiveAccount.id);
    const limitedShare = all.limited / all.calls;
    const percent = (value: number) => round(value * 100);
    return {
      figure: "a hidden limit of 11/s, 27/s, 19/s: the least share of it used from a minute on",
      value: percent(Math.min(...own)),
      unit: "%",
      ofEach: own.map(percent),
      answered429Percent: percent(limitedShare),
      brokeHold: all.broke,
      baseline: naive && { name: NAIVE, value: percent(Math.min(...theirs)) },
      baselineOfEach: theirs.map(percent),
      baseline429Percent: percent(allOfTheirs.limited / allOfTheirs.calls),
      baselineBrokeHold: allOfTheirs.broke,
      target: ">= 90 % of each, < 2 % of calls answered 429, none during a hold",
      reached: Math.min(...own) >= 0.9 && limitedShare < 0.02 && all.broke === 0,
    };
  } finally {
    await sending.close();
  }
}
