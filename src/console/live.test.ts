import { afterEach, expect, test } from "@jest/globals";
import { waitFor } from "../../test/support/wait-for.ts";
import { JOB_STATES, type QueueStats } from "../jobs/index.ts";
import { History } from "./history.ts";
import { Live } from "./live.ts";

const none = { p50: null, p95: null, p99: null };
const stats = (available: number): QueueStats & { workers: number } => ({
  name: "ingest",
  counts: {
    ...(Object.fromEntries(JOB_STATES.map((state) => [state, 0])) as QueueStats["counts"]),
    scheduled: 0,
    available,
  },
  oldestWaitingMs: 5,
  perSecond: 1,
  waitMs: none,
  runMs: none,
  paused: false,
  workers: 1,
});

let live: Live;
afterEach(() => live.close());

/** A database that a test holds in its hand. */
function world(options: { deadlineMs?: number; everyMs?: number } = {}) {
  const looks = { queues: 0, bots: 0, atOnce: 0, mostAtOnce: 0 };
  const answer: { queues: () => Promise<void> } = { queues: async () => {} };
  live = new Live({
    everyMs: 5,
    ...options,
    sources: {
      queues: async () => {
        looks.queues++;
        looks.mostAtOnce = Math.max(looks.mostAtOnce, ++looks.atOnce);
        await answer.queues().finally(() => looks.atOnce--);
        return [stats(looks.queues)];
      },
      processes: async () => ({}),
      bots: async () => ({ looks: ++looks.bots }),
    },
  });
  const events: string[] = [];
  const listen = (topic: "queues" | "bots") => live.listen(topic, (event) => events.push(event));
  return { looks, answer, events, listen };
}

test("nobody looks: nothing is asked; and again once the last one has gone", async () => {
  const { looks, listen } = world();
  expect(looks.queues).toBe(0);
  const stop = listen("queues");
  await waitFor(() => looks.queues >= 3);
  stop();
  const before = looks.queues;
  // One look may have been under way. Another listener is the clock by which none follows.
  const stopBots = listen("bots");
  await waitFor(() => looks.bots >= 3);
  stopBots();
  expect(looks.queues).toBeLessThanOrEqual(before + 1);
});

test("a hundred pages cost as many looks as one, and hear the same", async () => {
  const { looks, listen, events } = world();
  const stops = Array.from({ length: 100 }, () => listen("queues"));
  await waitFor(() => looks.queues >= 3);
  for (const stop of stops) stop();
  expect(looks.mostAtOnce).toBe(1);
  const heard = events.filter((event) => event === "queues").length;
  expect(heard).toBeGreaterThanOrEqual(200);
  expect(heard % 100).toBe(0);
});

test("a page that closes leaves the others their news", async () => {
  const { looks, listen } = world();
  const stops = Array.from({ length: 6 }, () => listen("queues"));
  for (const stop of stops.slice(1)) {
    stop();
    const before = looks.queues;
    await waitFor(() => looks.queues > before + 2);
  }
});

test("pages that open during a look wait for it", async () => {
  const { looks, answer, listen } = world();
  const frees: Array<() => void> = [];
  answer.queues = () => new Promise<void>((resolve) => frees.push(resolve));
  listen("queues");
  await waitFor(() => looks.queues === 1);
  for (let n = 0; n < 10; n++) listen("queues");
  live.lookSoon();
  // Bots are not asked in this look: they would be by a second one beside it.
  listen("bots");
  // Another server, which looks meanwhile, is the clock.
  let ticks = 0;
  const clock = new Live({
    everyMs: 5,
    sources: {
      queues: async () => [],
      processes: async () => ({ ticks: ++ticks }),
      bots: async () => ({}),
    },
  });
  clock.listen("processes", () => {});
  await waitFor(() => ticks >= 4);
  clock.close();
  expect(looks).toMatchObject({ queues: 1, bots: 0 });
  answer.queues = async () => {};
  for (const free of frees) free();
  await waitFor(() => looks.bots > 0);
  expect(looks.mostAtOnce).toBe(1);
});

test("a database that hangs is told as trouble, asked once, and heard again when it answers", async () => {
  const { looks, answer, events, listen } = world({ deadlineMs: 10 });
  let free = () => {};
  answer.queues = () =>
    new Promise<void>((resolve) => {
      free = resolve;
    });
  listen("queues");
  await waitFor(() => events.includes("trouble"));
  expect(looks.queues).toBe(1);
  answer.queues = async () => {};
  free();
  await waitFor(() => events.indexOf("queues") > events.indexOf("trouble"));
});

test("a database that refuses is asked again until it does not", async () => {
  const { answer, events, looks, listen } = world();
  answer.queues = async () => {
    throw new Error("connect ECONNREFUSED");
  };
  listen("queues");
  await waitFor(() => looks.queues >= 3);
  expect(events).not.toContain("queues");
  answer.queues = async () => {};
  await waitFor(() => events.includes("queues"));
});

test("who comes later is told the past, what is known, and what comes", async () => {
  const { events, listen } = world({ everyMs: 60_000 });
  listen("queues");
  await waitFor(() => events.includes("queues"));
  events.length = 0;
  listen("queues");
  expect(events.slice(0, 2)).toEqual(["history", "queues"]);
});

test("the history is columns of one length, without what is too old or too much", () => {
  const history = new History();
  const startMs = 1_790_000_000_000;
  for (let n = 0; n < 1_000; n++) history.add(startMs + n * 10_000, [stats(n)]);
  const nowMs = startMs + 999 * 10_000;
  const { at, queues } = history.columns(nowMs);
  expect(at).toHaveLength(90);
  expect(queues.ingest?.waiting).toHaveLength(90);
  expect(queues.ingest?.waiting.at(-1)).toBe(999);
  expect(queues.ingest?.waitP95Ms.every((value) => value === null)).toBe(true);
  // A time without anybody to look is a gap, not a line.
  history.add(nowMs + 120_000, [stats(7)]);
  expect(history.columns(nowMs + 120_000).queues.ingest?.waiting.slice(-3)).toEqual([999, null, 7]);
});
