import pg from "pg";
import { createJobs } from "../../src/jobs/index.ts";
import { createOutboundHandler } from "../../src/outbound/index.ts";
import {
  createMetrics,
  openDatabase,
  parseRedisUrl,
  silentLogger,
  startWatchdog,
} from "../../src/platform/index.ts";
import { createBotApiFactory } from "../../src/telegram/index.ts";

/**
 * A worker that kills itself (SIGKILL) right after the first statement whose text holds a marker,
 * or right before it, or over a poisoned job. Production code has no hooks for this: the driver is wrapped instead.
 */
const settings = JSON.parse(process.argv[2] ?? "{}") as {
  databaseUrl: string;
  redisUrl?: string;
  queue: "ingest" | "outbound";
  /** Statements in this order; the last one is the end. */
  markers: string[];
  when: "before" | "after";
  /** A job with this value kills its worker, or is an endless loop, which its watchdog ends. */
  poison?: number;
  poisonedBy?: "crash" | "hang";
  apiRoot?: string;
  token?: string;
};

const left = [...settings.markers];
const die = () => process.kill(process.pid, "SIGKILL");
type Query = (...args: unknown[]) => unknown;
const prototype = pg.Client.prototype as unknown as { query: Query };
const original = prototype.query;

prototype.query = function query(this: unknown, ...args: unknown[]): unknown {
  const [statement] = args as [string | { text?: string }];
  const text = typeof statement === "string" ? statement : (statement.text ?? "");
  const next = left[0];
  if (next === undefined || !text.includes(next)) return original.apply(this, args);
  left.shift();
  if (left.length > 0) return original.apply(this, args);
  if (settings.when === "before") return die();
  const callback = args.at(-1);
  if (typeof callback === "function") return original.apply(this, [...args.slice(0, -1), die]);
  return (original.apply(this, args) as Promise<unknown>).then(die);
};

const db = openDatabase({ url: settings.databaseUrl, max: 6 });
const jobs = createJobs({
  db,
  log: silentLogger,
  redis: settings.redisUrl === undefined ? undefined : parseRedisUrl(settings.redisUrl),
  leaseMs: 600,
  sweepMs: 100,
});

const watchdog = await startWatchdog({
  worker: jobs.worker,
  databaseUrl: settings.databaseUrl,
  blockedMs: 2_000,
});
jobs.onWork((text) => watchdog.note(text));

function poisoned(): void {
  if (settings.poisonedBy !== "hang") return void die();
  for (;;);
}

if (settings.queue === "ingest") {
  await jobs.startPool(
    "ingest",
    {
      mode: "transactional",
      run: async (tx, lanes) => {
        for (const { lane, jobs: claimed } of lanes) {
          for (const { payload } of claimed) {
            if (payload.value === settings.poison) poisoned();
            await tx.query("INSERT INTO effects (lane, value) VALUES ($1, $2)", [
              lane,
              payload.value,
            ]);
          }
        }
      },
    },
    { slots: 4 },
  );
} else {
  const handler = createOutboundHandler({
    db,
    botApiFor: async () =>
      createBotApiFactory({ apiRoot: settings.apiRoot ?? "" })(settings.token ?? ""),
    onUnauthorized: async () => {},
    metrics: createMetrics(),
    log: silentLogger,
    callTimeoutMs: 400,
  });
  await jobs.startPool("outbound", handler, { slots: 2 });
}
process.stdout.write("working\n");
