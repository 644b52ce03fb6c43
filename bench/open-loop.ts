import { connect, type Socket } from "node:net";
import { percentile } from "./numbers.ts";
import type { OpenLoopPlan } from "./open-loop-run.ts";
import { startUpdate, textUpdate, webhookRequest } from "./update.ts";

/**
 * Updates at a fixed rate, whatever the answers do: what is late is late against its own time, not
 * against when there was room to send it. `open-loop.js PLAN` prints the time at which it begins
 * (ms since the epoch), and at the end one JSON line with how long acceptance took.
 */
const plan = JSON.parse(process.argv[2] ?? "") as OpenLoopPlan;
const intervalMs = 1_000 / plan.perSecond;
const total = Math.round(plan.seconds * plan.perSecond);
const acceptedAfterMs: number[] = [];
let refused = 0;
let answered = 0;
let finish: () => void = () => {};
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});

const startMs = Date.now() + 200;
const dueMs = (n: number) => startMs + n * intervalMs;
const idle: Socket[] = [];

function open(): Socket {
  const socket = connect(plan.port, "127.0.0.1");
  socket.setNoDelay(true);
  socket.on("error", () => {
    refused++;
    ended();
  });
  // What the server closed is not used again, as no client would.
  socket.on("close", () => {
    const at = idle.indexOf(socket);
    if (at !== -1) idle.splice(at, 1);
  });
  return socket;
}

function ended(): void {
  answered++;
  if (answered === total) finish();
}

function send(n: number): void {
  const target = plan.targets[n % plan.targets.length];
  if (target === undefined) return;
  const chatId = plan.firstChatId + (n % plan.chats);
  const json = plan.commands
    ? startUpdate(plan.firstUpdateId + n, chatId)
    : textUpdate(plan.firstUpdateId + n, chatId, n + 1);
  const socket = idle.pop() ?? open();
  socket.once("data", (chunk) => {
    if (chunk.subarray(0, 12).toString("latin1") === "HTTP/1.1 200") {
      acceptedAfterMs.push(Date.now() - dueMs(n));
    } else refused++;
    idle.push(socket);
    ended();
  });
  socket.write(webhookRequest(target, json));
}

process.stdout.write(`${startMs}\n`);
let next = 0;
const timer = setInterval(() => {
  while (next < total && Date.now() >= dueMs(next)) send(next++);
  if (next === total) clearInterval(timer);
}, 1);
await Promise.race([
  finished,
  new Promise((resolve) => setTimeout(resolve, plan.seconds * 1_000 + 30_000)),
]);
const at = (share: number) => percentile(acceptedAfterMs, share);
const result = {
  accepted: acceptedAfterMs.length,
  refused,
  p50: at(0.5),
  p99: at(0.99),
  max: at(1),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
