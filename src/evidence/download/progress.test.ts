import { expect, test } from "@jest/globals";
import { Progress } from "./progress.ts";

const MB = 2 ** 20;

test("progress is written now and then, one at a time, and the bytes do not wait for it", async () => {
  const written: number[] = [];
  let letGo = () => {};
  const write = (bytes: number) => {
    written.push(bytes);
    return new Promise<void>((resolve) => {
      letGo = resolve;
    });
  };
  const progress = new Progress({ from: 100 * MB, write });
  progress.note(101 * MB);
  expect(written).toEqual([]);
  progress.note(164 * MB);
  progress.note(300 * MB);
  expect(written).toEqual([164 * MB]);
  letGo();
  await progress.settled();
  progress.note(301 * MB);
  expect(written).toEqual([164 * MB, 301 * MB]);
  letGo();
  await progress.settled();
  progress.check();
});

test("a file that nobody wants any more does not go on", async () => {
  const gone = new Error("gone");
  const progress = new Progress({ from: 0, write: () => Promise.reject(gone) });
  progress.note(64 * MB);
  await progress.settled();
  expect(() => progress.note(65 * MB)).toThrow(gone);
  expect(() => progress.check()).toThrow(gone);
});
