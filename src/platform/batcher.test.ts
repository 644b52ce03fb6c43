import { describe, expect, test } from "@jest/globals";
import { Batcher, Overloaded } from "../platform/index.ts";

/** A batch that the test lets finish when it wants. */
function gate() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe("group commit", () => {
  test("what meets in one turn travels in one batch, each caller gets its own result", async () => {
    const batches: number[][] = [];
    const batcher = new Batcher<number, number>({
      maxItems: 10,
      run: async (items) => {
        batches.push(items);
        return items.map((item) => item * 2);
      },
    });
    const results = await Promise.all([1, 2, 3].map((item) => batcher.add(item)));
    expect(results).toEqual([2, 4, 6]);
    expect(batches).toEqual([[1, 2, 3]]);
  });

  test("one batch at a time; what comes meanwhile gathers, in order, up to the limit", async () => {
    const batches: number[][] = [];
    const first = gate();
    let running = 0;
    let most = 0;
    const batcher = new Batcher<number, number>({
      maxItems: 3,
      run: async (items) => {
        most = Math.max(most, ++running);
        batches.push(items);
        if (batches.length === 1) await first.opened;
        running--;
        return items;
      },
    });
    const one = batcher.add(0);
    await new Promise((resolve) => setImmediate(resolve));
    const rest = [1, 2, 3, 4].map((item) => batcher.add(item));
    first.open();
    await Promise.all([one, ...rest]);
    expect(batches).toEqual([[0], [1, 2, 3], [4]]);
    expect(most).toBe(1);
  });

  test("where several may be under way, what comes gathers once they are", async () => {
    const batches: number[][] = [];
    const first = gate();
    const batcher = new Batcher<number, number>({
      maxItems: 3,
      maxUnderWay: 2,
      run: async (items) => {
        batches.push(items);
        if (batches.length <= 2) await first.opened;
        return items;
      },
    });
    const results: Promise<number>[] = [];
    for (const item of [0, 1, 2, 3]) {
      results.push(batcher.add(item));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(batches).toEqual([[0], [1]]);
    first.open();
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3]);
    expect(batches).toEqual([[0], [1], [2, 3]]);
  });

  test("a bad item hurts only its caller", async () => {
    const batcher = new Batcher<string, string>({
      maxItems: 10,
      run: async (items) => {
        if (items.includes("bad")) throw new Error("poisoned");
        return items;
      },
    });
    const results = await Promise.allSettled(["a", "bad", "b"].map((item) => batcher.add(item)));
    expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  test("an error that is everybody's is not tried again item by item", async () => {
    let runs = 0;
    const batcher = new Batcher<number, number>({
      maxItems: 10,
      isShared: () => true,
      run: async () => {
        runs++;
        throw new Error("database away");
      },
    });
    const results = await Promise.allSettled([1, 2, 3].map((item) => batcher.add(item)));
    expect(results.every((result) => result.status === "rejected")).toBe(true);
    expect(runs).toBe(1);
  });

  test("weight bounds a batch, but a heavy item still travels", async () => {
    const batches: number[][] = [];
    const batcher = new Batcher<number, number>({
      maxItems: 10,
      maxWeight: 5,
      weigh: (item) => item,
      run: async (items) => {
        batches.push(items);
        return items;
      },
    });
    await Promise.all([9, 2, 3, 1].map((item) => batcher.add(item)));
    expect(batches).toEqual([[9], [2, 3], [1]]);
  });

  test("more than may wait is refused", async () => {
    const first = gate();
    const batcher = new Batcher<number, number>({
      maxItems: 1,
      maxQueued: 1,
      run: async (items) => {
        await first.opened;
        return items;
      },
    });
    const running = batcher.add(1);
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = batcher.add(2);
    await expect(batcher.add(3)).rejects.toBeInstanceOf(Overloaded);
    first.open();
    await Promise.all([running, waiting]);
  });

  test("while more wait than a batch takes, groups take turns, each in its own order", async () => {
    const batches: string[][] = [];
    const first = gate();
    const batcher = new Batcher<string, string>({
      maxItems: 4,
      groupOf: (item) => item.charAt(0),
      run: async (items) => {
        batches.push(items);
        if (batches.length === 1) await first.opened;
        return items;
      },
    });
    const items = ["x", "a1", "a2", "a3", "a4", "a5", "a6", "b1", "b2", "c1"];
    const added = [batcher.add("x")];
    await new Promise((resolve) => setImmediate(resolve));
    added.push(...items.slice(1).map((item) => batcher.add(item)));
    first.open();
    expect(await Promise.all(added)).toEqual(items);
    expect(batches).toEqual([["x"], ["a1", "b1", "c1", "a2"], ["b2", "a3", "a4", "a5"], ["a6"]]);
  });

  test("a group that has too much waiting is refused, others are not", async () => {
    const first = gate();
    const batcher = new Batcher<string, string>({
      maxItems: 10,
      maxQueued: 5,
      maxQueuedOfGroup: 3,
      groupOf: (item) => item.charAt(0),
      run: async (items) => {
        await first.opened;
        return items;
      },
    });
    const running = batcher.add("x");
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = ["a1", "a2", "a3"].map((item) => batcher.add(item));
    await expect(batcher.add("a4")).rejects.toThrow(Overloaded);
    const others = [batcher.add("b1"), batcher.add("b2")];
    await expect(batcher.add("c1")).rejects.toThrow(Overloaded);
    first.open();
    await Promise.all([running, ...waiting, ...others]);
    // What was taken makes room again.
    expect(await batcher.add("a5")).toBe("a5");
  });
});
