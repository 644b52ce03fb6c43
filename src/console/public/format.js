/** Numbers and times as people read them. Times are of the reader's own clock and zone. */

const whole = new Intl.NumberFormat("en");
export const count = (n) => whole.format(n);

/** "12 ms", "3.4 s", "5 min 20 s", "3 h 5 min", "2 d 4 h". */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1_000) return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
  if (ms < 60_000) return `${ms < 10_000 ? Math.round(ms / 100) / 10 : Math.round(ms / 1_000)} s`;
  const two = (big, bigWord, small, smallWord) =>
    small === 0 ? `${big} ${bigWord}` : `${big} ${bigWord} ${small} ${smallWord}`;
  const s = Math.floor(ms / 1_000);
  if (s < 3_600) return two(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86_400) return two(Math.floor(s / 3_600), "h", Math.floor((s % 3_600) / 60), "min");
  return two(Math.floor(s / 86_400), "d", Math.floor((s % 86_400) / 3_600), "h");
}

/** In one unit, where several stand side by side. */
export function shortDuration(ms) {
  if (ms < 60_000) return duration(ms);
  const [n, unit] = ms < 3_600_000 ? [ms / 60_000, "min"] : [ms / 3_600_000, "h"];
  return `${n < 10 ? Math.round(n * 10) / 10 : Math.round(n)} ${unit}`;
}

export const bytes = (n) =>
  n < 2 ** 30 ? `${Math.round(n / 2 ** 20)} MB` : `${Math.round((n / 2 ** 30) * 10) / 10} GB`;

export const rate = (n) => `${n < 10 ? Math.round(n * 100) / 100 : Math.round(n)}/s`;

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dated = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** The time of day today, with the date otherwise. */
export function time(iso) {
  if (iso === null || iso === undefined) return "–";
  const at = new Date(iso);
  return at.toDateString() === new Date().toDateString() ? clock.format(at) : dated.format(at);
}

export const ago = (iso, nowMs = Date.now()) =>
  `${duration(Math.max(0, nowMs - new Date(iso)))} ago`;
