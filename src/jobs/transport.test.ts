import { type AddressInfo, connect, createServer } from "node:net";
import { afterAll, beforeAll, jest, test } from "@jest/globals";
import { Queue } from "bullmq";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { projectUrl, startInline } from "../../test/support/script.ts";
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
    });
  }
  addBulk.mockRestore();
  await transport.close();
});

/** What a server says that has not recovered yet: ErrorResponse, 57P03. */
function startingUp(): Buffer {
  const fields = ["SFATAL", "VFATAL", "C57P03", "Mthe database system is starting up", ""];
  const body = Buffer.from(fields.map((field) => `${field}\0`).join(""));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from("E"), length, body]);
}

test("on Postgres, a process that begins while the server is starting up is woken once it is up", async () => {
  const { hostname, port } = new URL(database.url);
  let isUp = false;
  let refused = 0;
  const front = createServer((client) => {
    client.on("error", () => {});
    if (!isUp) {
      client.once("data", () => client.end(startingUp(), () => refused++));
      return;
    }
    const server = connect(Number(port), hostname);
    server.on("error", () => client.destroy());
    client.on("close", () => server.destroy());
    client.pipe(server).pipe(client);
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const url = new URL(database.url);
  url.host = `127.0.0.1:${(front.address() as AddressInfo).port}`;
  // A process of its own: what is wrong here has no turn of the event loop for anything else.
  const waker = startInline(
    `import { openDatabase, silentLogger } from "${projectUrl("src", "platform", "index.ts")}";
     import { createTransport } from "${projectUrl("src", "jobs", "transport.ts")}";
     const db = openDatabase({ url: process.env.URL, max: 2 });
     const transport = createTransport({ db, log: silentLogger });
     await transport.listen("ingest", 1, async (lanes) => console.log("woken", ...lanes));
     setInterval(() => transport.wake("ingest", ["a lane"], 5), 100);`,
    { env: { URL: url.href } },
  );
  try {
    await waitFor(() => refused > 0, { what: "the process to be refused" });
    isUp = true;
    await waker.line("woken a lane", 15_000);
  } finally {
    waker.child.kill("SIGKILL");
    await waker.exited;
    front.close();
  }
});
