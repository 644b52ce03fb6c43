import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { type Database, Overloaded } from "../platform/index.ts";
import { createWebhookDirectory } from "./webhook-directory.ts";

let world: TestSystem;
let bot: TestBot;
let key: string;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  bot = await world.connectBot();
  key = bot.webhookPath.split("/").at(-1) ?? "";
});
afterAll(() => world.close());

/** A database that tells of each lookup before it is made. */
function watched(onLookup: (keys: string[]) => unknown): Database {
  const { db } = world.system;
  return {
    ...db,
    query: async (sql, params = []) => {
      await onLookup(params[0] as string[]);
      return db.query(sql, params);
    },
  };
}

describe("a flood of keys that do not exist", () => {
  test("takes the database few statements, however many they are", async () => {
    let lookups = 0;
    const directory = createWebhookDirectory(watched(() => lookups++));
    const startedMs = performance.now();
    const finding: Promise<unknown>[] = [];
    for (let n = 0; n < 1_000; n++) {
      finding.push(directory.find(randomUUID()));
      if (n % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(new Set(await Promise.all(finding))).toEqual(new Set([undefined]));
    expect(lookups).toBeLessThanOrEqual(2 + (performance.now() - startedMs) / 20);
  });

  test("leaves those that exist their own room: they are found while others are refused", async () => {
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let lookupsOfKnown = 0;
    const directory = createWebhookDirectory(
      watched((keys) => {
        if (!keys.includes(key)) return released;
        lookupsOfKnown++;
      }),
    );
    const found = await directory.find(key);
    expect(found?.connectorId).toBe(bot.connectorId);
    const before = lookupsOfKnown;
    const flood = Array.from({ length: 4_000 }, () =>
      directory.find(randomUUID()).catch((error: unknown) => error),
    );
    await expect(directory.find(randomUUID())).rejects.toThrow(Overloaded);
    await waitFor(
      async () => {
        expect(await directory.find(key)).toEqual(found);
        return lookupsOfKnown > before;
      },
      { what: "another lookup of the key that exists" },
    );
    release();
    const answers = await Promise.all(flood);
    expect(answers.some((answer) => answer instanceof Overloaded)).toBe(true);
    expect(answers.every((answer) => answer === undefined || answer instanceof Overloaded)).toBe(
      true,
    );
  });

  test("does not keep a new connector's own bot out", async () => {
    const directory = createWebhookDirectory(world.system.db);
    const flood = Array.from({ length: 1_500 }, () => directory.find(randomUUID()));
    expect((await directory.find(key))?.connectorId).toBe(bot.connectorId);
    await Promise.all(flood);
  });
});
