/** A stretch of days in UTC. */
export interface Period {
  /** As it is written without words of any language: 2026-Q3, 2026-07, 2026-W29, 2026, 2026-07-14. */
  label: string;
  /** Its first moment. */
  from: Date;
  /** The first moment after it. */
  until: Date;
}

/** What people call periods that go on now, in any of the languages. */
const CURRENT: Record<string, Unit> = {
  today: "day",
  heute: "day",
  week: "week",
  woche: "week",
  month: "month",
  monat: "month",
  quarter: "quarter",
  quartal: "quarter",
  year: "year",
  jahr: "year",
};
type Unit = "day" | "week" | "month" | "quarter" | "year";

/** Nothing was recorded before, and nothing later can be meant. */
const FIRST_YEAR = 2000;
const LAST_YEAR = 2199;
const DAY_MS = 86_400_000;

/**
 * The period that a word names, `nowMs` being now; null: none. Weeks begin on Mondays and are numbered
 * as ISO 8601 does it.
 */
export function parsePeriod(word: string, nowMs: number): Period | null {
  const name = word.trim().toLowerCase();
  const unit = Object.hasOwn(CURRENT, name) ? CURRENT[name] : undefined;
  if (unit !== undefined) return periodAround(unit, new Date(nowMs));
  const [, year, quarter, month] = /^(\d{4})(?:-(?:q([1-4])|(\d{2})))?$/.exec(name) ?? [];
  if (year === undefined) return null;
  const of = Number(year);
  if (of < FIRST_YEAR || of > LAST_YEAR) return null;
  if (quarter !== undefined) return quarterOf(of, Number(quarter) - 1);
  if (month === undefined) return yearOf(of);
  const index = Number(month) - 1;
  return index >= 0 && index < 12 ? monthOf(of, index) : null;
}

function periodAround(unit: Unit, now: Date): Period {
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  switch (unit) {
    case "day":
      return dayOf(now);
    case "week":
      return weekOf(now);
    case "month":
      return monthOf(year, month);
    case "quarter":
      return quarterOf(year, Math.floor(month / 3));
    case "year":
      return yearOf(year);
  }
}

const midnight = (time: Date) =>
  Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate());

function dayOf(time: Date): Period {
  const from = new Date(midnight(time));
  return { label: dayNamed(from), from, until: new Date(from.getTime() + DAY_MS) };
}

/** A week belongs to the year that its Thursday is in. */
function weekOf(time: Date): Period {
  const daysSinceMonday = (time.getUTCDay() + 6) % 7;
  const from = new Date(midnight(time) - daysSinceMonday * DAY_MS);
  const thursday = new Date(from.getTime() + 3 * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS)) + 1;
  const label = `${year}-W${String(week).padStart(2, "0")}`;
  return { label, from, until: new Date(from.getTime() + 7 * DAY_MS) };
}

const monthOf = (year: number, month: number): Period => ({
  label: `${year}-${String(month + 1).padStart(2, "0")}`,
  from: new Date(Date.UTC(year, month, 1)),
  until: new Date(Date.UTC(year, month + 1, 1)),
});

/** `quarter` from 0. */
const quarterOf = (year: number, quarter: number): Period => ({
  label: `${year}-Q${quarter + 1}`,
  from: new Date(Date.UTC(year, quarter * 3, 1)),
  until: new Date(Date.UTC(year, quarter * 3 + 3, 1)),
});

const yearOf = (year: number): Period => ({
  label: String(year),
  from: new Date(Date.UTC(year, 0, 1)),
  until: new Date(Date.UTC(year + 1, 0, 1)),
});

/** Its date alone: 2026-07-14. */
export const dayNamed = (time: Date): string => time.toISOString().slice(0, 10);

/** Its last day. */
export const lastDayOf = ({ until }: Period): Date => new Date(until.getTime() - DAY_MS);
