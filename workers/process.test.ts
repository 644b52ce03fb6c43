import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "../sandbox/index.ts";
import { migrateTransport } from "../src/jobs/index.ts";
import { freePort } from "../src/platform/free-port.ts";
import {
  createEmptyDatabase,
  createTestDatabase,
  type TestDatabase,
} from "../test/support/database.ts";
import { newEncryptionKeys, startProcess } from "../test/support/processes.ts";
import { projectUrl, type RunningScript, startInline } from "../test/support/script.ts";
import { waitFor } from "../test/support/wait-for.ts";

/** A process whose start has two steps; the first one ends with SIGUSR2 or SIGTERM, or never. */
const starting = (stepWithinMs?: number): RunningScript =>
  startInline(`
    const { runProcess } = await import(${JSON.stringify(projectUrl("workers", "process.ts"))});
    const { silentLogger } = await import(${JSON.stringify(projectUrl("src", "platform", "index.ts"))});
    const say = (line) => process.stdout.write(line + "\\n");
    setInterval(() => {}, 60_000);
    const start = async (opened) => {
      opened.add(async () => say("closed one"));
      const goOn = new Promise((resolve) => {
        process.once("SIGUSR2", resolve);
        process.once("SIGTERM", resolve);
      });
      say("opened one");
      await goOn;
      opened.add(async () => say("closed two"));
      say("opened two");
      await goOn;
      opened.add(async () => say("closed three"));
      throw new Error("broken");
    };
    await runProcess(silentLogger, start, ${JSON.stringify({ stepWithinMs })}).catch((error) => {
      say("failed: " + error.message);
      process.exit(7);
    });
  `);

describe("a process that is told to stop while it starts", () => {
  test("ends the step under way, begins no other, closes what is open, the last first, exit 0", async () => {
    const running = starting();
    await running.line("opened one");
    running.child.kill("SIGTERM");
    expect(await running.exited).toBe(0);
    expect(running.lines).toEqual(["opened one", "closed two", "closed one"]);
  });

  test("does not wait for a step that never ends", async () => {
    const running = starting(100);
    await running.line("opened one");
    running.child.kill("SIGINT");
    expect(await running.exited).toBe(0);
    expect(running.lines).toEqual(["opened one", "closed one"]);
  });

  test("a second signal ends it at once", async () => {
    const running = starting(60_000);
    await running.line("opened one");
    running.child.kill("SIGINT");
    const again = setInterval(() => running.child.kill("SIGINT"), 20);
    expect(await running.exited).toBe(1);
    clearInterval(again);
  });

  test("a start that fails is told, with all closed", async () => {
    const running = starting();
    await running.line("opened one");
    running.child.kill("SIGUSR2");
    expect(await running.exited).toBe(7);
    expect(running.lines).toEqual([
      "opened one",
      "opened two",
      "closed three",
      "closed two",
      "closed one",
      "failed: broken",
    ]);
  });
});

test("a process does not start on a database that is not migrated, and says so in one line", async () => {
  const empty = await createEmptyDatabase();
  const web = startProcess("web", {
    databaseUrl: empty.url,
    redisUrl: undefined,
    telegramApiRoot: "http://127.0.0.1:1",
    port: await freePort(),
    encryptionKeys: newEncryptionKeys(),
  });
  const said = await web.then(
    () => "it started",
    (error) => String(error.message).replace("web ended: ", ""),
  );
  expect(said.trim()).toMatch(/^heliograph: .*is not migrated: run `heliograph migrate`.*$/);
  await empty.drop();
});

describe("webhooks that are registered again", () => {
  let database: TestDatabase;
  let sandbox: Sandbox;
  beforeAll(async () => {
    database = await createTestDatabase();
    await migrateTransport(database.db);
    sandbox = await startSandbox({ port: 0 });
  });
  afterAll(async () => {
    await sandbox.close();
    await database.drop();
  });

  test("a failure to look for them ends no web process: it serves, and stops in order", async () => {
    await database.owner.query("ALTER TABLE connectors RENAME COLUMN webhook_url TO elsewhere");
    const port = await freePort();
    const web = await startProcess("web", {
      databaseUrl: database.url,
      redisUrl: undefined,
      telegramApiRoot: sandbox.url,
      port,
      encryptionKeys: newEncryptionKeys(),
    });
    const toldOf = () => web.stderr().includes("bots could not be looked at");
    let ended = false;
    void web.exited.then(() => {
      ended = true;
    });
    await waitFor(() => toldOf() || ended, { what: "the failure to be told" });
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    web.child.kill("SIGTERM");
    expect(await web.exited).toBe(0);
  });
});
