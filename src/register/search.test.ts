import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { fc, runs } from "../../test/support/property.ts";
import { rowsRead } from "../../test/support/rows-read.ts";
import { type Database, openDatabase } from "../platform/index.ts";
import { MAX_FOUND, type RegisterSearch, searchRegister } from "./search.ts";

const own = randomUUID();
const neighbour = randomUUID();
/** With one entry that all queries of narrowness match as well. */
const crowd = randomUUID();
const CROWD = 3_000;
const TABLES = ["controls", "risks", "evidence"];

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, max: 1 });
  for (const table of TABLES) {
    await database.owner.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  for (const id of [own, neighbour, crowd]) {
    await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [id]);
  }
  await db.query(
    `INSERT INTO controls (workspace_id, code, title, description, status)
     SELECT $1, t.code, t.title, t.description, 'in_progress' FROM (VALUES
       ('CC6.1', 'Access review', 'Rights are looked at every quarter'),
       ('CC6.10', 'Access of guests', ''),
       ('iso-5', 'Backups', 'A restore is tried; see CC6.1'),
       ('Ä-1', 'Prüfung der Zugänge', 'Größe'),
       ('КТ-1', 'Ежегодный обзор', 'Отчёт'),
       ('JP-1', 'アクセス管理', '権限を確認する'),
       ('W-1', 'Ｆｕｌｌ width', 'naïve Ελλάς')
     ) t(code, title, description)`,
    [own],
  );
  await db.query(
    `INSERT INTO risks (workspace_id, code, title, description) VALUES
       ($1, 'R-12', 'Ransomware', 'Access is lost'), ($1, 'R-1', 'Reviewers leave', ''),
       ($2, 'R-9', 'Access review of the neighbour', '')`,
    [own, neighbour],
  );
  await db.query(
    `INSERT INTO evidence (workspace_id, type, description, status, created_by) VALUES
       ($1, 'screenshot', 'Access list of May', 'approved', 'key:1'),
       ($1, 'document', '', 'draft', 'key:1')`,
    [own],
  );
  for (const table of ["controls", "risks"]) {
    await db.query(
      `INSERT INTO ${table} (workspace_id, code, title, description)
       SELECT $1, 'C-' || lpad(n::text, 6, '0'), 'Control of access number ' || n, 'crowded words'
       FROM generate_series(1, ${CROWD}) n`,
      [crowd],
    );
  }
  // As an index is that has stood for a while: nothing waits to become part of it.
  for (const table of TABLES) {
    await database.owner.query("SELECT gin_clean_pending_list($1::regclass)", [`${table}_words`]);
  }
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const search = (query: string, more: Partial<RegisterSearch> = {}) =>
  searchRegister(db, { workspaceId: own, query, limit: 50, offset: 0, ...more });
const codes = async (query: string, more?: Partial<RegisterSearch>) =>
  (await search(query, more)).map(({ code }) => code);

const evidenceCodes = async () =>
  (
    await db.query<{ code: string }>(
      "SELECT 'EV-' || number AS code FROM evidence WHERE workspace_id = $1 ORDER BY number",
      [own],
    )
  ).map(({ code }) => code);

describe("a search", () => {
  test("finds entries that hold all the words, each by its beginning, in code, title or description", async () => {
    const [list] = await evidenceCodes();
    expect(await codes("access")).toEqual(["CC6.1", "CC6.10", list, "R-12"]);
    expect(await codes("quarter rev")).toEqual(["CC6.1"]);
    expect(await codes("acc", { kinds: ["risk"] })).toEqual(["R-12"]);
    expect(await codes("access unheard")).toEqual([]);
    expect(await search("ransom")).toEqual([
      {
        kind: "risk",
        id: expect.any(String),
        code: "R-12",
        title: "Ransomware",
        description: "Access is lost",
        status: "open",
      },
    ]);
  });

  test("what is called exactly so goes first, then codes that begin so, then titles", async () => {
    const [list = "", nameless = ""] = await evidenceCodes();
    expect((await codes("cc6.1")).slice(0, 3)).toEqual(["CC6.1", "CC6.10", "iso-5"]);
    expect((await codes("cc61"))[0]).toBe("CC6.1");
    expect((await codes("ISO-5"))[0]).toBe("iso-5");
    expect(await codes(nameless)).toEqual([nameless]);
    expect((await codes(list.replace("EV-", "ev ")))[0]).toBe(list);
    expect(await search(nameless)).toMatchObject([{ kind: "evidence", title: "document" }]);
  });

  test("case, accents and width make no difference; scripts without spaces are found inside", async () => {
    expect(await codes("PRUFUNG zugange")).toEqual(["Ä-1"]);
    expect(await codes("grösse")).toEqual(["Ä-1"]);
    expect(await codes("ОТЧЕТ")).toEqual(["КТ-1"]);
    expect(await codes("セス管")).toEqual(["JP-1"]);
    expect(await codes("確認")).toEqual(["JP-1"]);
    expect(await codes("full NAIVE ελλασ")).toEqual(["W-1"]);
  });

  test("an entry of characters that are six words each is written, and found", async () => {
    const text = (length: number) => "㌖".repeat(length);
    const many = db.transaction(async (tx) => {
      await tx.query(
        "INSERT INTO controls (workspace_id, code, title, description) VALUES ($1, $2, $3, $4)",
        [own, text(60), text(300), text(10_000)],
      );
      const found = await searchRegister(tx, {
        workspaceId: own,
        query: "キロメートル",
        limit: 5,
        offset: 0,
      });
      expect(found).toMatchObject([{ code: text(60) }]);
      throw new Error("only tried");
    });
    await expect(many).rejects.toThrow("only tried");
  });

  test("one letter or two are looked for at the beginnings of words of codes and titles", async () => {
    expect(await codes("b")).toEqual(["iso-5"]);
    expect(await codes("of", { kinds: ["control"] })).toEqual(["CC6.10"]);
  });

  test("without words: entries by code, evidence from the newest on, in pages", async () => {
    const [list, nameless] = await evidenceCodes();
    expect(await codes("", { kinds: ["evidence"] })).toEqual([nameless, list]);
    const all = await codes(" ");
    expect(all).toHaveLength(11);
    const pages = [0, 4, 8].map((offset) => codes("", { limit: 4, offset }));
    expect((await Promise.all(pages)).flat()).toEqual(all);
  });

  test("whatever is typed has an answer, of one's own workspace", async () => {
    const letters = fc.constantFrom(..."a&|!:*()<->'\"\\%_$\0\ud800\u202e;,./@#アé1 ".split(""));
    const hostile = fc.oneof(
      fc.array(letters, { maxLength: 40 }).map((some) => some.join("")),
      fc.string({ unit: "binary", maxLength: 300 }),
    );
    const owned = new Set((await search("")).map(({ id }) => id));
    await fc.assert(
      fc.asyncProperty(hostile, async (query) => {
        for (const { id } of await search(query)) expect(owned).toContain(id);
      }),
      {
        numRuns: runs(25),
        examples: [["'access' | 'x':*"], ["!!!"], ["x".repeat(10_000)], ["a b ".repeat(99)]],
      },
    );
    expect(await codes("&|!:*()")).toEqual([]);
    expect(await codes("access'); DROP TABLE risks; --")).toEqual([]);
  });
});

describe("among many", () => {
  const read = (query: string, more?: Partial<RegisterSearch>) =>
    rowsRead(db, TABLES, () => search(query, more));

  test("a search reads what its own workspace has, whatever a neighbour has", async () => {
    for (const query of ["access", "acc", "c", "control", "access number", "crowded", ""]) {
      const reads = await read(query);
      expect({ query, reads, few: reads < 60 }).toEqual({ query, reads, few: true });
    }
  });

  test("of thousands that match no more are read and put in order than can be shown", async () => {
    const asked = { workspaceId: crowd, kinds: ["control"] as const };
    for (const query of ["c", "control access", "crowded"]) {
      const found = await search(query, { ...asked, limit: MAX_FOUND });
      expect({ query, found: found.length }).toEqual({ query, found: MAX_FOUND });
    }
    expect(await codes("C-000123", asked)).toEqual(["C-000123"]);
    expect(await codes("control", { ...asked, limit: 9, offset: MAX_FOUND - 3 })).toHaveLength(3);
    expect(await codes("control", { ...asked, offset: MAX_FOUND })).toEqual([]);
  });
});
