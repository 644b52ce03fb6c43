import type { ChildProcess } from "node:child_process";
import type { Figure } from "../../figure.ts";
import { inTurn, openSending, type SendingBot } from "../../sending.ts";
import { SendRecord } from "../../sends.ts";
import { allOver, sentVerdict } from "../../sent-verdict.ts";
import { until } from "../../until.ts";

const BOTS = 10;
const CHATS = 200;
const PER_CHAT = 10;
const PROCESSES = 2;
const KILLS = 50;
const BETWEEN_MS = 500;
const LIMIT_MS = 600_000;
/** Calls of a bot in flight at once, at most. */
const IN_FLIGHT = 100;

/** 20,000 sends while one of two processes after the other is killed, fifty times. */
export async function kills(): Promise<Figure> {
  const sending = await openSending();
  const { sandbox, environment } = sending;
  try {
    const bots: SendingBot[] = [];
    for (let n = 0; n < BOTS; n++) {
      const bot = await sending.addBot();
      const chats = await sending.people(bot.account, CHATS);
      const messages = inTurn(chats, PER_CHAT);
      await sending.submit(
        bot,
        messages.map((message) => ({ ...message, onUnknown: "resend" as const })),
      );
      bots.push(bot);
    }
    const processes: ChildProcess[] = [];
    for (let n = 0; n < PROCESSES; n++) processes.push(await environment.start("outbound"));
    let killed = 0;
    while (killed < KILLS && !(await allOver(environment.db, bots))) {
      const place = killed % PROCESSES;
      processes[place]?.kill("SIGKILL");
      killed++;
      processes[place] = await environment.start("outbound");
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
    }
    const isOver = () => allOver(environment.db, bots);
    await until(isOver, { withinMs: LIMIT_MS, everyMs: 500 });
    const verdict = await sentVerdict(environment.db, new SendRecord(sandbox.record), bots);
    const { lost, untrue, doubled, doubledWrongly, outOfOrder, messages } = verdict;
    return {
      figure: "20,000 sends, processes killed fifty times: messages lost",
      value: lost,
      unit: "messages",
      kills: killed,
      ...verdict,
      baseline: null,
      target: "lost 0, doubled only where unknown and to be sent again, order kept",
      reached:
        killed === KILLS &&
        messages === BOTS * CHATS * PER_CHAT &&
        lost + untrue + doubledWrongly + outOfOrder === 0 &&
        doubled <= killed * IN_FLIGHT,
    };
  } finally {
    await sending.close();
  }
}
