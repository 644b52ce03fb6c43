import type { Figure } from "../../figure.ts";
import { NAIVE, startNaiveSender } from "../../naive-sender-run.ts";
import { round } from "../../numbers.ts";
import { inTurn, openSending } from "../../sending.ts";
import { perSecond, SendRecord } from "../../sends.ts";
import { until } from "../../until.ts";

const CHATS = 2_000;
const PER_CHAT = 5;
const DOCUMENTED_PER_SECOND = 30;
const LIMIT_MS = 600_000;
/** About as long as ten thousand take at thirty a second. */
const BASELINE_S = 340;

/** 10,000 messages to 2,000 private chats under the documented limits, beside the baseline's as many. */
export async function documentedLimits(): Promise<Figure> {
  const sending = await openSending();
  const { sandbox, environment } = sending;
  try {
    const bot = await sending.addBot();
    const naiveAccount = sandbox.createBot({ name: "Naive", username: "naive_bot" });
    const chats = await sending.people(bot.account, CHATS);
    const naiveChats = await sending.people(naiveAccount, CHATS);
    const total = CHATS * PER_CHAT;
    await sending.submit(bot, inTurn(chats, PER_CHAT));
    await environment.start("outbound");
    const naive = await startNaiveSender(environment, {
      apiRoot: sandbox.url,
      token: naiveAccount.token,
      queue: "naive",
      chatIds: naiveChats,
      perChat: PER_CHAT,
      perSecond: DOCUMENTED_PER_SECOND,
      seconds: BASELINE_S,
    });
    const record = new SendRecord(sandbox.record);
    const allSent = async () => record.sendsOf(bot.account.id).sentAtMs.length >= total;
    await until(allSent, { withinMs: LIMIT_MS, everyMs: 500 });
    await naive?.output;
    const own = record.sendsOf(bot.account.id);
    const theirs = record.sendsOf(naiveAccount.id);
    const used = perSecond(own) / DOCUMENTED_PER_SECOND;
    // It may send nothing more soon after it began: what counts is what it sent in our time.
    const endedMs = own.sentAtMs.at(-1) ?? 0;
    const naiveSent = theirs.sentAtMs.filter((atMs) => atMs <= endedMs).length;
    const seconds = (endedMs - (own.sentAtMs[0] ?? 0)) / 1_000;
    return {
      figure: "10,000 messages to 2,000 private chats, documented limits",
      value: round(used * 100),
      unit: "% of 30/s used",
      sent: own.sentAtMs.length,
      answered429: own.limited,
      baseline: naive && {
        name: NAIVE,
        value: round((naiveSent / seconds / DOCUMENTED_PER_SECOND) * 100),
      },
      baselineSent: naiveSent,
      baseline429: theirs.limited,
      target: ">= 97 %, no 429",
      reached: used >= 0.97 && own.limited === 0 && own.sentAtMs.length === total,
    };
  } finally {
    await sending.close();
  }
}
