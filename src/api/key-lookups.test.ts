import { expect, test } from "@jest/globals";
import { Overloaded } from "../platform/index.ts";
import { createKeyLookups } from "./key-lookups.ts";

test("a flood of keys takes two connections, and those that were good take turns with it", async () => {
  const begun: string[] = [];
  let underWay = 0;
  let most = 0;
  const lookUp = createKeyLookups(async (key: string) => {
    begun.push(key);
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
    return key.length;
  });
  const flood = Array.from({ length: 600 }, (_, n) =>
    lookUp(`wrong ${n}`, false).catch((error: unknown) => error),
  );
  expect(await lookUp("good", true)).toBe(4);
  expect(begun.indexOf("good")).toBeLessThan(10);
  const answers = await Promise.all(flood);
  expect(answers.filter((answer) => answer instanceof Overloaded)).toHaveLength(100);
  expect(most).toBe(2);
});

test("one that fails hurts no other", async () => {
  const lookUp = createKeyLookups(async (key: string) => {
    if (key === "bad") throw new Error("no such thing");
    return key;
  });
  const answers = await Promise.allSettled([lookUp("bad", false), lookUp("good", false)]);
  expect(answers.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
});
