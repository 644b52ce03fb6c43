import { randomUUID } from "node:crypto";
import { expect, test } from "@jest/globals";
import { apiWorld, expectProblem, inAnHour } from "../../test/support/api-world.ts";

/** What a repeated call with an Idempotency-Key does. */
const LATER = inAnHour();
const world = apiWorld();
const { call, owned } = world;

const send = (key: string, text: string) =>
  call("post", "/v1/messages", {
    body: { connectorId: owned.connector, chatId: "7001", text, sendAt: LATER },
    headers: { "idempotency-key": key },
  });

test("the same key: the same answer; with another body: 422; for another workspace: its own", async () => {
  const key = randomUUID();
  const first = await send(key, "once");
  expect(first.status).toBe(202);
  expect((await send(key, "once")).body).toEqual(first.body);
  expectProblem(await send(key, "twice"), 422);
  expectProblem(await send("", "empty"), 400);
  expectProblem(await send("k".repeat(201), "long"), 400);
  const theirs = await call("post", "/v1/jobs/retry", {
    key: world.stranger().apiKey,
    body: { all: true },
    headers: { "idempotency-key": key },
  });
  expect(theirs.status).toBe(200);
});

test("more calls at once than the process has connections: all are answered", async () => {
  const calls = Array.from({ length: 60 }, (_, n) => send(randomUUID(), `at once ${n}`));
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(calls.map(() => 202));
});

test("a connector is connected once, however often the call is repeated at once", async () => {
  const account = world
    .system()
    .sandbox.createBot({ name: "Twin", username: `t${Date.now()}_bot` });
  const key = randomUUID();
  const connectOnce = () =>
    call("post", "/v1/connectors", {
      body: { name: "Twin", botToken: account.token },
      headers: { "idempotency-key": key },
    });
  const answers = await Promise.all([connectOnce(), connectOnce(), connectOnce()]);
  const created = answers.filter(({ status }) => status === 201);
  expect(created.length).toBeGreaterThanOrEqual(1);
  // A twin that comes while the first is under way is told so, and finds the answer later.
  for (const { status } of answers) expect([201, 409]).toContain(status);
  const again = await connectOnce();
  expect(again.status).toBe(201);
  expect(again.body).toEqual(created[0]?.body);
  expect(again.text).not.toContain(account.token);
});

test("a key whose process died before it answered is free again soon", async () => {
  const account = world
    .system()
    .sandbox.createBot({ name: "Half", username: `h${Date.now()}_bot` });
  const key = randomUUID();
  const connectOnce = () =>
    call("post", "/v1/connectors", {
      body: { name: "Half", botToken: account.token },
      headers: { "idempotency-key": key },
    });
  expect((await connectOnce()).status).toBe(201);
  const die = (age: string) =>
    world.system().system.db.query(
      `UPDATE idempotency_keys SET status = NULL, answer = NULL, created_at = now() - $2::interval
       WHERE key = $1`,
      [key, age],
    );
  await die("10 s");
  expectProblem(await connectOnce(), 409);
  await die("5 min");
  // The bot itself is connected by now, which is what the repeated call finds.
  const again = await connectOnce();
  expect(again.body.detail).not.toMatch(/under way/);
});
