import { connect } from "node:net";
import type { LoadPlan, Target } from "./load-run.ts";
import { textUpdate, webhookRequest } from "./update.ts";

/**
 * The load, in a process of its own: keep-alive connections, one request in flight on each, bodies
 * as Telegram sends them. `load.js PLAN`. Prints a line when it begins, and one JSON line with what
 * was answered 200 and in what time. Raw sockets, because the load shares two cores with what it
 * measures.
 */
const plan = JSON.parse(process.argv[2] ?? "") as LoadPlan;
const endsAtMs = performance.now() + (plan.seconds ?? Number.POSITIVE_INFINITY) * 1_000;
let accepted = 0;
let refused = 0;

/** Everything for targets that take turns. */
async function run(targets: Target[]): Promise<void> {
  let sent = 0;
  const isOver = () =>
    sent >= (plan.count ?? Number.POSITIVE_INFINITY) || performance.now() >= endsAtMs;
  const connection = () =>
    new Promise<void>((resolve) => {
      const socket = connect(plan.port, "127.0.0.1");
      socket.setNoDelay(true);
      const next = () => {
        if (isOver()) {
          socket.end();
          resolve();
          return;
        }
        const n = sent++;
        const target = targets[n % targets.length];
        if (target === undefined) return;
        const chatId = 10_000_000 + (n % plan.chats);
        const json = textUpdate(plan.firstUpdateId + n, chatId, plan.firstMessageId + n);
        socket.write(webhookRequest(target, json));
      };
      socket.on("connect", next);
      socket.on("data", (chunk) => {
        // An answer without a body fits one packet.
        if (chunk.subarray(0, 12).toString("latin1") === "HTTP/1.1 200") accepted++;
        else refused++;
        next();
      });
      socket.on("error", () => {
        refused++;
        resolve();
      });
    });
  await Promise.all(Array.from({ length: plan.connections }, connection));
}

const startedMs = performance.now();
process.stdout.write("begun\n");
await Promise.all((plan.inTurn ? [plan.targets] : plan.targets.map((target) => [target])).map(run));
const seconds = (performance.now() - startedMs) / 1_000;
process.stdout.write(`${JSON.stringify({ accepted, refused, seconds })}\n`);
