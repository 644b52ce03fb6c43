import { afterAll, beforeAll, jest, test } from "@jest/globals";
import { Queue } from "bullmq";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { silentLogger } from "../platform/index.ts";
import { createTransport, migrateTransport } from "./transport.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await migrateTransport(database.db);
});
afterAll(() => database.drop());

test("a wake at any moment around the end of a bulk add is sent", async () => {
  const transport = createTransport({ db: database.db, log: silentLogger });
  const sent = new Set<string>();
  let afterAdd: (() => void) | undefined;
  const addBulk = jest.spyOn(Queue.prototype, "addBulk").mockImplementation((jobs) => {
    for (const { data } of jobs) for (const lane of data.lanes) sent.add(lane);
    const added = Promise.resolve([]);
    const then = afterAdd;
    afterAdd = undefined;
    if (then !== undefined) void added.then(then);
    return added;
  });
  for (let turns = 0; turns < 12; turns++) {
    afterAdd = async () => {
      for (let turn = 0; turn < turns; turn++) await null;
      transport.wake("ingest", [`second ${turns}`], 5);
    };
    transport.wake("ingest", [`first ${turns}`], 5);
    await waitFor(() => sent.has(`second ${turns}`), {
      what: `the wake ${turns} turns after the add`,
      timeoutMs: 2_000,
    });
  }
  addBulk.mockRestore();
  await transport.close();
});
