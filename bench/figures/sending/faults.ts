import type { FaultAnswer } from "../../../sandbox/index.ts";
import type { Figure } from "../../figure.ts";
import { inTurn, openSending, type SendingBot } from "../../sending.ts";
import { SendRecord } from "../../sends.ts";
import { allOver, sentVerdict } from "../../sent-verdict.ts";
import { until } from "../../until.ts";

const BOTS = 10;
const CHATS = 100;
const PER_CHAT = 5;
const LIMIT_MS = 900_000;
/** A tenth of all calls, together. */
const FAULTS: FaultAnswer[] = [
  { status: 502 },
  "5xx-after-effect",
  "reset-before-effect",
  "reset-after-effect",
  "hang",
  "hang-after-effect",
  "html",
  "html-after-effect",
];
const SHARE = 0.1;

/** 5,000 messages while a tenth of all calls fails in every way, before or after the effect. */
export async function faults(): Promise<Figure> {
  const sending = await openSending();
  const { sandbox, environment } = sending;
  try {
    for (const [n, answer] of FAULTS.entries()) {
      const probability = SHARE / FAULTS.length;
      sandbox.fault({ method: "sendMessage", answer, probability, seed: n + 1 });
    }
    const bots: SendingBot[] = [];
    for (let n = 0; n < BOTS; n++) {
      const bot = await sending.addBot();
      const chats = await sending.people(bot.account, CHATS);
      const onUnknown = n % 2 === 0 ? ("resend" as const) : ("hold" as const);
      const messages = inTurn(chats, PER_CHAT).map((message) => ({ ...message, onUnknown }));
      await sending.submit(bot, messages);
      bots.push(bot);
    }
    await environment.start("outbound");
    await environment.start("outbound");
    const isOver = () => allOver(environment.db, bots);
    await until(isOver, { withinMs: LIMIT_MS, everyMs: 500 });
    const record = new SendRecord(sandbox.record);
    const verdict = await sentVerdict(environment.db, record, bots);
    const { lost, untrue, doubledWrongly, outOfOrder } = verdict;
    const wrong = lost + untrue + doubledWrongly + outOfOrder;
    return {
      figure: "a tenth of all calls fails, before or after the effect: messages in an untrue state",
      value: wrong,
      unit: "messages",
      ...verdict,
      baseline: null,
      target: "every message ends in a true state, by the sandbox's own record",
      reached: wrong === 0,
    };
  } finally {
    await sending.close();
  }
}
