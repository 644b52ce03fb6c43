import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../../test/support/property.ts";
import { dayNamed, lastDayOf, type Period, parsePeriod } from "./period.ts";

const NOW = Date.UTC(2026, 6, 14, 23, 59, 59);
const shown = (period: Period | null) =>
  period && [period.label, dayNamed(period.from), dayNamed(lastDayOf(period))];

describe("a period", () => {
  test.each([
    ["today", ["2026-07-14", "2026-07-14", "2026-07-14"]],
    ["Week", ["2026-W29", "2026-07-13", "2026-07-19"]],
    ["monat", ["2026-07", "2026-07-01", "2026-07-31"]],
    ["QUARTER", ["2026-Q3", "2026-07-01", "2026-09-30"]],
    ["year", ["2026", "2026-01-01", "2026-12-31"]],
    ["2026-q3", ["2026-Q3", "2026-07-01", "2026-09-30"]],
    ["2024-02", ["2024-02", "2024-02-01", "2024-02-29"]],
    ["2025", ["2025", "2025-01-01", "2025-12-31"]],
  ])("%s", (word, expected) => {
    expect(shown(parsePeriod(word, NOW))).toEqual(expected);
  });

  test.each(["", "2026-Q5", "2026-13", "2026-00", "26-Q1", "1999", "yesterday", "constructor"])(
    "is not %j",
    (word) => {
      expect(parsePeriod(word, NOW)).toBeNull();
    },
  );

  test("the week belongs to the year of its Thursday", () => {
    expect(shown(parsePeriod("week", Date.UTC(2027, 0, 1)))).toEqual([
      "2026-W53",
      "2026-12-28",
      "2027-01-03",
    ]);
  });

  test("one that goes on holds this moment, whole days of it, and its label names it again", () => {
    const moment = fc.date({
      min: new Date(Date.UTC(2000, 0, 10)),
      max: new Date(Date.UTC(2199, 11, 20)),
      noInvalidDate: true,
    });
    const unit = fc.constantFrom("today", "week", "month", "quarter", "year");
    fc.assert(
      fc.property(moment, unit, (now, word) => {
        const period = parsePeriod(word, now.getTime());
        if (period === null) throw new Error("no period");
        const { from, until, label } = period;
        expect(from <= now && now < until).toBe(true);
        expect([from, until].map((time) => time.getTime() % 86_400_000)).toEqual([0, 0]);
        if (word === "today" || word === "week") return;
        expect(parsePeriod(label, 0)).toEqual(period);
      }),
      { numRuns: runs(200) },
    );
  });

  test("nothing that is typed makes it throw", () => {
    fc.assert(
      fc.property(fc.string(), (word) => {
        const period = parsePeriod(word, NOW);
        expect(period === null || period.from < period.until).toBe(true);
      }),
    );
  });
});
