import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { NaiveSenderPlan } from "./naive-sender-run.ts";

/**
 * What one would write first: a BullMQ job a message, `limiter` at the documented thirty a second,
 * twenty-five attempts with exponential backoff, thirty at once. Prints a line when it begins, and
 * works until its time is over or everything is sent.
 */
const plan = JSON.parse(process.argv[2] ?? "") as NaiveSenderPlan;
const CONCURRENCY = 30;
const CALL_TIMEOUT_MS = 15_000;

interface Message {
  chatId: string;
  text: string;
}

const connection = () => new Redis(process.env.REDIS_URL ?? "", { maxRetriesPerRequest: null });
const queue = new Queue<Message>(plan.queue, { connection: connection() });
const options = {
  attempts: 25,
  backoff: { type: "exponential", delay: 1_000 },
  removeOnComplete: true,
  removeOnFail: true,
};
const count = plan.chatIds.length * plan.perChat;
const messages = Array.from({ length: count }, (_, n) => ({
  chatId: plan.chatIds[n % plan.chatIds.length] ?? "",
  text: `m${n}`,
}));
for (let from = 0; from < count; from += 5_000) {
  const batch = messages.slice(from, from + 5_000);
  // The lowest of BullMQ's priorities: alerts go before it.
  await queue.addBulk(
    batch.map((data) => ({ name: "send", data, opts: { ...options, priority: 100 } })),
  );
}
process.stdout.write(`${JSON.stringify({ waiting: count })}\n`);

let sent = 0;
let finish: () => void = () => {};
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});
new Worker<Message>(
  plan.queue,
  async ({ data }) => {
    const response = await fetch(`${plan.apiRoot}/bot${plan.token}/sendMessage`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ chat_id: Number(data.chatId), text: data.text }),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const { ok } = (await response.json()) as { ok: boolean };
    if (!ok) throw new Error(`Telegram answered ${response.status}`);
    sent++;
    if (sent === count) finish();
  },
  {
    connection: connection(),
    concurrency: CONCURRENCY,
    limiter: { max: plan.perSecond, duration: 1_000 },
  },
);
const alerts = (plan.alertChatIds ?? []).map((chatId, n) => ({ chatId, text: `alert ${n}` }));
const ALERT_EVERY_MS = 2_000;
let nextAlert = 0;
const alerting = setInterval(async () => {
  const alert = alerts[nextAlert++];
  if (alert === undefined) return clearInterval(alerting);
  process.stdout.write(`${JSON.stringify({ alert: alert.chatId, atMs: Date.now() })}\n`);
  await queue.add("send", alert, { ...options, priority: 1 });
}, ALERT_EVERY_MS);
await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, plan.seconds * 1_000))]);
process.exit(0);
