import { randomUUID } from "node:crypto";
import { collectGarbage } from "../../collect-garbage.ts";
import type { Figure } from "../../figure.ts";
import { percentile, round } from "../../numbers.ts";
import { inTurn, openSending, type SendingBot } from "../../sending.ts";
import { SendRecord } from "../../sends.ts";
import { until } from "../../until.ts";
import { settled } from "../../webhook-to-row.ts";

const CHATS = 1_000;
const PER_CHAT = 100;
const MESSAGES = 400;
const EVERY_MS = 75;
/** A p99 of few is that of a moment in which the disk was slow. */
const ROUNDS = 4;

/** What 100,000 waiting messages of one workspace's bot do to the messages of another's. */
export async function neighbour(): Promise<Figure> {
  const sending = await openSending();
  const { sandbox, environment } = sending;
  try {
    const crowd = await sending.addBot();
    const other = await sending.addBot("new");
    const chats = await sending.people(other.account, MESSAGES);
    const bulk = await sending.people(crowd.account, CHATS);
    const record = new SendRecord(sandbox.record);
    await environment.start("outbound");
    const measure = (bot: SendingBot) => delaysOf(sending, record, bot, chats);
    await measure(other);
    collectGarbage();
    const alone: number[] = [];
    for (let n = 0; n < ROUNDS; n++) alone.push(...(await measure(other)));
    await sending.submit(crowd, inTurn(bulk, PER_CHAT));
    // They wait for an hour: what accepting them costs is over by then.
    await settled(environment);
    await environment.owner.query("VACUUM ANALYZE");
    await environment.owner.query("CHECKPOINT");
    collectGarbage();
    const beside: number[] = [];
    for (let n = 0; n < ROUNDS; n++) beside.push(...(await measure(other)));
    const [value, baseline] = [percentile(beside, 0.99), percentile(alone, 0.99)];
    return {
      figure: "another workspace's bot while 100,000 messages wait for one: submitted to sent",
      value: round(value),
      unit: "ms, p99",
      p50: round(percentile(beside, 0.5)),
      baseline: { name: "nothing waiting", value: round(baseline) },
      baselineP50: round(percentile(alone, 0.5)),
      morePercent: round((value / baseline - 1) * 100),
      target: "p99 within 20 %",
      reached: value <= 1.2 * baseline,
    };
  } finally {
    await sending.close();
  }
}

/** From the submission of each of a bot's messages, one every so often, to the sandbox, in ms. */
async function delaysOf(
  { submit }: Pick<Awaited<ReturnType<typeof openSending>>, "submit">,
  record: SendRecord,
  bot: SendingBot,
  chats: string[],
): Promise<number[]> {
  const run = randomUUID();
  const submittedMs: number[] = [];
  const submitting: Promise<unknown>[] = [];
  for (const [n, chatId] of chats.entries()) {
    submittedMs.push(Date.now());
    submitting.push(submit(bot, [{ chatId, text: `${run} ${n}`, priority: "high" }]));
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  await Promise.all(submitting);
  const arrived = () =>
    record
      .callsOf(bot.account.id)
      .filter((call) => call.tookEffect && String(call.params.text).startsWith(run));
  await until(async () => arrived().length >= chats.length, { everyMs: 200 });
  return arrived().map(
    (call) => call.at - (submittedMs[Number(String(call.params.text).split(" ")[1])] ?? 0),
  );
}
