import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../../test/support/property.ts";
import { formatMessage, MAX_PART_LENGTH } from "../../outbound/index.ts";
import type { RegisterSummary, TopRisk } from "../../register/index.ts";
import { chooseFramework } from "./choose-framework.ts";
import { commandLists } from "./command-list.ts";
import { overviewPage, unknownFramework } from "./compliance-pages.ts";
import { dataOf, type Press, readPress } from "./page-buttons.ts";
import { readReport } from "./reports-command.ts";
import { levelNamed, levelPage, pageOfRisks, risksPage } from "./risk-pages.ts";
import { ALL_TEXTS, type Texts, textsFor } from "./texts.ts";

const ID = "0191e4a2-7c1d-4e0f-9b3a-5d2c8f6e1a70";
const NO_RISKS = { total: 0, critical: 0, high: 0, medium: 0, low: 0, unassessed: 0 };
const summaryOf = (frameworks: number, title: string, risks = NO_RISKS): RegisterSummary => ({
  score: frameworks === 0 ? null : 82,
  frameworks: Array.from({ length: frameworks }, (_, n) => ({
    id: ID,
    code: `F${n}`,
    title,
    score: n % 2 === 0 ? 82 : null,
  })),
  criticalIssues: 1_234_567,
  openTasks: 0,
  risks,
  updatedAt: new Date("2026-07-14T10:05:59Z"),
});
const english = textsFor("en-US");

/** What people see of it: its markup must be Telegram's. */
function seen(html: string): string {
  const { text, cuts } = formatMessage({ text: html, format: "html" });
  expect(cuts).toBeNull();
  expect(text.length).toBeLessThanOrEqual(MAX_PART_LENGTH);
  return text;
}

describe("the page of /compliance", () => {
  test("has its parts in their order", () => {
    const { html, buttons } = overviewPage(english, summaryOf(2, "ISO <27001>"), {
      page: 0,
      shownId: ID,
    });
    expect(seen(html).split("\n")).toEqual([
      "📋 Compliance status",
      "",
      "Overall score: 82 of 100",
      "Critical issues: 1,234,567",
      "Open tasks: 0",
      "Last updated: 2026-07-14 10:05 UTC",
      "",
      "• ISO <27001>: 82 of 100",
      "• ISO <27001>: no score yet",
    ]);
    expect(buttons).toEqual([]);
  });

  test("says so where there is nothing, in the reader's language", () => {
    const { html } = overviewPage(textsFor("de"), summaryOf(0, ""), { page: 0, shownId: ID });
    expect(seen(html)).toContain("Gesamtwert: noch ohne Wert");
    expect(seen(html)).toContain("Kritische Probleme: 1.234.567");
    expect(seen(html)).toContain("Es gibt noch keine Rahmenwerke.");
  });

  test("turns both ways; a page that there is not is the last", () => {
    const wanted = (page: number) =>
      overviewPage(english, summaryOf(25, "F"), { page, shownId: ID });
    expect(wanted(0).buttons).toEqual([
      [{ text: "▶", data: dataOf({ kind: "frameworks", page: 1, shownId: ID }) }],
    ]);
    expect(wanted(1).buttons?.[0]).toHaveLength(2);
    expect(wanted(999)).toMatchObject({ page: 2, pages: 3 });
    expect(seen(wanted(999).html)).toContain("Page 3 of 3");
  });
});

describe("pages with hostile names", () => {
  const name = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.constantFrom("<b>", "&amp;", "</code>", "\u202Egnp.exe", "x".repeat(300), "\n\n", "🧨\0"),
  );
  test("are sent as one message, in any language", () => {
    fc.assert(
      fc.property(name, fc.constantFrom(...ALL_TEXTS), (title, texts: Texts) => {
        const shownId = ID;
        const risk: TopRisk = {
          id: ID,
          code: title.slice(0, 60) || "R",
          title,
          score: 20,
          level: "critical",
          treatment: "avoid",
        };
        const top = Array.from({ length: 5 }, () => risk);
        const summary = summaryOf(40, title, { ...NO_RISKS, total: 900, critical: 900 });
        const near = summary.frameworks.slice(0, 3);
        const pages = [
          overviewPage(texts, summary, { page: 1, shownId }),
          risksPage(texts, summary, { top, shownId, mayAssess: true }),
          levelPage(texts, summary, { level: "critical", top, page: 99, shownId }),
          unknownFramework(texts, title, { near, shownId }),
        ];
        for (const { html, buttons = [] } of pages) {
          seen(html);
          expect(html).not.toMatch(/[\u202A-\u202E\u2066-\u2069]/);
          for (const { data = "", text } of buttons.flat()) {
            expect(Buffer.byteLength(data)).toBeLessThanOrEqual(64);
            expect(text).not.toBe("");
          }
        }
      }),
      { numRuns: runs(60) },
    );
  });
});

describe("data of buttons", () => {
  const page = fc.integer({ min: 0, max: 9_999 });
  const shownId = fc.uuid();
  const press: fc.Arbitrary<Press> = fc.oneof(
    fc.constant<Press>({ kind: "help" }),
    fc.record({ kind: fc.constant("frameworks" as const), page, shownId }),
    fc.record({ kind: fc.constant("framework" as const), frameworkId: fc.uuid(), shownId }),
    fc.record({
      kind: fc.constant("risks" as const),
      level: fc.constantFrom(
        "critical" as const,
        "high" as const,
        "medium" as const,
        "low" as const,
      ),
      page,
      shownId,
    }),
  );
  test("comes back as it was, in 64 bytes", () => {
    fc.assert(
      fc.property(press, (one) => {
        const data = dataOf(one);
        expect(Buffer.byteLength(data)).toBeLessThanOrEqual(64);
        expect(readPress(data.replace(/^hg:l:/, ""))).toEqual(one);
      }),
      { numRuns: runs(200) },
    );
  });

  test.each(["", "h:1", "c", "c:1", "c:-1:x", "r:x:0:x", `constructor:${"A".repeat(22)}`])(
    "%j is none",
    (data) => expect(readPress(data)).toBeNull(),
  );
});

describe("the framework that a name means", () => {
  const frameworks = [
    ["ISO27001", "Information security"],
    ["iso9001", "Quality"],
    ["SOC2", "Trust services"],
    ["DSGVO", "Datenschutz-Grundverordnung"],
  ].map(([code = "", title = ""]) => ({ id: code, code, title }));

  test.each([
    ["ISO27001", "ISO27001"],
    ["iso 27001", "ISO27001"],
    ["ISO-9001", "iso9001"],
    ["trust SERVICES", "SOC2"],
    ["ＳＯＣ２", "SOC2"],
  ])("%s", (name, id) => {
    expect(chooseFramework(name, frameworks)).toMatchObject({ found: { id } });
  });

  test.each<[string, string[]]>([
    ["ISO27101", ["ISO27001", "iso9001"]],
    ["sco2", ["SOC2"]],
    ["Informaton securty", ["ISO27001"]],
    ["iso 27", ["ISO27001"]],
    ["Datenschutz", ["DSGVO"]],
    ["is", []],
    ["something else", []],
    ["", []],
  ])("%j is none of them: perhaps one of %j", (name, ids) => {
    const choice = chooseFramework(name, frameworks);
    expect("near" in choice && choice.near.map(({ id }) => id)).toEqual(ids);
  });
});

describe("what is asked of reports and risks", () => {
  const NOW = Date.UTC(2026, 6, 14);
  const asked = (...words: string[]) => readReport(english, words, NOW);

  test("a type and a period, in either language", () => {
    expect(asked("Risiko", "QUARTAL")).toMatchObject({
      type: "risk",
      period: { label: "2026-Q3" },
    });
    expect(asked("audit", "2026-07")).toMatchObject({ type: "audit" });
    expect(levelNamed(" Kritisch ")).toBe("critical");
    expect(levelNamed("toString")).toBeNull();
  });

  test.each<[string[], string]>([
    [[], "Usage: /reports [type] [period]"],
    [["risk"], "Example: /reports compliance month"],
    [["risks!", "month"], "I know no report called “risks!”."],
    [["risk", "sometime"], "“sometime” is no period that I know."],
    [["risk", "2027"], "This period has not begun yet."],
  ])("%j is answered by how to ask", (words, told) => {
    const answer = asked(...words);
    expect("html" in answer && seen(answer.html)).toContain(told);
  });

  test("the ten thousandth risk is on no page", () => {
    expect(pageOfRisks(0, 3)).toEqual({ page: 0, pages: 1 });
    expect(pageOfRisks(11, 3)).toEqual({ page: 2, pages: 3 });
    expect(pageOfRisks(1_000_000, 9_999)).toEqual({ page: 99, pages: 100 });
  });
});

test("command lists are Telegram's, and what shows over a button fits there", () => {
  const lists = commandLists();
  expect(lists.map(({ scope, languageCode }) => [scope?.type, languageCode])).toEqual([
    [undefined, undefined],
    ["all_group_chats", undefined],
    [undefined, "de"],
    ["all_group_chats", "de"],
  ]);
  for (const { command, description } of lists.flatMap(({ commands }) => commands)) {
    expect(command).toMatch(/^[a-z0-9_]{1,32}$/);
    expect(description.length).toBeGreaterThan(0);
    expect(description.length).toBeLessThanOrEqual(256);
  }
  for (const texts of ALL_TEXTS) {
    const { nothingBehindButton, onlyInPrivate, tooOld, refusedShort, help } = texts;
    for (const text of [nothingBehindButton, onlyInPrivate, tooOld, refusedShort, help.sent]) {
      expect(text.length).toBeLessThanOrEqual(200);
    }
  }
});
