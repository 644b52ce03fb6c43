import { expect, test } from "@jest/globals";
import { Slots } from "./slots.ts";

const never = new AbortController().signal;

/** Work that ends when it is told. */
function work() {
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let begun = false;
  return {
    end: () => end(),
    begun: () => begun,
    run: async () => {
      begun = true;
      await ended;
      return "done";
    },
  };
}

const settled = () => new Promise(setImmediate);

test("no more run at once than there are slots; who waits longest is next", async () => {
  const slots = new Slots(2);
  const all = Array.from({ length: 5 }, work);
  const results = all.map(({ run }) => slots.run(never, run));
  const begun = () => all.map((one) => one.begun());
  await settled();
  expect(begun()).toEqual([true, true, false, false, false]);
  all[1]?.end();
  await settled();
  expect(begun()).toEqual([true, true, true, false, false]);
  for (const one of all) one.end();
  expect(await Promise.all(results)).toEqual(all.map(() => "done"));
});

test("a slot comes back from work that fails", async () => {
  const slots = new Slots(1);
  const failing = slots.run(never, () => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  expect(await slots.run(never, async () => "next")).toBe("next");
});

test("who no longer waits is passed by, and never runs", async () => {
  const slots = new Slots(1);
  const [first, gone, last] = [work(), work(), work()];
  const controller = new AbortController();
  const results = [
    slots.run(never, first.run),
    slots.run(controller.signal, gone.run),
    slots.run(never, last.run),
  ];
  await settled();
  controller.abort();
  first.end();
  last.end();
  expect(await Promise.all(results)).toEqual(["done", undefined, "done"]);
  expect(gone.begun()).toBe(false);
  expect(await slots.run(controller.signal, gone.run)).toBeUndefined();
  expect(await slots.run(never, async () => "free again")).toBe("free again");
});
