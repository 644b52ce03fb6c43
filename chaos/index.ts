/**
 * chaos: the whole installation under load, and whatever may go wrong at random: processes killed
 * and stopped, Postgres and Redis restarted and gone, a hostile Telegram. In the end everything that
 * was put in is held against the tables, the store of files and what arrived, row by row.
 *
 * `npm run chaos -- --minutes M --seed N [--backend redis|postgres] [--keep]`; a line for each fault,
 * and one in the end: sent, lost, doubled, out of order, astray in the store. A process that ended by
 * itself is told of with what it wrote last.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { chooseFault, strikeAll } from "./faults.ts";
import { startHandingIn } from "./hand-in.ts";
import { type Installation, openInstallation } from "./installation.ts";
import { type ChaosBot, populate, startLoad } from "./load.ts";
import { Prober } from "./probe.ts";
import { createRandom } from "./random.ts";
import { readStore, readTaken, readTellings } from "./read-files.ts";
import { readRun, readyToRead, sendersOf } from "./read-run.ts";
import { hasRedis } from "./servers.ts";
import { hasPassed, judgeAnswers, judgeInbound, judgeOutbound, wasUnknown } from "./verdict.ts";
import {
  type ArrivedTelling,
  type HandedIn,
  judgeFiles,
  judgeStore,
  judgeTellings,
} from "./verdict-files.ts";

export interface ChaosOptions {
  minutes: number;
  seed: number;
  backend: "redis" | "postgres";
  /** Leaves the folder with logs and record behind. */
  keep: boolean;
}

/** A fault waits for the one before to be over for good, but not longer than this. */
const NORMAL_DEADLINE_MS = 30_000;
const NORMAL_TARGET_MS = 10_000;
const SETTLE_DEADLINE_MS = 240_000;
const SHOWN = 10;

/** @throws Error that says which argument is wrong */
export function readOptions(args: string[]): ChaosOptions {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: "string", default: "2" },
      seed: { type: "string", default: "1" },
      backend: { type: "string", default: hasRedis() ? "redis" : "postgres" },
      keep: { type: "boolean", default: false },
    },
  });
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  if (!(minutes > 0 && minutes <= 1_440)) {
    throw new Error(`--minutes is a number up to 1440, not "${values.minutes}"; e.g. 20`);
  }
  if (!Number.isInteger(seed)) {
    throw new Error(`--seed is a whole number, not "${values.seed}"; e.g. 1`);
  }
  const { backend } = values;
  if (backend !== "redis" && backend !== "postgres") {
    throw new Error(`--backend is redis or postgres, not "${backend}"`);
  }
  return { minutes, seed, backend, keep: values.keep };
}

/** Runs it and prints; answers whether nothing was lost, doubled or out of order, nor slow. */
export async function chaos(options: ChaosOptions): Promise<boolean> {
  const installation = await openInstallation(options.backend);
  let passed = false;
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => reject(new Error(`interrupted by ${signal}`)));
    }
  });
  try {
    passed = await Promise.race([run(installation, options), interrupted]);
  } finally {
    const keepFolder = options.keep || !passed;
    await installation.close({ keepFolder });
    if (keepFolder) say({ kept: installation.folder });
  }
  return passed;
}

async function run(installation: Installation, options: ChaosOptions): Promise<boolean> {
  const random = createRandom(options.seed);
  const bots = await populate(installation);
  const probed = bots.pop();
  if (probed === undefined) throw new Error("no bots");
  const load = startLoad(installation, bots, random);
  const handing = await startHandingIn(installation, bots, random);
  const prober = new Prober(installation.telegram, probed.id);
  const endsAtMs = Date.now() + options.minutes * 60_000;
  const slow: string[] = [];
  let slowestMs = 0;
  let faults = 0;
  let notInjected = 0;
  while (Date.now() < endsAtMs) {
    await sleep(random.between(1_000, 4_000));
    const chosen = [chooseFault(installation, random)];
    // Now and then two at once.
    if (random.next() < 0.2) chosen.push(chooseFault(installation, random));
    const { struck, failed } = await strikeAll(chosen);
    for (const one of failed) say(one);
    notInjected += failed.length;
    faults += struck.length;
    // What failed may have struck in part.
    const names = chosen.map((fault) => fault.name);
    const normalMs = await untilNormal(prober);
    slowestMs = Math.max(slowestMs, normalMs);
    if (normalMs > NORMAL_TARGET_MS) slow.push(names.join(" + "));
    say({ fault: names.join(" + "), normalAfterMs: normalMs });
  }
  await prober.stop();
  await Promise.all([load.stop(), handing.stop()]);
  const settled = await settle(installation, [...bots, probed]);
  // What is read now nobody changes.
  await Promise.all(installation.processes.map((one) => one.end()));
  await readyToRead(installation);
  const read = await readRun(installation, [...bots, probed]);
  const inbound = judgeInbound(read.said, read.kept);
  const outbound = judgeOutbound(load.asked, read.ended, read.arrived);
  const answers = judgeAnswers(read.said, read.answers, read.arrived);
  const files = await judgeEvidence(installation, {
    handedIn: handing.handedIn,
    senders: sendersOf(bots),
    news: read.news,
  });
  const judged = [inbound, outbound, answers, ...files.judged];
  const lost = judged.flatMap((one) => one.lost);
  const doubled = judged.flatMap((one) => one.doubled);
  const outOfOrder = [...inbound.outOfOrder, ...outbound.outOfOrder];
  const { strays, unsound } = files;
  const found = { lost, doubled, outOfOrder, strays, unsound, slow };
  for (const [kind, rows] of Object.entries(found)) {
    if (rows.length > 0) say({ [kind]: rows.slice(0, SHOWN) });
  }
  for (const { name, ownDeaths } of installation.processes) {
    for (const death of ownDeaths) say({ endedByItself: name, ...death });
  }
  say({
    seed: options.seed,
    minutes: options.minutes,
    backend: options.backend,
    faults,
    notInjected,
    received: read.said.length,
    sent: read.arrived.length,
    files: handing.handedIn.length,
    bytes: handing.handedIn.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    lost: lost.length,
    doubled: doubled.length,
    outOfOrder: outOfOrder.length,
    strays: strays.length,
    unsound: unsound.length,
    unknown: read.ended.filter(wasUnknown).length,
    settled,
    slow: slow.length,
    slowestNormalMs: slowestMs,
    ownDeaths: installation.processes.reduce((sum, one) => sum + one.ownDeaths.length, 0),
  });
  return hasPassed({ settled, ...found });
}

/** Files as they were handed in, held against rows, the store, and what their senders were told. */
async function judgeEvidence(
  installation: Installation,
  given: { handedIn: HandedIn[]; senders: string[]; news: ArrivedTelling[] },
) {
  const { owner } = installation;
  const taken = await readTaken(owner);
  const tellings = await readTellings(owner, given.senders);
  const store = await readStore(installation);
  const verified = await installation.command(["evidence", "verify"]);
  return {
    judged: [
      judgeFiles(given.handedIn, taken, store.rows),
      judgeTellings(given.handedIn, tellings, given.news),
    ],
    strays: judgeStore(store, taken),
    unsound: verified.code === 0 ? [] : [`evidence verify: ${verified.code}`, ...verified.lines],
  };
}

async function untilNormal(prober: Prober): Promise<number> {
  const sinceMs = Date.now();
  for (;;) {
    const normalMs = prober.normalAfterMs(sinceMs);
    if (normalMs !== null) return normalMs;
    if (Date.now() - sinceMs > NORMAL_DEADLINE_MS) return Date.now() - sinceMs;
    await sleep(100);
  }
}

/** Waits until Telegram has delivered everything and no job is left to do; false when that never comes. */
async function settle(installation: Installation, bots: ChaosBot[]): Promise<boolean> {
  const { telegram, db } = installation;
  await telegram.endFaults();
  for (const one of installation.processes) one.resume();
  const deadline = Date.now() + SETTLE_DEADLINE_MS;
  while (Date.now() < deadline) {
    const pending = await telegram.pendingUpdates(bots.map((bot) => bot.id));
    const left = await db
      .query("SELECT FROM jobs WHERE state IN ('available', 'running', 'retryable') LIMIT 1")
      .catch(() => [{}]);
    if (pending === 0 && left.length === 0) return true;
    await sleep(500);
  }
  return false;
}

const say = (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`);
