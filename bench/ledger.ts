import { type JobFilter, listJobs, queueStats } from "../src/jobs/index.ts";
import type { Database } from "../src/platform/index.ts";
import { openEnvironment } from "./environment.ts";
import type { Figure } from "./figure.ts";
import { BIG, fillLedger, JOBS, SMALL, UPDATE_IDS_FROM } from "./ledger-rows.ts";

const NOWHERE = "http://127.0.0.1:1";
const NOBODY = "99999999-0000-4000-8000-000000000000";
const PAGE = 51;
const RUNS = 5;
const TARGET_MS = 200;
const round = (value: number) => Math.round(value * 10) / 10;
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

/** Each thing a job is known by, matching nothing, a few, half of all; and what goes together. */
const SEARCHES: Record<string, JobFilter> = {
  "no filter": {},
  "workspace, half": { workspaceId: BIG.workspaceId },
  "workspace, a hundredth": { workspaceId: SMALL.workspaceId },
  "workspace, none": { workspaceId: NOBODY },
  "queue, half": { queue: "ingest" },
  "queue, none": { queue: "evidence" },
  "state, most": { states: ["completed"] },
  "state, none": { states: ["running"] },
  "state, a fifth": { states: ["available"] },
  "state, scheduled": { states: ["scheduled"] },
  "state and queue": { states: ["discarded"], queue: "outbound" },
  "workspace and state, none": { ...workspaceOf(SMALL), states: ["running"] },
  lane: { lane: `${BIG.connectorId}/c1` },
  "lane, a bot's": { lane: BIG.connectorId },
  "lane, none": { lane: `${BIG.connectorId}/c5` },
  "lane and state, none": { lane: BIG.connectorId, states: ["running"] },
  "bot, half": { connectorId: BIG.connectorId },
  "bot, a hundredth": { connectorId: SMALL.connectorId },
  "bot, none": { connectorId: NOBODY },
  "bot of another workspace": { connectorId: BIG.connectorId, ...workspaceOf(SMALL) },
  "bot and state, none": { connectorId: BIG.connectorId, states: ["running"] },
  "chat, a tenth": { chatId: "1" },
  "chat, a few": { chatId: "1234" },
  "chat, none": { chatId: "5" },
  "chat and bot": { chatId: "1", connectorId: BIG.connectorId },
  "chat and workspace": { chatId: "1", ...workspaceOf(SMALL) },
  "chat and state": { chatId: "1", states: ["discarded"] },
  update_id: { updateId: String(UPDATE_IDS_FROM + 3_456_784) },
  "update_id, none": { updateId: "7" },
  "error class": { errorClass: "Timeout" },
  "error class, none": { errorClass: "None" },
  "error class and workspace": { errorClass: "Timeout", ...workspaceOf(SMALL) },
  "error words, rare": { text: "zebra" },
  "error words, common": { text: "chat not found" },
  "error words, none": { text: "unicorn" },
  "error words and workspace": { text: "the call took", ...workspaceOf(SMALL) },
  "an id as text": { text: "3456789" },
  "time, an hour": { createdFrom: daysAgo(3), createdTo: daysAgo(3 - 1 / 24) },
  "time, before": { createdTo: daysAgo(5) },
  "time, none": { createdTo: daysAgo(30) },
  "time and state": { createdTo: daysAgo(3), states: ["discarded"] },
  "time and chat": { createdFrom: daysAgo(3), createdTo: daysAgo(2.9), chatId: "1" },
  "time and words": { createdFrom: daysAgo(3), createdTo: daysAgo(2.9), text: "chat not found" },
};

function workspaceOf({ workspaceId }: { workspaceId: string }): { workspaceId: string } {
  return { workspaceId };
}

async function medianMs(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < RUNS; n++) {
    const startedMs = performance.now();
    await run();
    times.push(performance.now() - startedMs);
  }
  return times.sort((a, b) => a - b)[Math.floor(RUNS / 2)] ?? Number.NaN;
}

/** What one would write without a thought of millions of rows. */
async function plainly(db: Database, sql: string): Promise<number> {
  return medianMs(() =>
    db.transaction(async (tx) => {
      await tx.query("SELECT set_config('enable_seqscan', 'on', true)");
      await tx.query(sql);
    }),
  );
}

/** The slowest of all searches, and each of them. */
async function search(db: Database): Promise<Figure> {
  const ms: Record<string, number> = {};
  for (const [name, filter] of Object.entries(SEARCHES)) {
    ms[name] = round(await medianMs(() => listJobs(db, filter, { limit: PAGE })));
  }
  const [slowest = "", value = Number.NaN] =
    Object.entries(ms).sort(([, a], [, b]) => b - a)[0] ?? [];
  const baseline = await plainly(
    db,
    `SELECT * FROM jobs WHERE error ILIKE '%zebra%' ORDER BY created_at DESC LIMIT ${PAGE}`,
  );
  return {
    figure: `search among ${JOBS.toLocaleString("en")} jobs, the slowest of ${Object.keys(ms).length} filters`,
    value,
    unit: "ms",
    baseline: { name: "error ILIKE, newest first", value: round(baseline) },
    slowest,
    ms,
    target: `< ${TARGET_MS} ms`,
    reached: value < TARGET_MS,
  };
}

/** What GET /v1/queues reads, for the administrator and for a workspace. */
async function queues(db: Database): Promise<Figure> {
  const value = await medianMs(() => queueStats(db));
  const ofWorkspace = await medianMs(() => queueStats(db, BIG.workspaceId));
  const baseline = await plainly(db, "SELECT queue, state, count(*) FROM jobs GROUP BY 1, 2");
  return {
    figure: "figures of all queues, 1,000,000 jobs waiting and 4,000,000 finished",
    value: round(value),
    unit: "ms",
    baseline: { name: "count(*) by queue and state", value: round(baseline) },
    ofWorkspace: round(ofWorkspace),
    target: `< ${TARGET_MS} ms`,
    reached: value < TARGET_MS && ofWorkspace < TARGET_MS,
  };
}

/** A figure of a ledger that is filled for it. */
const ofFullLedger = (measure: (db: Database) => Promise<Figure>) => async () => {
  const environment = await openEnvironment(NOWHERE);
  try {
    await fillLedger(environment.owner);
    return await measure(environment.db);
  } finally {
    await environment.close();
  }
};

export const LEDGER_FIGURES: Record<string, () => Promise<Figure>> = {
  search: ofFullLedger(search),
  queues: ofFullLedger(queues),
};
