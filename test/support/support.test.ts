import { afterEach, describe, expect, test } from "@jest/globals";
import { createTestDatabase } from "./database.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import { backends, needs } from "./requirements.ts";
import { projectUrl, startInline } from "./script.ts";
import { waitFor } from "./wait-for.ts";

/** Other tests rest on these; what they promise is shown here. */

const undo: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

test("each test database is migrated, apart from the others, and gone when dropped", async () => {
  const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  await one.owner.query("CREATE TABLE only_here (n int)");
  await expect(two.db.query("SELECT FROM only_here")).rejects.toThrow(/does not exist/);
  expect(await two.db.query("SELECT FROM jobs")).toEqual([]);
  const client = await one.db.connect(); // somebody who forgot to close
  await one.drop();
  await two.drop();
  await client.end().catch(() => {});
});

test("the list of backends holds BullMQ on Postgres always", () => {
  expect(backends.at(-1)).toEqual({ name: "postgres", redisUrl: undefined });
});

test("waitFor gives what it waited for, and says what it waited for in vain", async () => {
  let looks = 0;
  expect(await waitFor(() => ++looks >= 3 && "there")).toBe("there");
  const failing = waitFor(() => Promise.reject(new Error("not yet")), {
    timeoutMs: 30,
    what: "rain",
  });
  await expect(failing).rejects.toThrow("Waited 30 ms for rain, in vain");
});

test("a Postgres of one's own: same address after restart and crash, what was committed is there", async () => {
  const postgres = await startPostgres({ settings: { max_connections: "20" } });
  undo.push(() => postgres.destroy());
  const { adminQuery } = await import("./database.ts");
  await adminQuery(postgres.url, "CREATE TABLE kept (n int)");
  await postgres.restart();
  await adminQuery(postgres.url, "INSERT INTO kept VALUES (1)");
  await postgres.kill();
  await expect(adminQuery(postgres.url, "SELECT 1")).rejects.toThrow();
  await postgres.start();
  await adminQuery(postgres.url, "INSERT INTO kept VALUES (2)");
});

needs("redis-server")("a Redis of one's own", () => {
  test("answers, forgets everything at a restart, and is gone after stop", async () => {
    const redis = await startRedis();
    undo.push(() => redis.stop());
    expect(await redis.cli("SET", "a", "1")).toBe("+OK");
    expect(await redis.cli("CONFIG", "GET", "maxmemory-policy")).toContain("noeviction");
    expect(await redis.cli("GET", "a")).toBe("$1\r\n1");
    await redis.restart();
    expect(await redis.cli("GET", "a")).toBe("$-1");
    await redis.stop();
    await expect(redis.cli("PING")).rejects.toThrow(/ECONNREFUSED/);
  });

  test("does not outlive a test process that is killed", async () => {
    const script = startInline(
      `import { startRedis } from "${projectUrl("test/support/redis.ts")}";
       const redis = await startRedis();
       console.log("port " + redis.port);
       setInterval(() => {}, 1000);`,
    );
    undo.push(async () => script.child.kill("SIGKILL"));
    const port = Number((await script.line("port")).split(" ")[1]);
    script.child.kill("SIGKILL");
    await waitFor(
      () =>
        fetch(`http://127.0.0.1:${port}`).then(
          () => false,
          (error: Error) => String(error.cause).includes("ECONNREFUSED"),
        ),
      { what: "the port to be free" },
    );
  });
});

describe("startScript", () => {
  test("tells when a script ends without the line that was waited for", async () => {
    const script = startInline(`const n = 1; console.log("n " + n); throw new Error("oops");`, {});
    await expect(script.line("never")).rejects.toThrow(/oops|SyntaxError/);
    expect(await script.exited).toBe(1);
  });
});
