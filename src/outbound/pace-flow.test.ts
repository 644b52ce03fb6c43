import { expect, test } from "@jest/globals";
import { Flow } from "./pace-flow.ts";

test("as many calls in flight as the rate and the answers' time keep busy, within bounds", () => {
  const quick = new Flow();
  const slow = new Flow();
  for (let n = 0; n < 100; n++) {
    quick.took(5);
    slow.took(1_000);
  }
  const enough = (flow: Flow, perSecond: number) => flow.concurrency(perSecond, true);
  expect(enough(slow, 30)).toBeGreaterThan(30);
  expect(enough(quick, 30)).toBeLessThan(20);
  expect(enough(quick, 1)).toBeGreaterThanOrEqual(4);
  for (let n = 0; n < 100; n++) slow.took(60_000);
  expect(enough(slow, 1_000)).toBe(200);
});

test("while nothing may be chosen it is what is in flight", () => {
  const flow = new Flow();
  expect(flow.concurrency(30, false)).toBe(1);
  for (const id of ["1", "2", "3"]) flow.chosen(id, 0);
  flow.began("1", 10);
  expect(flow.concurrency(30, false)).toBe(3);
  flow.ended("1");
  flow.ended("2");
  expect(flow.concurrency(30, false)).toBe(1);
  expect(flow.concurrency(30, true)).toBeGreaterThan(4);
});

test("calls are chosen earlier where it takes longer to begin them", () => {
  const flow = new Flow();
  const before = flow.leadMs;
  for (let n = 0; n < 100; n++) {
    flow.chosen(String(n), 1_000 * n);
    flow.began(String(n), 1_000 * n + 80);
  }
  expect(flow.leadMs).toBeGreaterThan(before);
  for (let n = 0; n < 100; n++) {
    flow.chosen(String(n), 1_000 * n);
    flow.began(String(n), 1_000 * n + 900);
  }
  expect(flow.leadMs).toBe(300);
});
