import type { QueueStats } from "../jobs/index.ts";

/**
 * The last minutes of the queues' figures, for charts: as long as somebody looks at the console of
 * this process. Columns rather than rows, because that is what charts take and a third of the size.
 */
export interface HistoryColumns {
  /** Seconds since the epoch. */
  at: number[];
  queues: Record<string, Record<Figure, Array<number | null>>>;
}

const FIGURES = {
  waiting: ({ counts }: QueueStats) => counts.available + counts.retryable,
  // Nothing waits: no age, and a line that says so.
  oldestMs: (stats: QueueStats) => stats.oldestWaitingMs ?? 0,
  perSecond: (stats: QueueStats) => stats.perSecond,
  waitP95Ms: (stats: QueueStats) => stats.waitMs.p95,
  runP95Ms: (stats: QueueStats) => stats.runMs.p95,
};
export type Figure = keyof typeof FIGURES;

/** Charts count in seconds. */
const secondsOf = (atMs: number) => Math.round(atMs / 100) / 10;

const KEPT_MS = 15 * 60_000;
const MAX_POINTS = 450;
const GAP_MS = 20_000;

/** The figures of one moment, as charts show them. */
export function pointOf(all: QueueStats[]): Record<string, Record<Figure, number | null>> {
  return Object.fromEntries(
    all.map((stats) => [
      stats.name,
      Object.fromEntries(
        Object.entries(FIGURES).map(([name, figure]) => [name, figure(stats)]),
      ) as Record<Figure, number | null>,
    ]),
  );
}

export class History {
  private points: { atMs: number; queues: ReturnType<typeof pointOf> }[] = [];

  /** Answers what it kept of them. */
  add(atMs: number, all: QueueStats[]): ReturnType<typeof pointOf> {
    const queues = pointOf(all);
    const last = this.points.at(-1);
    // Nobody looked for a while: the line ends, and begins again.
    if (last !== undefined && atMs - last.atMs > GAP_MS) {
      this.points.push({ atMs: last.atMs + 100, queues: {} });
    }
    this.points.push({ atMs, queues });
    this.points.splice(0, this.points.length - MAX_POINTS);
    return queues;
  }

  columns(nowMs: number): HistoryColumns {
    this.points = this.points.filter((point) => point.atMs > nowMs - KEPT_MS);
    const names = Object.keys(this.points.at(-1)?.queues ?? {});
    const figures = Object.keys(FIGURES) as Figure[];
    const columns = (queue: string) =>
      Object.fromEntries(
        figures.map((figure) => [
          figure,
          this.points.map((point) => point.queues[queue]?.[figure] ?? null),
        ]),
      ) as Record<Figure, Array<number | null>>;
    return {
      at: this.points.map((point) => secondsOf(point.atMs)),
      queues: Object.fromEntries(names.map((queue) => [queue, columns(queue)])),
    };
  }
}
