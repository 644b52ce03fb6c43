import type { Figure } from "../../figure.ts";
import { NAIVE, startNaiveSender } from "../../naive-sender-run.ts";
import { percentile, round } from "../../numbers.ts";
import { inTurn, openSending } from "../../sending.ts";
import { SendRecord } from "../../sends.ts";
import { until } from "../../until.ts";

const CHATS = 1_000;
const PER_CHAT = 100;
const ALERTS = 30;
const EVERY_MS = 2_000;
const SETTLED_MS = 10_000;

/** 100,000 messages wait for a bot; alerts come, one every two seconds. */
export async function criticalAlert(): Promise<Figure> {
  const sending = await openSending();
  const { sandbox, environment } = sending;
  try {
    const bot = await sending.addBot();
    const naiveAccount = sandbox.createBot({ name: "Naive", username: "naive_bot" });
    const bulk = await sending.people(bot.account, CHATS);
    const alerted = await sending.people(bot.account, ALERTS);
    const naiveBulk = await sending.people(naiveAccount, CHATS);
    const naiveAlerted = await sending.people(naiveAccount, ALERTS);
    await sending.submit(bot, inTurn(bulk, PER_CHAT));
    await environment.start("outbound");
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    const naive = await startNaiveSender(environment, {
      apiRoot: sandbox.url,
      token: naiveAccount.token,
      queue: "naive",
      chatIds: naiveBulk,
      perChat: PER_CHAT,
      perSecond: 30,
      seconds: (ALERTS * EVERY_MS) / 1_000 + 10,
      alertChatIds: naiveAlerted,
    });
    const submittedMs = new Map<string, number>();
    for (const chatId of alerted) {
      submittedMs.set(chatId, Date.now());
      await sending.submit(bot, [{ chatId, text: "alert", priority: "critical" }]);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    const record = new SendRecord(sandbox.record);
    const arrivedAt = (botId: number, chatIds: string[]) => {
      const wanted = new Set(chatIds);
      const arrived = new Map<string, number>();
      for (const call of record.callsOf(botId)) {
        const chatId = String(call.params.chat_id);
        if (call.tookEffect && wanted.has(chatId)) arrived.set(chatId, call.at);
      }
      return arrived;
    };
    await until(async () => arrivedAt(bot.account.id, alerted).size === ALERTS, { everyMs: 500 });
    const arrived = arrivedAt(bot.account.id, alerted);
    const delays = alerted.map((id) => (arrived.get(id) ?? 0) - (submittedMs.get(id) ?? 0));
    const naiveOutput = naive === null ? "" : await naive.output;
    const naiveArrived = arrivedAt(naiveAccount.id, naiveAlerted);
    const naiveDelays = naiveOutput
      .trim()
      .split("\n")
      .flatMap((line) => {
        if (!line.includes('"alert"')) return [];
        const { alert, atMs } = JSON.parse(line) as { alert: string; atMs: number };
        return [(naiveArrived.get(alert) ?? Number.POSITIVE_INFINITY) - atMs];
      });
    const worst = percentile(delays, 1);
    return {
      figure: "100,000 messages wait, then a critical alert to the same bot: until it is sent",
      value: round(worst),
      unit: "ms, the slowest of 30",
      p50: round(percentile(delays, 0.5)),
      baseline: naive && {
        name: `${NAIVE}, priorities: alerts of ${ALERTS} that were sent at all, ten seconds after the last`,
        value: naiveArrived.size,
      },
      baselineMs: naiveDelays.filter(Number.isFinite).map(round),
      target: "< 1 s",
      reached: worst < 1_000,
    };
  } finally {
    await sending.close();
  }
}
