import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { fc, runs } from "../../test/support/property.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { type Queryable, sqlState, type Transaction } from "../platform/index.ts";
import { readFrameworkScore, readSummary } from "./index.ts";
import { CONTROL_STATUSES } from "./kinds.ts";
import {
  type ControlStatus,
  MET_POINTS,
  type RiskLevel,
  requirementPoints,
  riskLevel,
  scoreOf,
} from "./score.ts";

/** What is kept while the register changes is what somebody finds who counts it all. */
let database: TestDatabase;
let workspaceId: string;
beforeAll(async () => {
  database = await createTestDatabase();
  // Two who wait in a ring are soon told so: their transactions are tried again.
  await database.owner.query(`DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''10ms''', current_database());
  END $$`);
});
afterAll(() => database.drop());
beforeEach(async () => {
  workspaceId = randomUUID();
  await database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'W')", [workspaceId]);
});

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const idsOf = (numbers: number[]) => numbers.map(idOf);

/** SQL with the workspace as $1, and the rest of its parameters. */
interface Change {
  sql: string;
  params: unknown[];
}
const change = (sql: string, ...params: unknown[]): Change => ({ sql, params });
const run = (on: Queryable, { sql, params }: Change) => on.query(sql, [workspaceId, ...params]);

const remove = (table: string) => (n: number) =>
  change(`DELETE FROM ${table} WHERE workspace_id = $1 AND id = $2`, idOf(n));
const framework = (n: number) =>
  change(
    "INSERT INTO frameworks (workspace_id, id, code, title) VALUES ($1, $2, $3, 'F') ON CONFLICT DO NOTHING",
    idOf(n),
    `F${n}`,
  );
const requirement = (n: number, of: number) =>
  change(
    `INSERT INTO requirements (workspace_id, id, framework_id, code, title) VALUES ($1, $2, $3, $4, 'R')
     ON CONFLICT (workspace_id, id) DO UPDATE SET framework_id = excluded.framework_id`,
    idOf(n),
    idOf(of),
    `R${n}`,
  );
const control = (n: number, status: ControlStatus) =>
  change(
    `INSERT INTO controls (workspace_id, id, code, title, status) VALUES ($1, $2, $3, 'C', $4)
     ON CONFLICT DO NOTHING`,
    idOf(n),
    `C${n}`,
    status,
  );
const setStatus = (numbers: number[], status: ControlStatus) =>
  change(
    "UPDATE controls SET status = $3 WHERE workspace_id = $1 AND id = ANY ($2)",
    idsOf(numbers),
    status,
  );
const link = (n: number, to: number[]) =>
  change(
    `INSERT INTO control_requirements (workspace_id, control_id, requirement_id)
     SELECT $1, $2, id FROM unnest($3::uuid[]) id ON CONFLICT DO NOTHING`,
    idOf(n),
    idsOf(to),
  );
/** Both in one statement, which makes the links first: nothing in it waits for the control. */
const linkedControl = (n: number, status: ControlStatus, to: number[]) =>
  change(
    `WITH made AS (
       INSERT INTO controls (workspace_id, id, code, title, status) VALUES ($1, $2, $3, 'C', $4)
     )
     INSERT INTO control_requirements (workspace_id, control_id, requirement_id)
     SELECT $1, $2, r.id FROM unnest($5::uuid[]) r(id)`,
    idOf(n),
    `C${n}`,
    status,
    idsOf(to),
  );
const unlink = (n: number, from: number[]) =>
  change(
    `DELETE FROM control_requirements
     WHERE workspace_id = $1 AND control_id = $2 AND requirement_id = ANY ($3)`,
    idOf(n),
    idsOf(from),
  );
const risk = (n: number, status: string, likelihood: number | null, impact: number) =>
  change(
    `INSERT INTO risks (workspace_id, id, code, title, status, inherent_likelihood, inherent_impact)
     VALUES ($1, $2, $3, 'K', $4, $5, $6)
     ON CONFLICT (workspace_id, id) DO UPDATE SET status = excluded.status,
       residual_likelihood = excluded.inherent_likelihood,
       residual_impact = excluded.inherent_impact`,
    idOf(n),
    `K${n}`,
    status,
    likelihood,
    likelihood === null ? null : impact,
  );
const finding = (n: number, severity: string, status: string) =>
  change(
    `INSERT INTO findings (workspace_id, id, code, title, severity, status)
     VALUES ($1, $2, $3, 'X', $4, $5) ON CONFLICT (workspace_id, id)
     DO UPDATE SET severity = excluded.severity, status = excluded.status`,
    idOf(n),
    `X${n}`,
    severity,
    status,
  );
const task = (n: number, status: string) =>
  change(
    `INSERT INTO tasks (workspace_id, id, code, title, status) VALUES ($1, $2, $3, 'T', $4)
     ON CONFLICT (workspace_id, id) DO UPDATE SET status = excluded.status`,
    idOf(n),
    `T${n}`,
    status,
  );

const number = fc.integer({ min: 1, max: 4 });
const numbers = fc.uniqueArray(number, { minLength: 1, maxLength: 3 });
const status = fc.constantFrom(...CONTROL_STATUSES);
const scale = fc.integer({ min: 1, max: 5 });
const some = fc.oneof(
  fc.tuple(number).map(([n]) => framework(n)),
  fc.tuple(number, number).map(([n, of]) => requirement(n, of)),
  fc.tuple(number, status).map(([n, to]) => control(n, to)),
  fc.tuple(numbers, status).map(([of, to]) => setStatus(of, to)),
  fc.tuple(number, numbers).map(([n, to]) => link(n, to)),
  fc.tuple(number, numbers).map(([n, from]) => unlink(n, from)),
  fc
    .tuple(number, fc.constantFrom("open", "closed"), fc.option(scale), scale)
    .map((values) => risk(...values)),
  fc
    .tuple(number, fc.constantFrom("critical", "high"), fc.constantFrom("open", "resolved"))
    .map((values) => finding(...values)),
  fc
    .tuple(number, fc.constantFrom("open", "in_progress", "done", "cancelled"))
    .map((values) => task(...values)),
  fc
    .constantFrom("frameworks", "requirements", "controls", "risks", "findings", "tasks")
    .chain((table) => number.map(remove(table))),
);

interface Counted {
  frameworks: { id: string; code: string }[];
  requirements: { id: string; framework: string; statuses: ControlStatus[] }[];
  risks: { score: number | null }[];
  critical: number;
  tasks: number;
}

/** Everything there is, read and counted by the rule. */
async function countAll() {
  const [row] = await database.db.query<Counted>(
    `SELECT
       (SELECT coalesce(json_agg(json_build_object('id', id, 'code', code) ORDER BY code), '[]')
        FROM frameworks WHERE workspace_id = $1) AS frameworks,
       (SELECT coalesce(json_agg(json_build_object('framework', framework_id, 'statuses', ARRAY(
            SELECT c.status FROM control_requirements l
            JOIN controls c ON c.workspace_id = l.workspace_id AND c.id = l.control_id
            WHERE l.workspace_id = r.workspace_id AND l.requirement_id = r.id))), '[]')
        FROM requirements r WHERE workspace_id = $1) AS requirements,
       (SELECT coalesce(json_agg(json_build_object('score', score)), '[]') FROM risks
        WHERE workspace_id = $1 AND status = 'open') AS risks,
       (SELECT count(*)::int FROM findings
        WHERE workspace_id = $1 AND status = 'open' AND severity = 'critical') AS critical,
       (SELECT count(*)::int FROM tasks
        WHERE workspace_id = $1 AND status IN ('open', 'in_progress')) AS tasks`,
    [workspaceId],
  );
  if (row === undefined) throw new Error("no row");
  const madeOf = (requirements: Counted["requirements"]) => {
    const points = requirements.map(({ statuses }) => requirementPoints(statuses));
    const live = ({ statuses }: { statuses: ControlStatus[] }) =>
      statuses.some((one) => one !== "deprecated");
    return {
      score: scoreOf({
        requirements: points.length,
        points: points.reduce((sum, one) => sum + one, 0),
      }),
      requirements: points.length,
      met: points.filter((one) => one === MET_POINTS).length,
      withoutControls: requirements.filter((one) => !live(one)).length,
    };
  };
  const levels = row.risks.map(({ score }) => (score === null ? "unassessed" : riskLevel(score)));
  const atLevel = (level: RiskLevel | "unassessed") => levels.filter((one) => one === level).length;
  return {
    score: madeOf(row.requirements).score,
    frameworks: row.frameworks.map(({ id, code }) => ({
      id,
      code,
      ...madeOf(row.requirements.filter(({ framework: of }) => of === id)),
    })),
    criticalIssues: row.critical,
    openTasks: row.tasks,
    risks: {
      total: levels.length,
      critical: atLevel("critical"),
      high: atLevel("high"),
      medium: atLevel("medium"),
      low: atLevel("low"),
      unassessed: atLevel("unassessed"),
    },
  };
}

/** The same, as it is kept. */
async function readKept() {
  const own = database.db.asTenant(workspaceId);
  const { updatedAt: _, ...summary } = await readSummary(own, workspaceId);
  const frameworks = [];
  for (const { id, code, score } of summary.frameworks) {
    const made = await readFrameworkScore(own, { workspaceId, id });
    expect(made?.score).toBe(score);
    frameworks.push({ id, code, ...made });
  }
  return { ...summary, frameworks };
}

/** Tries a transaction of several changes; one that meets what another removed leaves nothing. */
async function attempt(changes: Change[], asTenant: boolean): Promise<void> {
  const on = asTenant ? database.db.asTenant(workspaceId) : database.db;
  try {
    await on.transaction(async (tx) => {
      for (const one of changes) await run(tx, one);
    });
  } catch (error) {
    if (!["23503", "23505", "40P01"].includes(sqlState(error) ?? "")) throw error;
  }
}

test("random changes, by two at once: what is kept is what is counted", async () => {
  const work = fc.array(fc.array(some, { minLength: 1, maxLength: 5 }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(work, work, async (first, second) => {
      const doing = async (transactions: Change[][], asTenant: boolean) => {
        for (const changes of transactions) await attempt(changes, asTenant);
      };
      await Promise.all([doing(first, true), doing(second, false)]);
      expect(await readKept()).toEqual(await countAll());
    }),
    { numRuns: runs(40) },
  );
});

/** A transaction that has done `changes` and is not over until `end` is called. */
async function begun(...changes: Change[]) {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let over: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    over = database.db.transaction(async (tx: Transaction) => {
      for (const one of changes) await run(tx, one);
      resolve();
      await ended;
    });
    over.catch(reject);
  });
  return {
    end: () => {
      end();
      return over;
    },
  };
}

const done = async (...changes: Change[]) => {
  for (const one of changes) await run(database.db, one);
};
const waits = () =>
  database.owner.query(
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
  );

test.each<[string, Change, Change]>([
  ["a link is made while the control's status changes", setStatus([1], "active"), link(1, [1])],
  ["a status changes while a link is made", link(1, [1]), setStatus([1], "active")],
])("%s: the link knows the status", async (_what, first, second) => {
  await done(framework(1), requirement(1, 1), control(1, "to_do"));
  const held = await begun(first);
  const waiting = run(database.db, second);
  await waitFor(async () => (await waits()).length > 0, { what: "the second to wait" });
  await held.end();
  await waiting;
  expect(await readKept()).toMatchObject({ score: 100, frameworks: [{ met: 1 }] });
});

test("a control and its links may be made by one statement", async () => {
  await done(framework(1), requirement(1, 1), linkedControl(1, "active", [1]));
  expect(await readKept()).toMatchObject({ score: 100 });
});

test("nobody waits for another's transaction, and what is left over is added with the next", async () => {
  const held = await begun(task(1, "open"), risk(1, "open", 5, 5));
  await done(task(2, "open"));
  expect(await readKept()).toMatchObject({ openTasks: 1, risks: { total: 0 } });
  await held.end();
  expect(await readKept()).toMatchObject({ openTasks: 2, risks: { total: 1, critical: 1 } });
  const left = () =>
    database.db.query("SELECT FROM register_count_changes WHERE workspace_id = $1", [workspaceId]);
  expect(await left()).not.toEqual([]);
  await done(task(3, "open"));
  expect(await left()).toEqual([]);
  expect(await readKept()).toMatchObject({ openTasks: 3 });
});

test("what was last changed is told, and before anything is, when the workspace began", async () => {
  const updatedAt = async () => (await readSummary(database.db, workspaceId)).updatedAt.getTime();
  const [row] = await database.db.query<{ created_at: Date }>(
    "SELECT created_at FROM workspaces WHERE id = $1",
    [workspaceId],
  );
  expect(await updatedAt()).toBe(row?.created_at.getTime());
  await done(framework(1));
  await done(
    change("UPDATE register_counts SET changed_at = '2020-01-01Z' WHERE workspace_id = $1"),
  );
  expect(await updatedAt()).toBe(Date.parse("2020-01-01T00:00:00Z"));
  const before = Date.now();
  await done(change("UPDATE frameworks SET title = 'G' WHERE workspace_id = $1"));
  // The clock is Postgres's.
  expect(Math.abs((await updatedAt()) - before)).toBeLessThan(60_000);
});
