import { expect, test } from "@jest/globals";
import { createLookup } from "./lookup.ts";

test("keys that are asked for at once are asked for together, each once", async () => {
  const asked: string[][] = [];
  const lookup = createLookup(async (keys: string[]) => {
    asked.push(keys);
    return new Map(keys.filter((key) => key !== "gone").map((key) => [key, key.toUpperCase()]));
  });
  expect(await Promise.all(["a", "b", "gone", "a"].map(lookup))).toEqual([
    "A",
    "B",
    undefined,
    "A",
  ]);
  expect(asked).toEqual([["a", "b", "gone"]]);
});

test("a key whose row cannot be read fails alone", async () => {
  const lookup = createLookup(async (keys: string[]) => {
    if (keys.includes("bad")) throw new Error("unreadable");
    return new Map(keys.map((key) => [key, 1]));
  });
  const results = await Promise.allSettled(["a", "bad", "b"].map(lookup));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});
