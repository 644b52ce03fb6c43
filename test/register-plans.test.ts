import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { removePerson } from "../src/people/index.ts";
import { type Database, openDatabase } from "../src/platform/index.ts";
import {
  changeEntry,
  createEntry,
  entryFilters,
  findEntry,
  KINDS,
  type KindName,
  listEntries,
  readFrameworkScore,
  readSummary,
  removeEntry,
  topRisks,
} from "../src/register/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/**
 * What is asked of a large register, or changed in it, reads the rows that it is about: tables grown,
 * without statistics, and one entry in a hundred is what a list is asked for.
 */
const GROWN = 3_000;
const TABLES =
  "frameworks requirements controls control_requirements risks risk_controls risk_acceptances audits findings tasks policies people evidence register_counts register_count_changes".split(
    " ",
  );
const workspaceId = randomUUID();
let database: TestDatabase;
let db: Database;

/** Number n of every kind, and of the people. */
const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
/** SQL of the same. */
const id = (n: string) => `('00000000-0000-4000-8000-' || lpad((${n})::text, 12, '0'))::uuid`;

/** Columns beside code and title with their SQL by `n`; one in a hundred has the status that is asked for. */
const rare = (status: string, others: string) =>
  `CASE WHEN n % 100 = 0 THEN '${status}' ELSE '${others}' END`;
const HUNDREDTH = id("n % 100 + 1");
const DUE = "date '2026-01-01' + n";
const GROW: Record<KindName, Record<string, string>> = {
  framework: {},
  requirement: { framework_id: HUNDREDTH },
  control: { status: rare("degraded", "active"), owner_id: HUNDREDTH, due_on: DUE },
  risk: {
    status: rare("closed", "open"),
    inherent_likelihood: "n % 5 + 1",
    inherent_impact: "n % 4 + 1",
    owner_id: HUNDREDTH,
    due_on: DUE,
  },
  audit: { status: rare("cancelled", "planned"), framework_id: HUNDREDTH, lead_id: HUNDREDTH },
  finding: {
    status: rare("accepted", "open"),
    severity: "'critical'",
    audit_id: HUNDREDTH,
    control_id: HUNDREDTH,
    owner_id: HUNDREDTH,
    due_on: DUE,
  },
  task: {
    status: rare("done", "open"),
    assignee_id: HUNDREDTH,
    control_id: HUNDREDTH,
    risk_id: HUNDREDTH,
    finding_id: HUNDREDTH,
    due_on: DUE,
  },
  policy: { status: rare("retired", "active"), owner_id: HUNDREDTH },
};
const RARE: Partial<Record<KindName, string>> = {
  control: "degraded",
  risk: "closed",
  audit: "cancelled",
  finding: "accepted",
  task: "done",
  policy: "retired",
};

beforeAll(async () => {
  database = await createTestDatabase();
  for (const table of TABLES) {
    await database.owner.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  const series = (rows: number) => `FROM generate_series(1, ${rows}) n`;
  const setUp = openDatabase({ url: database.url, max: 1 });
  await setUp.query("INSERT INTO workspaces (id, name) VALUES ($1, 'W')", [workspaceId]);
  const of = `'${workspaceId}'::uuid`;
  await setUp.query(
    `INSERT INTO people (workspace_id, id, name) SELECT ${of}, ${id("n")}, 'P' ${series(200)}`,
  );
  for (const { name, table } of KINDS) {
    const columns = Object.keys(GROW[name]).map((column) => `, ${column}`);
    const values = Object.values(GROW[name]).map((value) => `, ${value}`);
    await setUp.query(
      `INSERT INTO ${table} (workspace_id, id, code, title${columns.join("")})
       SELECT ${of}, ${id("n")}, '${name}-' || n, 'T'${values.join("")} ${series(GROWN)}`,
    );
  }
  await setUp.query(
    `INSERT INTO control_requirements (workspace_id, control_id, requirement_id)
     SELECT ${of}, ${id("n")}, ${HUNDREDTH} ${series(GROWN)}`,
  );
  await setUp.query(
    `INSERT INTO risk_controls (workspace_id, risk_id, control_id)
     SELECT ${of}, ${id("n")}, ${HUNDREDTH} ${series(GROWN)}`,
  );
  await setUp.close();
  db = openDatabase({ url: database.url, max: 1 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const own = () => db.asTenant(workspaceId);
const reading = (work: () => Promise<unknown>) => rowsRead(db, TABLES, work);

describe("a list reads its page, whatever it is asked by", () => {
  const asked = KINDS.flatMap((kind) =>
    entryFilters(kind).map(({ name: by, type }) => {
      const value = {
        choice: RARE[kind.name],
        id: idOf(7),
        date: "2026-01-20",
        text: `${kind.name}-7`,
      }[type];
      return [`${kind.plural} by ${by}`, kind.name, { [by]: value ?? "" }] as const;
    }),
  );
  test.each(asked)("%s", async (_what, kind, filter) => {
    const list = () => listEntries(own(), { workspaceId, kind, filter, limit: 10 });
    expect((await list()).length).toBeGreaterThan(0);
    // Ten entries at most, with what each is linked to.
    expect(await reading(list)).toBeLessThan(200);
  });

  test("by nothing at all, from the middle on", async () => {
    for (const { name: kind } of KINDS) {
      const after = { id: idOf(GROWN / 2) };
      const list = () => listEntries(own(), { workspaceId, kind, filter: {}, after, limit: 10 });
      expect((await list())[0]?.id).toBe(idOf(GROWN / 2 + 1));
      expect(await reading(list)).toBeLessThan(200);
    }
  });
});

describe("one entry is found, changed and removed by its key", () => {
  let next = GROWN;
  test.each(KINDS.map(({ name }) => name))("%s", async (kind) => {
    const needed = kind === "requirement" ? { framework: idOf(500) } : { severity: "low" };
    const values = kind === "requirement" || kind === "finding" ? needed : {};
    // Twice and more: the plan for any parameters comes after the first few.
    for (let round = 0; round < 7; round++) {
      const read = await reading(() =>
        own().transaction(async (tx) => {
          const code = `new-${++next}`;
          const all = { ...values, code, title: "N" };
          const made = await createEntry(tx, { workspaceId, kind, values: all });
          const key = { workspaceId, kind, id: made.id };
          await findEntry(tx, key);
          await changeEntry(tx, key, { title: "M", version: 1 });
          expect(await removeEntry(tx, key)).toBe(true);
        }),
      );
      expect({ round, read, bounded: read < 200 }).toEqual({ round, read, bounded: true });
    }
  });

  test("a control with its links and its requirement", async () => {
    for (let round = 0; round < 7; round++) {
      const key = { workspaceId, kind: "control", id: idOf(101 + round) } as const;
      const change = { status: round % 2 === 0 ? "to_do" : "active", requirements: [idOf(3)] };
      const read = await reading(() => own().transaction((tx) => changeEntry(tx, key, change)));
      expect({ round, read, bounded: read < 150 }).toEqual({ round, read, bounded: true });
    }
  });

  test("a person, with what was theirs", async () => {
    const remove = (n: number) =>
      own().transaction((tx) => removePerson(tx, { workspaceId, id: idOf(n) }));
    // Nothing was theirs.
    expect(await reading(() => remove(150))).toBeLessThan(100);
    // A hundredth of six kinds was.
    expect(await reading(() => remove(50))).toBeLessThan(((6 * GROWN) / 100) * 8);
  });
});

test("how the workspace stands is read from a few rows, whatever it has", async () => {
  for (let round = 0; round < 7; round++) {
    const summary = await reading(() => readSummary(own(), workspaceId));
    const score = await reading(() => readFrameworkScore(own(), { workspaceId, id: idOf(7) }));
    // A hundred frameworks are shown, each with its few counts; none of them has a row a requirement.
    expect({ summary: summary < 800, score: score < 20 }).toEqual({ summary: true, score: true });
  }
  const { risks, criticalIssues, openTasks, frameworks } = await readSummary(own(), workspaceId);
  expect({ ...risks, criticalIssues, openTasks, frameworks: frameworks.length }).toMatchObject({
    total: (GROWN * 99) / 100,
    criticalIssues: (GROWN * 99) / 100,
    openTasks: (GROWN * 99) / 100,
    frameworks: 100,
  });
});

test("the highest risks are read, and not those beneath", async () => {
  for (let round = 0; round < 7; round++) {
    for (const level of [undefined, "critical", "low"] as const) {
      // As commands in chats ask.
      const top = () => topRisks(db, workspaceId, { limit: 5, offset: 10, level });
      expect(await reading(top)).toBeLessThan(20);
    }
  }
  const [first, second] = await topRisks(db, workspaceId, { limit: 2 });
  expect([first?.level, second?.level]).toEqual(["critical", "critical"]);
  const [low] = await topRisks(db, workspaceId, { limit: 1, level: "low" });
  expect(low).toMatchObject({ level: "low", score: 5 });
});
