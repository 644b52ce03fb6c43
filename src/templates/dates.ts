const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const DATETIME = /^(\d{4}-\d\d-\d\d)T(\d\d):(\d\d)(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;
const ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/;
const MAX_ZONE_LENGTH = 64;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Whether it is a name of the IANA time zone database that this Node knows. */
export function isTimeZone(zone: string): boolean {
  if (zone.length > MAX_ZONE_LENGTH || !ZONE.test(zone)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/**
 * `2026-11-22` as `22 Nov 2026`, which nobody takes for another day. A day has no time zone. Null for
 * what is no day of the calendar.
 */
export function dateText(value: string): string | null {
  const [, year = "", month = "", day = ""] = DATE.exec(value) ?? [];
  // Date.UTC takes years under 100 for others; a day too many becomes one of the next month.
  const time = new Date(Date.UTC(2000, Number(month) - 1, Number(day)));
  time.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  if (year === "" || Number(year) === 0 || time.toISOString().slice(0, 10) !== value) return null;
  return `${Number(day)} ${MONTHS[Number(month) - 1]} ${year}`;
}

/**
 * An RFC 3339 time as it is in `timeZone`, with the zone's offset at that time: `22 Nov 2026, 14:05
 * UTC+1`. Null for what is no time.
 */
export function datetimeText(value: string, timeZone: string): string | null {
  const [, day = "", hour] = DATETIME.exec(value) ?? [];
  const time = new Date(value);
  if (dateText(day) === null || Number(hour) > 23 || Number.isNaN(time.getTime())) return null;
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    calendar: "gregory",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZoneName: "shortOffset",
  }).formatToParts(time);
  const part = (type: Intl.DateTimeFormatPartTypes) =>
    parts.find((one) => one.type === type)?.value ?? "";
  const date = `${Number(part("day"))} ${MONTHS[Number(part("month")) - 1]} ${part("year")}`;
  const offset = part("timeZoneName").replace(/^GMT(?:\+0$)?/, "UTC");
  return `${date}, ${part("hour")}:${part("minute")} ${offset}`;
}
