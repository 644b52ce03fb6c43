import { createServer } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { openDatabase } from "../src/platform/index.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { waitFor } from "../test/support/wait-for.ts";
import { slowCommits, strikeAll } from "./faults.ts";

/** Resolves once somebody has called at this port in vain. */
async function somebodyCalls(port: number): Promise<void> {
  const server = createServer();
  const called = new Promise<void>((resolve) => {
    server.on("connection", (socket) => {
      socket.destroy();
      resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await called;
  await new Promise((resolve) => server.close(resolve));
}

describe("faults at once", () => {
  test("one that could not strike is no fault of the run, and is told", async () => {
    const faults = [
      { name: "one", strike: async () => {} },
      { name: "two", strike: () => Promise.reject(new Error("no way in")) },
    ];
    expect(await strikeAll(faults)).toEqual({
      struck: ["one"],
      failed: [{ fault: "two", failed: "Error: no way in" }],
    });
  });
});

test("a slow disk is fast again afterwards, though Postgres went away meanwhile", async () => {
  const postgres = await startPostgres();
  const db = openDatabase({ url: postgres.url, max: 1, as: "login" });
  const delayOf = async () => {
    const [row] = await db.query<{ commit_delay: string }>("SHOW commit_delay");
    return row?.commit_delay;
  };
  try {
    const slow = slowCommits(postgres.url, 300);
    await waitFor(async () => (await delayOf()) === "100000", { what: "the disk to be slow" });
    await postgres.kill();
    await somebodyCalls(Number(new URL(postgres.url).port));
    await postgres.start();
    await slow;
    await waitFor(async () => (await delayOf()) === "0", { what: "the disk to be fast" });
  } finally {
    await db.close();
    await postgres.destroy();
  }
});
