import http from "node:http";
import { preciseNow, startAnsweringTelegram } from "../answering-telegram.ts";
import { type BenchBot, openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { round } from "../numbers.ts";
import { postUpdate } from "../post-update.ts";
import { startUpdate } from "../update.ts";

/** From the webhook POST of a command to the sendMessage that answers it, at 100 a second. */
export async function commandLatency(): Promise<Figure> {
  const telegram = await startAnsweringTelegram();
  const { arrivals } = telegram;
  const environment = await openEnvironment(telegram.url);
  const agent = new http.Agent({ keepAlive: true });
  try {
    const bots = await environment.addBots(10);
    await environment.start("web");
    await environment.start("ingest");
    await environment.start("outbound");
    const posted = new Map<number, number>();
    // Ten seconds: the processes run for weeks otherwise.
    const warmUp = 1_000;
    const count = 2_000;
    for (let n = 0; n < warmUp + count; n++) {
      const chatId = 20_000_000 + n;
      posted.set(chatId, preciseNow());
      const bot = bots[n % bots.length] as BenchBot;
      postUpdate({ agent, port: environment.port }, bot, startUpdate(n + 1, chatId));
      const dueMs = (posted.get(20_000_000) ?? 0) + (n + 1) * 10;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - preciseNow())));
    }
    const deadline = performance.now() + 20_000;
    while (arrivals.size < warmUp + count && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const delays = [...posted]
      .filter(([chatId]) => chatId >= 20_000_000 + warmUp)
      .flatMap(([chatId, atMs]) => {
        const arrivedMs = arrivals.get(chatId);
        return arrivedMs === undefined ? [] : [arrivedMs - atMs];
      })
      .sort((a, b) => a - b);
    const stages = await environment.db.query(
      `SELECT queue, round((percentile_cont(0.5) WITHIN GROUP
           (ORDER BY extract(epoch FROM started_at - created_at)))::numeric * 1000, 1)::float AS wait_p50,
         round((percentile_cont(0.99) WITHIN GROUP
           (ORDER BY extract(epoch FROM started_at - created_at)))::numeric * 1000, 1)::float AS wait_p99,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY run_ms) AS run_p50
       FROM jobs GROUP BY queue`,
    );
    const at = (share: number) => delays[Math.floor(delays.length * share)] ?? Number.NaN;
    return {
      figure: "webhook POST of a command to its sendMessage at the Bot API, 100/s",
      value: round(at(0.5)),
      unit: "ms, p50",
      p95: round(at(0.95)),
      p99: round(at(0.99)),
      answered: delays.length,
      stages,
      of: count,
      baseline: null,
      target: "p50 < 25 ms, p99 < 100 ms, all answered",
      reached: at(0.5) < 25 && at(0.99) < 100 && delays.length === count,
    };
  } finally {
    agent.destroy();
    await environment.close();
    telegram.close();
  }
}
