import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../../test/support/property.ts";
import { kindNamed } from "../kinds.ts";
import { csvLine, holdsNothing, readCsv } from "./csv.ts";
import { guarded, unguarded } from "./formula-guard.ts";
import { jsonRecords } from "./json-records.ts";
import { ProblemList } from "./problems.ts";
import { type FileFormat, MAX_ENTRIES, readFile } from "./read-file.ts";
import { listCell, readListCell, readReference, referenceText } from "./references.ts";

/** Files without a database: what is read out of them, and what is said of those that are wrong. */

/** What spreadsheets, separators and escapes make something else of. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom("=", "+", "-", "@", "'", '"', ";", ",", "\\", "/", "\t", "\r", "\n", "\r\n"),
      fc.constantFrom("＝", " ", "\u202e", "\ufeff", "😀", "code"),
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(""));

describe("what is written is what is read", () => {
  test("rows of CSV, and no cell that a spreadsheet would run", () => {
    const rows = fc.array(fc.array(hostile, { minLength: 2, maxLength: 4 }), { maxLength: 5 });
    fc.assert(
      fc.property(rows, (written) => {
        const text = written.map((cells) => csvLine(cells.map(guarded))).join("");
        const read = [...readCsv(text, ",")].filter((row) => !holdsNothing(row));
        const told = written.filter((cells) => cells.some((cell) => cell !== ""));
        expect(read.map(({ cells }) => cells.map(unguarded))).toEqual(told);
        for (const { cells, fault } of read) {
          expect(fault).toBeUndefined();
          for (const cell of cells) expect(cell).not.toMatch(/^[=+\-@\t\r\n＝]/);
        }
      }),
      { numRuns: runs(40) },
    );
  });

  test("lists of references, and what a code is within", () => {
    const [requirement, control] = [kindNamed("requirement"), kindNamed("control")];
    const code = hostile.map((text) => text.trim()).filter((text) => text !== "");
    const reference = fc.record({ within: fc.option(code), code });
    fc.assert(
      fc.property(fc.array(reference, { maxLength: 4 }), (references) => {
        const texts = references.map(referenceText);
        expect(readListCell(listCell(texts))).toEqual(texts.map((text) => text.trim()));
        for (const { within, code: own } of references) {
          const kind = within === null ? control : requirement;
          const whole = { within, code: own };
          expect(readReference(kind, referenceText(whole))).toEqual(whole);
        }
      }),
      { numRuns: runs(40) },
    );
    expect(readListCell(" CC6.1 ;; CC6.2;")).toEqual(["CC6.1", "CC6.2"]);
    expect(readReference(requirement, "ISO\\/IEC 27001/A.5/1")).toEqual({
      within: "ISO/IEC 27001",
      code: "A.5/1",
    });
    expect(readReference(requirement, "CC6.1")).toEqual({ within: null, code: "CC6.1" });
  });

  test("records of JSON, however they are set, each with its line", () => {
    const record = fc.dictionary(hostile, fc.oneof(hostile, fc.array(hostile), fc.constant(null)));
    const space = fc.constantFrom(undefined, 2, "\t");
    fc.assert(
      fc.property(fc.array(record, { maxLength: 4 }), space, (records, indent) => {
        const alone = JSON.stringify(records, null, indent);
        const named = JSON.stringify({ risks: [], controls: records }, null, indent);
        for (const [text, list] of [
          [alone, null],
          [named, "controls"],
        ] as const) {
          const pieces = [...jsonRecords(text)];
          expect(pieces.map((piece) => ("json" in piece ? JSON.parse(piece.json) : piece))).toEqual(
            JSON.parse(JSON.stringify(records)),
          );
          let from = 0;
          for (const piece of pieces) {
            if (!("json" in piece)) continue;
            from = text.indexOf(piece.json, from);
            expect(piece.list).toBe(list);
            expect(piece.line).toBe(text.slice(0, from).split("\n").length);
            from += piece.json.length;
          }
        }
      }),
      { numRuns: runs(40) },
    );
  });
});

const control = kindNamed("control");

async function read(content: string | Buffer, format: FileFormat = "csv", kind = control) {
  const problems = new ProblemList();
  const file = await readFile({ content: Buffer.from(content), format, kind }, problems);
  return {
    rows: file.rows,
    entries: file.lists.flatMap(({ entries }) => entries),
    problems: problems.listed.map(({ line, column, message }) => [line, column, message]),
  };
}

describe("CSV as it comes", () => {
  test.each([
    ["commas", "code,title\nA,One\nB,Two\n"],
    ["a byte order mark, CRLF, no line end at the end", "\ufeffcode,title\r\nA,One\r\nB,Two"],
    ["semicolons", 'code;title\nA;One\n"B";"Two"\n'],
    ["tabs", "code\ttitle\nA\tOne\nB\tTwo\n"],
    ["a line of Excel's", "sep=;\r\ncode;title\r\nA;One\r\nB;Two\r\n"],
    ["headings for people, empty lines, empty columns", "Code,TITLE,,\n\nA,One,,\n,,,\nB,Two,,\n"],
  ])("%s", async (_, content) => {
    const { entries, problems } = await read(content);
    expect(problems).toEqual([]);
    expect(entries.map(({ values }) => values)).toEqual([
      { code: "A", title: "One" },
      { code: "B", title: "Two" },
    ]);
  });

  test("an empty place is no value, an empty text, or what it was", async () => {
    const { entries } = await read("code,description,status,owner,requirements\nA,,,,\n");
    expect(entries[0]?.values).toEqual({
      code: "A",
      description: "",
      owner: null,
      requirements: [],
    });
  });
});

describe("what is wrong is told by line and column, all of it, and never by value", () => {
  test("values", async () => {
    const secret = "s3cret";
    const csv = [
      "code,title,status,dueOn",
      `A,${"x".repeat(301)},done ${secret},30.11.2026`,
      '"B ","two',
      'lines",In Progress,2026-02-30',
      "C,,active,",
      `D,"${secret}" more,active,`,
      "E,too,few",
      "F,too,active,,many",
      ",no code,active,",
    ].join("\r\n");
    const { problems, rows } = await read(csv);
    expect(rows).toBe(7);
    expect(problems).toEqual([
      [2, "title", "has more than 300 characters"],
      [2, "status", "is one of to_do, in_progress, active, degraded, deprecated"],
      [2, "dueOn", "is a date like 2026-11-30"],
      [3, "code", "begins or ends with a space"],
      [3, "title", "is one line, without control characters"],
      [3, "dueOn", "is a date like 2026-11-30"],
      [5, "title", "is empty"],
      [6, null, "a cell goes on after its closing quotation mark"],
      [7, null, "has 3 cells where 4 columns are named"],
      [8, null, "has more cells than the 4 columns that are named"],
      [9, "code", "is empty"],
    ]);
    expect(JSON.stringify(problems)).not.toContain(secret);
  });

  test.each<[string, string | Buffer, FileFormat, unknown[]]>([
    [
      "a code that stands twice names both lines, past breaks inside quotation marks",
      'code,description\r\nA,"x\r\n\r\ny"\r\nB,x\r\nA,x\r\n',
      "csv",
      [[6, "code", "is in line 2, too"]],
    ],
    [
      "columns that nobody knows name the nearest",
      "code,titel,colour\nA,x,y\n",
      "csv",
      [
        [1, "titel", "there is no such column; is it title?"],
        [1, "colour", expect.stringMatching(/^there is no such column/)],
      ],
    ],
    [
      "a column twice",
      "code,title,Title\nA,x,y\n",
      "csv",
      [[1, "title", "is there more than once"]],
    ],
    [
      "no columns at all",
      "A,One\nB,Two\n",
      "csv",
      [[1, null, "the first line names the columns, and code must be among them"]],
    ],
    ["nothing", "", "csv", [[1, null, "the file is empty"]]],
    ["no table", ",".repeat(1_000_000), "csv", [[1, null, "has more than 1000 cells"]]],
    [
      "a row without an end",
      `code,title\nA,x\nB,${"x".repeat(1_100_000)}\nC,y\n`,
      "csv",
      [[3, null, expect.stringMatching(/longer than 1 MB/)]],
    ],
    [
      "a cell without an end",
      `code,title\nB,"${'""'.repeat(600_000)}"\nC,y\n`,
      "csv",
      [[2, null, expect.stringMatching(/longer than 1 MB/)]],
    ],
    [
      "lists without an end",
      `{${'"controls": [],'.repeat(200)}"controls": []}`,
      "json",
      [[1, null, "the file has more than 100 lists"]],
    ],
    [
      "a quotation mark that is never closed",
      'code,title\nA,"x\nB,y\n',
      "csv",
      [[2, null, "a quotation mark is opened and never closed"]],
    ],
    [
      "another encoding",
      Buffer.from("code,title\nA,caf\xe9\n", "latin1"),
      "csv",
      [[2, null, expect.stringMatching(/no UTF-8/)]],
    ],
    [
      "UTF-16",
      Buffer.from("\ufeffcode,title\n", "utf16le"),
      "csv",
      [[1, null, expect.stringMatching(/UTF-16/)]],
    ],
    ["NUL", "code,title\nA,x\0\n", "csv", [[2, "title", "has NUL or half of a character in it"]]],
    [
      "codes and titles that are not what they look like",
      [
        "code,title",
        "A\x07,bell",
        "B\u202Ecod,turned",
        "C\u200B,not to be seen",
        'D,"two\nlines"',
        "E,invoice \u202Efdp.exe",
        "F,ended\u2069",
        "G,\u2066ended\u202C",
        "H,one\u2028two",
        "I\0,NUL",
        "J,\u2067\u05D0\u05D1\u2069 turned back \u200F\u05D0",
      ].join("\n"),
      "csv",
      [
        [2, "code", "is one line, of what can be seen"],
        [3, "code", "is one line, of what can be seen"],
        [4, "code", "is one line, of what can be seen"],
        [5, "title", "is one line, without control characters"],
        [7, "title", "turns the direction of writing, and not back again"],
        [8, "title", "turns the direction of writing, and not back again"],
        [9, "title", "turns the direction of writing, and not back again"],
        [10, "title", "is one line, without control characters"],
        [11, "code", "has NUL or half of a character in it"],
      ],
    ],
    [
      "values of another type",
      '[{"code": 7},\n{"code": "A", "title": "\\ud800", "requirements": "x"}, {"title": "x"}]',
      "json",
      [
        [1, "code", "is a text, in quotation marks"],
        [2, "title", "has NUL or half of a character in it"],
        [2, "requirements", "is a list of codes"],
        [2, "code", "is needed"],
      ],
    ],
    ["what is no JSON", '[\n{"code": A}]', "json", [[2, null, "is not written as JSON"]]],
    ["a file that ends early", '[{"code": "A"},\n\n', "json", [[3, null, expect.any(String)]]],
    [
      "another kind's list",
      '{"risks": [{"code": "A"}]}',
      "json",
      [[1, "risks", "another kind of entry: import kind=all"]],
    ],
  ])("%s", async (_, content, format, expected) => {
    expect((await read(content, format)).problems).toEqual(expected);
  });
});

describe("a file that is made to be too much", () => {
  test.each<[string, FileFormat, string]>([
    ["CSV", "csv", `code,title${"\nA,x".repeat(MAX_ENTRIES + 1_000)}`],
    ["JSON", "json", `[${"{},".repeat(MAX_ENTRIES + 1_000)}{}]`],
  ])("of %s is read to the most entries that there may be", async (_, format, content) => {
    const { rows, problems } = await read(content, format);
    expect(rows).toBe(MAX_ENTRIES);
    expect(problems.length).toBeGreaterThan(0);
  });

  test.each([
    ["empty lines", `code,title\n${"\n".repeat(3_000_000)}`],
    ["empty rows", `code,title\n${",\n".repeat(1_500_000)}`],
  ])("of %s lets other work be done meanwhile", async (_, content) => {
    let turns = 0;
    let next = setImmediate(function other() {
      turns++;
      next = setImmediate(other);
    });
    await read(content);
    clearImmediate(next);
    expect(turns).toBeGreaterThan(0);
  });
});
