import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../../test/support/database.ts";
import { fc, runs } from "../../../test/support/property.ts";
import { waitFor } from "../../../test/support/wait-for.ts";
import { KINDS, type Kind, type KindName, kindNamed } from "../kinds.ts";
import { openExport, ReaderTooSlow } from "./export-register.ts";
import { defaultOf, ownFieldsOf } from "./fields.ts";
import { type ImportOutcome, type ImportRequest, importRegister } from "./import-register.ts";
import { MAX_LISTED_PROBLEMS } from "./problems.ts";
import { referenceText } from "./references.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function newWorkspace(): Promise<string> {
  const [row] = await database.db.query<{ id: string }>(
    "INSERT INTO workspaces (name) VALUES ('test') RETURNING id",
  );
  return row?.id ?? "";
}

const bringIn = (
  workspaceId: string,
  kind: KindName | "all",
  file: string | object,
  more: Partial<ImportRequest> = {},
): Promise<ImportOutcome> =>
  importRegister(database.db.asTenant(workspaceId), {
    workspaceId,
    kind: kind === "all" ? kind : kindNamed(kind),
    format: typeof file === "string" ? "csv" : "json",
    content: Buffer.from(typeof file === "string" ? file : JSON.stringify(file)),
    isDryRun: false,
    onlyNew: false,
    ...more,
  });

async function exported(workspaceId: string, kind: Kind | "all", format: "csv" | "json") {
  const request = { workspaceId, kind, format };
  const { content } = await openExport(database.db.asTenant(workspaceId), request);
  let text = "";
  for await (const chunk of content) text += String(chunk);
  return text;
}

const all = async (workspaceId: string) =>
  JSON.parse(await exported(workspaceId, "all", "json")) as Record<
    string,
    Record<string, unknown>[]
  >;

const person = async (workspaceId: string, name: string) => {
  const [row] = await database.db.query<{ id: string }>(
    "INSERT INTO people (workspace_id, name) VALUES ($1, $2) RETURNING id",
    [workspaceId, name],
  );
  return row?.id ?? "";
};

const problemsOf = ({ problems }: ImportOutcome) =>
  problems.map(({ line, column, message }) => [line, column, message]);

const audited = (workspaceId: string) =>
  database.db.query(
    "SELECT action, details FROM audit_entries WHERE workspace_id = $1 ORDER BY id",
    [workspaceId],
  );

test("what an entry begins with is what its table says", async () => {
  for (const kind of KINDS) {
    const rows = await database.owner.query<{ name: string; value: string | null }>(
      `SELECT a.attname AS name, split_part(pg_get_expr(d.adbin, d.adrelid), '''', 2) AS value
       FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       WHERE a.attrelid = $1::regclass`,
      [kind.table],
    );
    for (const field of ownFieldsOf(kind)) {
      const column = rows.find(({ name }) => name === field.column);
      expect([kind.name, field.name, column?.value]).toEqual([
        kind.name,
        field.name,
        defaultOf(kind, field),
      ]);
    }
  }
});

describe("an import", () => {
  test("makes what is new, changes what the file says and nothing else, and says what it did", async () => {
    const workspaceId = await newWorkspace();
    await person(workspaceId, "Ada");
    await bringIn(workspaceId, "all", {
      frameworks: [{ code: "SOC2", title: "SOC 2" }],
      requirements: [
        { framework: "SOC2", code: "CC6.1", title: "Access" },
        { framework: "SOC2", code: "CC6.2", title: "Leavers" },
      ],
    });
    const first = await bringIn(
      workspaceId,
      "control",
      "code,title,status,owner,requirements\nC-1,One,active,Ada,SOC2/CC6.1; CC6.2\nC-2,Two,,,\n",
    );
    expect(first).toMatchObject({
      kind: "controls",
      rows: 2,
      created: 2,
      changed: 0,
      unchanged: 0,
    });
    const again = await bringIn(
      workspaceId,
      "control",
      "requirements;code;dueOn\nSOC2/CC6.2;C-1;2026-11-30\n;C-2;\n",
    );
    expect(again).toMatchObject({ created: 0, changed: 1, unchanged: 1, problemCount: 0 });
    expect((await all(workspaceId)).controls).toEqual([
      {
        code: "C-1",
        title: "One",
        description: "",
        status: "active",
        owner: "Ada",
        dueOn: "2026-11-30",
        requirements: ["SOC2/CC6.2"],
      },
      {
        code: "C-2",
        title: "Two",
        description: "",
        status: "to_do",
        owner: null,
        dueOn: null,
        requirements: [],
      },
    ]);
    const versions = await database.db.query<{ version: number }>(
      "SELECT version FROM controls WHERE workspace_id = $1 ORDER BY code",
      [workspaceId],
    );
    expect(versions.map(({ version }) => version)).toEqual([2, 1]);
    expect((await audited(workspaceId)).slice(1)).toEqual([
      { action: "register.imported", details: { kind: "controls", created: 2, changed: 0 } },
      { action: "register.imported", details: { kind: "controls", created: 0, changed: 1 } },
      { action: "register.exported", details: { kind: "all", count: 5 } },
    ]);
  });

  test("with one problem, or as a dry run, changes nothing and tells all that is wrong", async () => {
    const workspaceId = await newWorkspace();
    const elsewhere = await newWorkspace();
    await bringIn(elsewhere, "framework", "code,title\nHIPAA,Of another workspace\n");
    for (const name of ["Ada", "Bob", "Bob"]) await person(workspaceId, name);
    await bringIn(workspaceId, "all", {
      frameworks: ["F1", "F2"].map((code) => ({ code, title: code })),
      requirements: ["F1", "F2"].map((framework) => ({ framework, code: "R", title: "R" })),
      risks: [{ code: "K-1", title: "Known" }],
    });
    const before = await all(workspaceId);
    const risks = [
      "code,title,owner,inherentLikelihood,inherentImpact,controls",
      "K-2,Well,Ada,1,5,",
      "K-3,x,Bob,2,,C-9",
      "K-1,,Eve,,,",
      "K-4,,Ada,6,2,",
    ].join("\n");
    expect(problemsOf(await bringIn(workspaceId, "risk", risks))).toEqual([
      [3, "owner", "is the name of several people: write the person's id"],
      [3, "inherentImpact", "is needed where inherentLikelihood is given"],
      [3, "controls", "names a control that is not there"],
      [4, "title", "is empty"],
      [4, "owner", "names nobody of the workspace's people"],
      [5, "title", "is empty"],
      [5, "inherentLikelihood", "is a number from 1 to 5"],
    ]);
    const audits = {
      audits: [{ code: "A", framework: "HIPAA", startsOn: "2026-02-01", endsOn: "2026-01-01" }],
    };
    expect(problemsOf(await bringIn(workspaceId, "audit", audits))).toEqual([
      [1, "title", "is needed for a new entry"],
      [1, "framework", "names a framework that is not there"],
      [1, "endsOn", "is before startsOn"],
    ]);
    const bare = "code,title,requirements\nC,x,R\n";
    expect(problemsOf(await bringIn(workspaceId, "control", bare))).toEqual([
      [2, "requirements", "names a code that several requirements have: write FRAMEWORK/CODE"],
    ]);
    const known = "code,title\nK-1,x\nK-5,y\n";
    expect(problemsOf(await bringIn(workspaceId, "risk", known, { onlyNew: true }))).toEqual([
      [2, "code", "is there already"],
    ]);
    const dry = await bringIn(workspaceId, "risk", known, { isDryRun: true });
    expect(dry).toMatchObject({ created: 1, changed: 1, problemCount: 0, dryRun: true });
    const many = Array.from({ length: MAX_LISTED_PROBLEMS + 5 }, (_, n) => `N-${n},`).join("\n");
    const outcome = await bringIn(workspaceId, "risk", `code,title\n${many}\n`);
    expect(outcome.problems).toHaveLength(MAX_LISTED_PROBLEMS);
    expect(outcome).toMatchObject({ problemCount: MAX_LISTED_PROBLEMS + 5, created: 0 });
    expect(await all(workspaceId)).toEqual(before);
  });

  test("several at once: each whole, none waits for ever, no change is lost", async () => {
    const workspaceId = await newWorkspace();
    const codes = Array.from({ length: 300 }, (_, n) => `C-${n}`);
    const file = (column: string, value: string, order: string[]) =>
      `code,title,${column}\n${order.map((code) => `${code},x,${value}`).join("\n")}\n`;
    const outcomes = await Promise.all([
      bringIn(workspaceId, "control", file("description", "told", codes)),
      bringIn(workspaceId, "control", file("dueOn", "2026-11-30", codes.toReversed())),
      bringIn(workspaceId, "control", file("status", "active", codes.toSorted())),
    ]);
    expect(outcomes.map(({ created, changed }) => created + changed)).toEqual([300, 300, 300]);
    expect(outcomes.map(({ created }) => created).toSorted((a, b) => a - b)).toEqual([0, 0, 300]);
    const { controls } = await all(workspaceId);
    expect(controls).toHaveLength(300);
    for (const control of controls ?? []) {
      expect(control).toMatchObject({
        description: "told",
        dueOn: "2026-11-30",
        status: "active",
      });
    }
  });
});

/** What a register of these codes and texts holds, each kind naming those before it. */
function registerOf(codes: string[], texts: string[]) {
  const text = (n: number) => texts[n % texts.length] ?? "x";
  const title = (n: number) => text(n).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "") || "x";
  const at = (n: number) => codes[n % codes.length] ?? "x";
  const entries = (of: (code: string, n: number) => object) =>
    codes.map((code, n) => ({ code, title: title(n), description: text(n + 1), ...of(code, n) }));
  const dueOn = "2026-11-30";
  return {
    frameworks: entries(() => ({})),
    requirements: entries((_, n) => ({ framework: at(n + 1) })),
    controls: entries((_, n) => ({
      status: "degraded",
      owner: "=Ada; O'Hara",
      dueOn,
      requirements: codes
        .slice(0, n)
        .map((code, of) => referenceText({ within: at(of + 1), code })),
    })),
    risks: entries((_, n) => ({
      category: text(n),
      treatment: "accept",
      inherentLikelihood: 5,
      inherentImpact: (n % 5) + 1,
      controls: codes.slice(n),
    })),
    audits: entries((_, n) => ({ type: text(n), framework: at(n), startsOn: dueOn })),
    findings: entries((_, n) => ({ severity: "low", audit: at(n), control: at(n + 1) })),
    tasks: entries((_, n) => ({ risk: at(n), finding: at(n + 2), assignee: "=Ada; O'Hara" })),
    policies: entries(() => ({ reviewOn: dueOn })),
  };
}

const byCode = (a: object, b: object) =>
  JSON.stringify(a) < JSON.stringify(b) ? -1 : JSON.stringify(a) > JSON.stringify(b) ? 1 : 0;

const withSortedLists = (entry: object) =>
  Object.fromEntries(
    Object.entries(entry).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.toSorted() : value,
    ]),
  );

describe("an export", () => {
  test("brought in again changes nothing, and makes the same register elsewhere, in both formats", async () => {
    const part = fc.oneof(
      fc.constantFrom("=", "-", "@", "'", '"', ";", ",", "\\", "/", "\t", "\r", "\n", "\r\n", "😀"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
    );
    const hostile = fc
      .array(part, { minLength: 1, maxLength: 6 })
      .map((parts) => parts.join("").replaceAll("\0", "0"));
    const code = hostile
      .map((text) => text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "").trim())
      .filter((text) => text !== "");
    const codes = fc.uniqueArray(code, { minLength: 3, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        codes,
        fc.array(hostile, { minLength: 3, maxLength: 5 }),
        async (of, texts) => {
          const [here, there] = [await newWorkspace(), await newWorkspace()];
          for (const workspaceId of [here, there]) await person(workspaceId, "=Ada; O'Hara");
          const given = registerOf(of, texts);
          expect(problemsOf(await bringIn(here, "all", given))).toEqual([]);
          const json = await exported(here, "all", "json");
          const held: Record<string, object[]> = JSON.parse(json);
          for (const [plural, entries] of Object.entries(given)) {
            const kept = (held[plural] ?? []).map(withSortedLists);
            expect(kept).toHaveLength(entries.length);
            for (const entry of entries.map(withSortedLists)) {
              expect(kept).toContainEqual(expect.objectContaining(entry));
            }
          }
          const again = await bringIn(here, "all", held);
          expect(again).toMatchObject({
            problems: [],
            created: 0,
            changed: 0,
            unchanged: again.rows,
          });
          for (const kind of KINDS) {
            const csv = await exported(here, kind, "csv");
            expect(problemsOf(await bringIn(there, kind.name, csv))).toEqual([]);
            const unchanged = await bringIn(here, kind.name, csv);
            expect(unchanged).toMatchObject({ created: 0, changed: 0, unchanged: of.length });
          }
          const made = await all(there);
          // They are in the order of their frameworks' ids.
          for (const register of [made, held]) register.requirements?.sort(byCode);
          expect(made).toEqual(held);
        },
      ),
      // A failure is not made smaller: that would take minutes.
      { numRuns: runs(2), endOnFailure: true },
    );
  });

  test("names people by id where several have the name", async () => {
    const workspaceId = await newWorkspace();
    const ids = [await person(workspaceId, "Bob"), await person(workspaceId, "Bob")];
    const policies = ids.map((owner, n) => ({ code: `P-${n}`, title: "x", owner }));
    await bringIn(workspaceId, "policy", policies);
    expect((await all(workspaceId)).policies).toMatchObject(ids.map((owner) => ({ owner })));
  });

  test("is of one moment, across pages, whatever is changed meanwhile", async () => {
    const workspaceId = await newWorkspace();
    const codes = Array.from({ length: 1_200 }, (_, n) => `C-${String(n).padStart(4, "0")}`);
    const titled = (title: string) =>
      codes.map((code) => ({ code, title, description: "y".repeat(200) }));
    await bringIn(workspaceId, "control", titled("before"));
    const request = { workspaceId, kind: kindNamed("control"), format: "json" } as const;
    const { content, count } = await openExport(database.db.asTenant(workspaceId), request);
    expect(count).toBe(1_200);
    await bringIn(workspaceId, "control", titled("after"));
    let text = "";
    for await (const chunk of content) text += String(chunk);
    const titles = (JSON.parse(text) as { title: string }[]).map(({ title }) => title);
    expect(titles).toEqual(codes.map(() => "before"));
  });

  test("leaves no transaction open, nor a file, whoever reads it and however slowly", async () => {
    const workspaceId = await newWorkspace();
    const big = Array.from({ length: 1_200 }, (_, n) => ({
      code: `C-${n}`,
      title: "x",
      description: "y".repeat(500),
    }));
    await bringIn(workspaceId, "control", big);
    const db = database.db.asTenant(workspaceId);
    const request = { workspaceId, kind: "all", format: "json" } as const;
    const left = await openExport(db, request);
    const deaf = await openExport(db, request, { readerTimeoutMs: 50 });
    const ended = new Promise((resolve) => deaf.content.once("error", resolve));
    const held = await database.owner.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database()
         AND state = 'idle in transaction'`,
    );
    expect(held).toEqual([]);
    // Another process's has a name for a moment.
    const named = async () =>
      (await readdir(tmpdir())).filter((name) => name.startsWith("heliograph-spool-"));
    await waitFor(async () => (await named()).length === 0, { what: "no file to have a name" });
    left.content.destroy();
    expect(await ended).toBeInstanceOf(ReaderTooSlow);
  });
});
