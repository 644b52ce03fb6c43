import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { FloodPlan } from "./flood-run.ts";
import { textUpdate, webhookRequest } from "./update.ts";

/**
 * Requests that cannot prove whose they are, at a fixed rate whatever the answers do, from a process
 * of its own: every other one for a connector that exists, with a wrong secret, the others for one
 * that does not. `flood.js PLAN` prints a line when it begins, and at the end one JSON line with
 * what was answered. Connections are used again where the receiver leaves them open.
 */
const plan = JSON.parse(process.argv[2] ?? "") as FloodPlan;
const intervalMs = 1_000 / plan.perSecond;
const total = Math.round(plan.seconds * plan.perSecond);
/** More connections at once than a receiver can leave open are a fault of the receiver's. */
const MAX_OPEN = 5_000;
/** Whose answer has not come. */
const waiting = new Set<Socket>();
const statuses: Record<string, number> = {};
let open = 0;
let unsent = 0;

const note = (status: string) => {
  statuses[status] = (statuses[status] ?? 0) + 1;
};

const idle: Socket[] = [];

function openConnection(): Socket {
  open++;
  const socket = connect(plan.port, "127.0.0.1");
  socket.setNoDelay(true);
  socket.on("data", (chunk) => {
    const answer = chunk.toString("latin1");
    note(answer.slice(9, 12));
    waiting.delete(socket);
    if (!/^connection: close/im.test(answer)) idle.push(socket);
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    open--;
    if (waiting.delete(socket)) note("none");
    const at = idle.indexOf(socket);
    if (at !== -1) idle.splice(at, 1);
  });
  return socket;
}

function send(n: number): void {
  if (idle.length === 0 && open >= MAX_OPEN) {
    unsent++;
    return;
  }
  const path = n % 2 === 0 ? plan.path : `/webhooks/telegram/${randomUUID()}`;
  const socket = idle.pop() ?? openConnection();
  waiting.add(socket);
  socket.write(webhookRequest({ path, secret: "wrong" }, textUpdate(n, 1, n)));
}

process.stdout.write("begun\n");
const startMs = performance.now();
let next = 0;
await new Promise<void>((resolve) => {
  const timer = setInterval(() => {
    while (next < total && performance.now() - startMs >= next * intervalMs) send(next++);
    if (next < total) return;
    clearInterval(timer);
    resolve();
  }, 1);
});
const sentInS = (performance.now() - startMs) / 1_000;
const deadlineMs = performance.now() + 5_000;
while (waiting.size > 0 && performance.now() < deadlineMs) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
const perSecond = Math.round((total - unsent) / sentInS);
process.stdout.write(`${JSON.stringify({ statuses, unsent, perSecond })}\n`);
process.exit(0);
