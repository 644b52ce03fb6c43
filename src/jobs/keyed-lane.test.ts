import { afterEach, describe, expect, jest, test } from "@jest/globals";
import { fc, runs } from "../../test/support/property.ts";
import type { ClaimedJob } from "./claim.ts";
import type { Candidate, Walked } from "./key-claim.ts";
import { KeyedLane } from "./keyed-lane.ts";
import type { LaneReader } from "./lane-reader.ts";
import type { JobState } from "./types.ts";

/**
 * The memory of a drain against a lane that is looked at whole: whatever happens to the lane, what is
 * claimed is what a look at everything would give, though pages are of three candidates, a look walks no more
 * than forty jobs of a stream unless one before it was cut short, and two keys of a class are enough.
 */
const PAGE = 3;
const MOST_WALKED = 40;
const ENOUGH = 2;
const KEYS = ["a", "b", "c", "d", "e"];

interface Row {
  id: number;
  key: string;
  priority: number;
  state: JobState;
  runAt: number;
  createdAt: number;
  /** It was committed after its time, or changed by hand: known by then at the latest. */
  lateUntil: number;
}

/** A lane as Postgres has it, with the statements of key-claim.ts in plain words. */
class Lane implements LaneReader {
  readonly page: number;
  readonly rows: Row[] = [];
  seq = 0;
  changedSeq = 0;
  now = 1_000_000;

  constructor(page = PAGE) {
    this.page = page;
  }

  add(key: string, priority: number, inMs: number): void {
    const runAt = this.now + inMs;
    const createdAt = inMs < 0 ? runAt - 1 : this.now;
    const lateUntil = inMs < 0 ? this.now + 1_000 : 0;
    const id = this.rows.length + 1;
    this.rows.push({ id, key, priority, state: "available", runAt, createdAt, lateUntil });
    this.seq++;
  }

  private isScheduled(row: Row): boolean {
    return row.state === "available" && row.runAt > row.createdAt;
  }

  private isAtOnce(row: Row): boolean {
    return row.state === "available" && row.runAt <= row.createdAt;
  }

  async look(...[streams, { ownIds, passed, unbounded }]: Parameters<LaneReader["look"]>) {
    const isPassed = ({ key, priority }: Row) =>
      passed.some((one) => one.key === key && one.priority === priority);
    const walked: Walked[] = [];
    const candidates = streams.flatMap((stream): Candidate[] => {
      const { isTimed } = stream;
      const after = stream.afterAt === "-infinity" ? -1 : Number(stream.afterAt);
      const isOf = (row: Row) =>
        isTimed
          ? (row.state === "retryable" || this.isScheduled(row)) &&
            row.runAt <= this.now &&
            (row.runAt > after || (row.runAt === after && row.id > Number(stream.afterId)))
          : this.isAtOnce(row) && row.id > Number(stream.afterId);
      const rows = this.rows
        .filter((row) => row.priority === stream.priority && isOf(row))
        .sort((a, b) => (isTimed ? a.runAt - b.runAt : 0) || a.id - b.id);
      const most = isTimed || unbounded ? rows.length : MOST_WALKED;
      const last = isTimed ? undefined : rows.slice(0, most).at(-1);
      const seen = rows
        .slice(0, most)
        .filter((row) => row === last || !isPassed(row))
        .slice(0, this.page);
      if (last !== undefined && seen.includes(last)) {
        const hasMore = !unbounded && rows[most - 1] !== undefined;
        walked.push({ ...stream, afterId: String(last.id), hasMore });
      }
      return seen
        .filter((row) => !isPassed(row))
        .map(({ key, priority, id, runAt }) => ({
          isTimed,
          priority,
          key,
          id: String(id),
          at: isTimed ? String(runAt) : "-infinity",
        }));
    });
    const isLive = ({ state }: Row) => /available|running|retryable/.test(state);
    return {
      seq: String(this.seq),
      changedSeq: String(this.changedSeq),
      claimedAt: String(this.now),
      isEmpty: !this.rows.some(isLive),
      running: this.rows
        .filter(({ state, id }) => state === "running" && !ownIds.includes(String(id)))
        .map(({ id, key }) => ({ id: String(id), key })),
      candidates,
      walked,
    };
  }

  /** The head of a key, as NewJob and LaneRunner promise it. */
  head(key: string): (Row & { lent: number }) | undefined {
    const holding = this.rows.filter(
      (row) =>
        row.key === key &&
        (row.state === "running" ||
          row.state === "retryable" ||
          this.isAtOnce(row) ||
          (this.isScheduled(row) && row.runAt <= this.now)),
    );
    const critical = holding.filter(({ priority }) => priority === 0);
    const inPlace = (critical.length > 0 ? critical : holding).filter(
      (row) => !this.isScheduled(row),
    );
    const scheduled = (critical.length > 0 ? critical : holding)
      .filter((row) => this.isScheduled(row))
      .sort((a, b) => a.runAt - b.runAt || a.id - b.id)[0];
    const [first] = inPlace;
    const isFirst =
      first !== undefined &&
      (scheduled === undefined || first.state !== "available" || first.runAt <= scheduled.runAt);
    // A critical one in place passes a scheduled one of its class: as the statement has it.
    const head = critical.length > 0 && first !== undefined ? first : isFirst ? first : scheduled;
    if (head === undefined) return undefined;
    const lent = holding.filter((row) => !this.isScheduled(row)).map(({ priority }) => priority);
    return { ...head, lent: Math.min(head.priority, ...lent) };
  }

  async readHeads(keys: readonly string[]) {
    return keys.flatMap((key) => {
      const head = this.head(key);
      return head === undefined ? [] : [this.claimed(head)];
    });
  }

  async readRunning() {
    return [];
  }

  private claimed(row: Row & { lent: number }): ClaimedJob {
    const dueInMs = this.isAtOnce(row) ? 0 : row.runAt - this.now;
    return {
      id: String(row.id),
      orderingKey: row.key,
      priority: row.lent,
      state: row.state,
      dueInMs,
      queue: "outbound",
      lane: "lane",
      workspaceId: "",
      kind: "test",
      payload: {},
      body: null,
      attempts: 0,
      maxAttempts: 3,
      createdAt: new Date(0),
      causeId: null,
      deaths: 0,
      worker: null,
      begun: null,
    };
  }
}

const key = fc.constantFrom(...KEYS);
const priority = fc.constantFrom(5, 5, 5, 5, 0, 2, 8);
type Step =
  | { do: "add"; key: string; priority: number; inMs: number; count: number }
  | { do: "hold"; keys: string[] }
  | { do: "end"; pick: number; as: JobState; inMs: number }
  | { do: "by hand"; pick: number; as: "available" | "discarded" }
  | { do: "wait"; ms: number };
const is = <Name extends Step["do"]>(name: Name) => fc.constant(name);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: is("add"),
      key,
      priority,
      inMs: fc.constantFrom(0, 0, 0, 0, 50, 700, -40),
      count: fc.constantFrom(1, 2, 12),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: is("hold"), keys: fc.subarray(KEYS) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: is("end"),
      pick: fc.nat(9),
      as: fc.constantFrom<JobState>("completed", "completed", "completed", "retryable"),
      inMs: fc.constantFrom(0, 30, 900),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: is("by hand"),
      pick: fc.nat(30),
      as: fc.constantFrom("available" as const, "discarded" as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: is("wait"), ms: fc.constantFrom(1, 20, 400, 1_500) }) },
);

test("what is claimed is what a look at the whole lane gives", async () => {
  jest.useFakeTimers({ now: 1_000_000, doNotFake: ["queueMicrotask", "nextTick"] });
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 60, size: "max" }),
        async (steps) => {
          const lane = new Lane();
          lane.now = Date.now();
          const keyed = new KeyedLane(lane, { enough: ENOUGH });
          const inFlight = new Map<string, Row>();
          let held: string[] = [];
          const pass = (ms: number) => {
            lane.now += ms;
            jest.setSystemTime(lane.now);
          };
          const isFree = (one: string) =>
            !held.includes(one) && ![...inFlight.values()].some((row) => row.key === one);
          /** Heads that may start, but for what is known within a second only. */
          const free = ({ lateToo }: { lateToo: boolean }) =>
            KEYS.filter(isFree).flatMap((one) => {
              const isLate = lane.rows.some((row) => row.key === one && row.lateUntil > lane.now);
              const head = lateToo || !isLate ? lane.head(one) : undefined;
              const isDue =
                head !== undefined && (head.runAt <= lane.now || head.runAt <= head.createdAt);
              return isDue ? [head] : [];
            });
          const claimAndStart = async () => {
            const busy = [...inFlight.values()].map((row) => row.key);
            const wish = { blockedKeys: [...held, ...busy], ownIds: [...inFlight.keys()], room: 4 };
            const claim = await keyed.claim(wish);
            const expected = free({ lateToo: false });
            const best = Math.min(...expected.map(({ lent }) => lent));
            if (expected.length > 0) {
              expect(Math.min(...claim.jobs.map((job) => job.priority))).toBeLessThanOrEqual(best);
            }
            for (const job of claim.jobs) {
              const head = free({ lateToo: true }).find((one) => one.key === job.orderingKey);
              expect({ id: job.id, priority: job.priority }).toEqual({
                id: String(head?.id),
                priority: head?.lent,
              });
            }
            // It would hand the lane back: there must be nothing left to start.
            if (claim.jobs.length === 0 && claim.isWhole && inFlight.size === 0) {
              expect(free({ lateToo: true })).toEqual([]);
            }
            const [job] = claim.jobs;
            const row = lane.rows.find(({ id }) => String(id) === job?.id);
            if (row === undefined) return claim;
            row.state = "running";
            inFlight.set(String(row.id), row);
            return claim;
          };
          const end = (row: Row, as: JobState, inMs: number) => {
            row.state = as;
            row.runAt = lane.now + inMs;
            inFlight.delete(String(row.id));
            keyed.touch({ orderingKey: row.key, id: String(row.id), priority: row.priority });
          };
          for (const one of steps) {
            pass(1);
            if (one.do === "add") {
              for (let n = 0; n < one.count; n++) lane.add(one.key, one.priority, one.inMs);
            } else if (one.do === "hold") held = one.keys;
            else if (one.do === "wait") pass(one.ms);
            else if (one.do === "end") {
              const rows = [...inFlight.values()];
              const row = rows[one.pick % Math.max(1, rows.length)];
              if (row !== undefined) end(row, one.as, one.inMs);
            } else {
              const row = lane.rows[one.pick % Math.max(1, lane.rows.length)];
              const from = one.as === "available" ? /completed|discarded/ : /available|retryable/;
              if (row !== undefined && from.test(row.state)) {
                Object.assign(row, { state: one.as, runAt: lane.now, lateUntil: lane.now + 250 });
                lane.changedSeq = ++lane.seq;
              }
            }
            await claimAndStart();
          }
          // Undisturbed, everything is run in the end, and nothing is left in memory.
          held = [];
          for (let rounds = 0; ; rounds++) {
            expect(rounds).toBeLessThan(5_000);
            for (const row of inFlight.values()) end(row, "completed", 0);
            const claim = await claimAndStart();
            if (claim.isEmpty) break;
            if (inFlight.size === 0) pass(50);
          }
          expect(lane.rows.every(({ state }) => /completed|discarded/.test(state))).toBe(true);
        },
      ),
      { numRuns: runs(50) },
    );
  } finally {
    jest.useRealTimers();
  }
});

/** Claims of a lane, while something else of it is in flight: nothing is read anew for a hand-back. */
function claimsOf(lane: Lane) {
  jest.useFakeTimers({ now: lane.now, doNotFake: ["queueMicrotask", "nextTick"] });
  const keyed = new KeyedLane(lane, { enough: ENOUGH });
  return async (blockedKeys: string[] = []) => {
    const { jobs } = await keyed.claim({ blockedKeys, ownIds: ["0"], room: 4 });
    return jobs.map(({ orderingKey }) => orderingKey);
  };
}

describe("while a lane is busy", () => {
  afterEach(() => void jest.useRealTimers());

  test("a key that is held does not hide an urgent one of another, nor let less urgent ones pass it", async () => {
    const lane = new Lane();
    for (let n = 0; n < 30; n++) lane.add("held", 0, 0);
    lane.add("urgent", 0, 0);
    lane.add("bulk", 5, 0);
    expect(await claimsOf(lane)(["held"])).toContain("urgent");
  });

  test("an urgent job of a key that waits far back brings it to the front", async () => {
    const lane = new Lane();
    for (let n = 0; n < 40; n++) lane.add(`chat ${n}`, 5, 0);
    const claim = claimsOf(lane);
    // All of them are known, and few are looked at.
    for (let n = 0; n < 40; n++) await claim(Array.from({ length: n }, (_, m) => `chat ${m}`));
    expect(await claim()).not.toContain("chat 39");
    lane.add("chat 39", 2, 0);
    expect((await claim())[0]).toBe("chat 39");
  });

  test("a waiting job that is made urgent by hand is found at once, under its old id", async () => {
    const lane = new Lane();
    for (let n = 0; n < 40; n++) lane.add(`chat ${n}`, 5, 0);
    lane.add("alert", 0, 0);
    const claim = claimsOf(lane);
    for (let n = 0; n < 40; n++) await claim(Array.from({ length: n }, (_, m) => `chat ${m}`));
    const [last, alert] = lane.rows.slice(-2);
    Object.assign(alert ?? {}, { state: "completed" });
    Object.assign(last ?? {}, { priority: 0 });
    jest.advanceTimersByTime(250);
    expect(await claim()).not.toContain("chat 39");
    lane.changedSeq = ++lane.seq;
    expect((await claim())[0]).toBe("chat 39");
  });

  test("what is committed after its time is found within a second", async () => {
    const lane = new Lane();
    lane.add("a", 5, -10);
    const claim = claimsOf(lane);
    expect(await claim()).toEqual(["a"]);
    lane.add("late", 5, -20);
    expect(await claim()).toEqual(["a"]);
    jest.advanceTimersByTime(1_000);
    expect(await claim()).toEqual(["a", "late"]);
  });

  test("hundreds of heads that wait for a retry keep no claim from its end, however slow the database is", async () => {
    const lane = new Lane(200);
    jest.useFakeTimers({ now: lane.now, doNotFake: ["queueMicrotask", "nextTick"] });
    for (let n = 0; n < 400; n++) lane.add(`chat ${n}`, 5, 0);
    for (const row of lane.rows) Object.assign(row, { state: "retryable", runAt: lane.now + 1e6 });
    for (let n = 0; n < 400; n++) lane.add(`chat ${n}`, 5, 0);
    const keyed = new KeyedLane(lane);
    const readHeads = lane.readHeads.bind(lane);
    jest.spyOn(lane, "readHeads").mockImplementation(async (keys) => {
      lane.now += 60;
      jest.setSystemTime(lane.now);
      return readHeads(keys);
    });
    const claim = () => keyed.claim({ blockedKeys: [], ownIds: [], room: 100 });
    expect(await claim()).toMatchObject({ jobs: [], isWhole: true });
    lane.now += 5_000;
    jest.setSystemTime(lane.now);
    const { isWhole, nextMs } = await claim();
    expect(isWhole).toBe(true);
    expect(nextMs).toBeGreaterThan(1_990_000);
  });
});
