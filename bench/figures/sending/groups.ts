import type { Figure } from "../../figure.ts";
import { NAIVE, startNaiveSender } from "../../naive-sender-run.ts";
import { round } from "../../numbers.ts";
import { inTurn, openSending } from "../../sending.ts";
import { SendRecord } from "../../sends.ts";

const GROUPS = 300;
const GROUP_PER_MINUTE = 20;
const PEOPLE = 500;
/** Thirty-five in thirty seconds: a little more than one a second to each. */
const PERSON_PER_MINUTE = 70;
/** More than both together may have: nothing but their own limits holds them up. */
const BOT_PER_SECOND = 1_000;
const MEASURED_MS = 120_000;
const WARM_UP_MS = 60_000;

/** 300 groups and 500 private chats of a bot whose own limit is out of the way. */
export async function groupsAndPeople(): Promise<Figure> {
  const bot1000 = [{ limit: BOT_PER_SECOND, windowMs: 1_000 }];
  const sending = await openSending({ bot: bot1000 });
  const { sandbox, environment } = sending;
  try {
    const bot = await sending.addBot();
    await environment.db.query("UPDATE connectors SET max_send_rate = $2 WHERE id = $1", [
      bot.connectorId,
      BOT_PER_SECOND,
    ]);
    const naiveAccount = sandbox.createBot({ name: "Naive", username: "naive_bot" });
    const minutes = (WARM_UP_MS + MEASURED_MS) / 60_000 + 1;
    const naiveChats = [
      ...sending.groups(naiveAccount, GROUPS),
      ...(await sending.people(naiveAccount, PEOPLE)),
    ];
    await sending.submit(
      bot,
      inTurn(sending.groups(bot.account, GROUPS), GROUP_PER_MINUTE * minutes),
    );
    const people = await sending.people(bot.account, PEOPLE);
    await sending.submit(bot, inTurn(people, PERSON_PER_MINUTE * minutes));
    await environment.start("outbound");
    const naive = await startNaiveSender(environment, {
      apiRoot: sandbox.url,
      token: naiveAccount.token,
      queue: "naive",
      chatIds: naiveChats,
      perChat: PERSON_PER_MINUTE,
      perSecond: 30,
      seconds: (WARM_UP_MS + MEASURED_MS) / 1_000,
    });
    const fromMs = Date.now() + WARM_UP_MS;
    await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS + MEASURED_MS));
    const record = new SendRecord(sandbox.record);
    const usedBy = (botId: number) => {
      const counts = { groups: 0, people: 0 };
      for (const call of record.callsOf(botId)) {
        if (!call.tookEffect || call.at < fromMs || call.at >= fromMs + MEASURED_MS) continue;
        counts[Number(call.params.chat_id) < 0 ? "groups" : "people"]++;
      }
      const allowed = MEASURED_MS / 60_000;
      return {
        groups: counts.groups / (GROUPS * GROUP_PER_MINUTE * allowed),
        people: counts.people / (PEOPLE * PERSON_PER_MINUTE * allowed),
      };
    };
    const own = usedBy(bot.account.id);
    const theirs = usedBy(naiveAccount.id);
    const all = record.sendsOf(bot.account.id);
    const least = Math.min(own.groups, own.people);
    return {
      figure: "300 groups and 500 private chats: the lesser share used of what their limits allow",
      value: round(least * 100),
      unit: "%",
      groupsPercent: round(own.groups * 100),
      peoplePercent: round(own.people * 100),
      answered429: all.limited,
      calls: all.calls,
      brokeHold: all.broke,
      baseline: naive && {
        name: NAIVE,
        value: round(Math.min(theirs.groups, theirs.people) * 100),
      },
      target: ">= 95 % of both",
      reached: least >= 0.95,
    };
  } finally {
    await sending.close();
  }
}
