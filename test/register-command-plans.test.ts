import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createDialogs, createHandlers, type RequestOf } from "../src/compliance/index.ts";
import { insertJobs } from "../src/jobs/index.ts";
import type { JobSink } from "../src/outbound/index.ts";
import { openDatabase } from "../src/platform/index.ts";
import { nearFrameworks, topRisks } from "../src/register/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/**
 * What commands read is what they show, however much is in the register, and whatever the planner knows:
 * the tables are filled without statistics, and every row stands in a workspace that has all of them.
 */
const CONTROLS = 20_000;
const LONG_AGO = "now() - interval '3 years'";
const TABLES = [
  "frameworks",
  "requirements",
  "controls",
  "control_requirements",
  "risks",
  "risk_acceptances",
  "audits",
  "findings",
  "tasks",
  "evidence",
  "evidence_revisions",
];
/** A page of risks, neighbours of a name in two orders, the highest number: with their index entries. */
const READS = 1_200;
/** As many requirements of the framework as it has, with a link and a control each. */
const OF_FRAMEWORK = 6 * 100;
/** A hundredth page of risks passes those before it. */
const OF_LAST_PAGE = 1_200;

let database: TestDatabase;
const workspaceId = randomUUID();
const connectorId = randomUUID();

beforeAll(async () => {
  database = await createTestDatabase({ max: 1 });
  const filler = openDatabase({ url: database.url, max: 1, as: "login" });
  for (const table of TABLES) {
    await filler.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  await filler.query("INSERT INTO workspaces (id, name) VALUES ($1, 'W')", [workspaceId]);
  const fill = (sql: string) => filler.query(sql, [workspaceId]);
  await fill(`INSERT INTO frameworks (workspace_id, code, title)
    SELECT $1, 'F-' || n, 'Framework ' || n FROM generate_series(1, 120) n`);
  await fill(`INSERT INTO requirements (workspace_id, framework_id, code, title)
    SELECT $1, f.id, 'A.' || n, 'R' FROM generate_series(1, 100) n, frameworks f
    WHERE f.workspace_id = $1 AND f.code IN ('F-7', 'F-8')`);
  await fill(`INSERT INTO controls (workspace_id, code, title, status)
    SELECT $1, 'C-' || n, 'C', (ARRAY['to_do', 'active', 'degraded'])[1 + n % 3]
    FROM generate_series(1, ${CONTROLS}) n`);
  await fill(`INSERT INTO control_requirements (workspace_id, control_id, requirement_id)
    SELECT $1, c.id, r.id
    FROM (SELECT id, row_number() OVER (ORDER BY code) AS n FROM controls
      WHERE workspace_id = $1 ORDER BY n LIMIT 200) c
    JOIN (SELECT id, row_number() OVER (ORDER BY framework_id, code) AS n FROM requirements
      WHERE workspace_id = $1) r USING (n)`);
  await fill(`INSERT INTO risks (workspace_id, code, title, residual_likelihood, residual_impact,
      created_at)
    SELECT $1, 'R-' || n, 'R', 1 + n % 5, 5, ${LONG_AGO} FROM generate_series(1, ${CONTROLS}) n`);
  await fill(`INSERT INTO findings (workspace_id, code, title, severity, status, created_at)
    SELECT $1, 'N-' || n, 'N', 'high', 'resolved', ${LONG_AGO} FROM generate_series(1, 2000) n`);
  await fill(`INSERT INTO audits (workspace_id, code, title, status, created_at)
    SELECT $1, 'AU-' || n, 'A', 'completed', ${LONG_AGO} FROM generate_series(1, 5000) n`);
  await filler.close();
});
afterAll(() => database.drop());

const asker = {
  viewer: { personId: null, role: null },
  access: "heard" as const,
  botUsername: "a_bot",
};
const jobs: JobSink = { enqueueIn: (tx, wanted) => insertJobs(tx.engine, wanted) };
const handlers = createHandlers({ dialogs: createDialogs({ jobs }) });

/** Rows that answering reads. */
async function readBy(name: string, args: string): Promise<{ reads: number; text: string }> {
  const request: RequestOf<"command"> = {
    kind: "command",
    name,
    args,
    messageId: "1",
    workspaceId,
    connectorId,
    chatId: "1001",
    threadId: null,
    chatType: "private",
    purpose: null,
    user: {
      id: "1001",
      isBot: false,
      firstName: "Ada",
      lastName: null,
      username: null,
      languageCode: null,
    },
    askedAtMs: 0,
    causeId: "1",
  };
  let text = "";
  const reads = await rowsRead(database.db, TABLES, () =>
    database.db.transaction(async (tx) => {
      const [answer] = await handlers.command(tx, request, asker);
      text = answer?.text ?? "";
    }),
  );
  return { reads, text };
}

test.each<[string, string, number, string]>([
  ["compliance", "", READS, "Framework 1: no score yet"],
  ["compliance", "framework 7", READS + OF_FRAMEWORK, "Requirements: 100"],
  ["compliance", "framwork 7", READS, "Did you mean"],
  ["risk", "", READS, "Total: 20,000"],
  ["risk", "critical", READS, "Page 1 of 100"],
  ["audit", "", READS, "No audit is under way."],
  ["audit", "security", READS, "Audit AU-5001 is planned"],
  ["reports", "compliance month", READS, "Findings recorded: <code>0</code>"],
  ["reports", "risk month", READS, "Risks recorded: <code>0</code>"],
  ["reports", "evidence year", READS, "Handed in: <code>0</code>"],
  ["reports", "audit week", READS, "Audits in progress: <code>0</code>"],
])("/%s %s reads few rows", async (name, args, most, told) => {
  // As prepared for whatever is asked, and as planned for just this.
  const { reads, text } = await readBy(name, args);
  expect(text).toContain(told);
  expect(reads).toBeLessThan(most);
});

test("a name is looked for beside where it stands, however many frameworks there are", async () => {
  const filler = openDatabase({ url: database.url, max: 1, as: "login" });
  const crowded = randomUUID();
  await filler.query("INSERT INTO workspaces (id, name) VALUES ($1, 'Crowded')", [crowded]);
  await filler.query(
    `INSERT INTO frameworks (workspace_id, code, title)
     SELECT $1, 'ISO-' || n, 'Standard ' || n FROM generate_series(1, 10000) n`,
    [crowded],
  );
  await filler.close();
  const near = { workspaceId: crowded, name: "iso-5000x" };
  const reads = await rowsRead(database.db, TABLES, async () => {
    const found = await nearFrameworks(database.db, near);
    expect(found.map(({ code }) => code)).toContain("ISO-5000");
  });
  expect(reads).toBeLessThan(READS);
});

test("the last page of a level passes those before it, and no more", async () => {
  const page = { limit: 5, level: "critical" as const, offset: 495 };
  const reads = await rowsRead(database.db, TABLES, async () => {
    expect(await topRisks(database.db, workspaceId, page)).toHaveLength(5);
  });
  expect(reads).toBeLessThan(OF_LAST_PAGE);
});
