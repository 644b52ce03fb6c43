import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { freePort } from "../src/platform/free-port.ts";
import { openDatabase } from "../src/platform/index.ts";
import { startPostgres } from "./servers.ts";

test("two faults of Postgres at once come one after the other, and it is there again", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-chaos-test-"));
  const postgres = await startPostgres(path.join(folder, "postgres"), await freePort());
  try {
    await Promise.all([postgres.restart("immediate"), postgres.crash()]);
    const db = openDatabase({ url: postgres.url, max: 1, as: "login" });
    expect(await db.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await db.close();
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
