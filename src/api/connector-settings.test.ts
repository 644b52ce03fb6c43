import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { createWorkspace } from "../connectors/index.ts";

let world: TestSystem;
let bot: TestBot;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  bot = await world.connectBot();
});
afterAll(() => world.close());

interface Body extends Record<string, unknown> {
  debug: { until: string } | null;
  errors: { path: string; message: string }[];
}
type Answer = { status: number; body: Body };
const patch = (body: object): Promise<Answer> =>
  world.api("PATCH", `/v1/connectors/${bot.connectorId}`, body);
const read = async () =>
  ((await world.api("GET", `/v1/connectors/${bot.connectorId}`)) as Answer).body;

const ALL = {
  accessLevel: "agents",
  registerAccess: "members",
  saveDenied: true,
  sessionHours: 12,
  defaultChatId: "@compliance_team",
  notificationChats: { critical: "-1001234567890", reports: "@compliance_reports" },
  maxMessageLength: 1_000,
  maxSendRate: 100,
};

describe("settings of a connector", () => {
  test("without any, they are what a bot is without them", async () => {
    expect(await read()).toMatchObject({
      accessLevel: "everyone",
      registerAccess: "heard",
      saveDenied: false,
      sessionHours: 0,
      defaultChatId: null,
      notificationChats: {},
      maxMessageLength: 4_096,
      maxSendRate: 30,
      debug: null,
    });
  });

  test("given while connecting, they are there when it is connected", async () => {
    const account = world.sandbox.createBot({ name: "Desk", username: "settled_bot" });
    const body = { name: "Desk", botToken: account.token, ...ALL, debug: { level: "debug" } };
    const { status, body: made } = (await world.api("POST", "/v1/connectors", body)) as Answer;
    expect(status).toBe(201);
    expect(made).toMatchObject({
      ...ALL,
      debug: { level: "debug", apiTimeout: 15, retryAttempts: 10, detailedLogs: false },
    });
    expect(Date.parse(made.debug?.until ?? "") - Date.now()).toBeGreaterThan(23 * 3_600_000);
  });

  test("each is changed by itself, the others stay; null takes away", async () => {
    await patch(ALL);
    expect((await patch({ sessionHours: -1 })).body).toMatchObject({ ...ALL, sessionHours: -1 });
    expect((await patch({ name: "New" })).body).toMatchObject({ name: "New", sessionHours: -1 });
    expect((await patch({ saveDenied: false, defaultChatId: null })).body).toMatchObject({
      saveDenied: false,
      defaultChatId: null,
      accessLevel: "agents",
    });
    expect((await patch({ notificationChats: {} })).body.notificationChats).toEqual({});
    expect(await read()).toMatchObject({ name: "New", maxMessageLength: 1_000 });
  });

  test.each([
    { accessLevel: "everybody" },
    { saveDenied: "yes" },
    { sessionHours: -2 },
    { sessionHours: 1.5 },
    { sessionHours: 1e9 },
    { defaultChatId: "compliance team" },
    { defaultChatId: "0" },
    { notificationChats: { critical: "" } },
    { notificationChats: { "Not a kind": "5" } },
    { notificationChats: [] },
    { notificationChats: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`k${n}`, "5"])) },
    { maxMessageLength: 0 },
    { maxMessageLength: 4_097 },
    { maxSendRate: 0 },
    { registerAccess: "all" },
    { maxSendRate: 1_001 },
    { debug: { apiTimeout: 0 } },
    { debug: { apiTimeout: 121 } },
    { debug: { retryAttempts: 11 } },
    { debug: { level: "loud" } },
    { debug: { until: "2020-01-01T00:00:00Z" } },
    { debug: { until: "2999-01-01T00:00:00Z" } },
    { debug: { until: "tomorrow" } },
    { debug: { verbose: true } },
  ])("%j is refused, and says where", async (body) => {
    const before = await read();
    const answer = await patch(body);
    expect(answer.status).toBe(400);
    for (const { path } of answer.body.errors) expect(path).toMatch(`${Object.keys(body)[0]}`);
    expect(answer.body.errors.length).toBeGreaterThan(0);
    expect(await read()).toEqual(before);
  });

  test("debugging ends by itself", async () => {
    await patch({ debug: { retryAttempts: 2 } });
    expect((await read()).debug).toMatchObject({ retryAttempts: 2 });
    await world.system.db.query(
      'UPDATE connectors SET debug = debug || \'{"until": "2026-01-01T00:00:00Z"}\' WHERE id = $1',
      [bot.connectorId],
    );
    expect((await read()).debug).toBeNull();
    await patch({ debug: { retryAttempts: 2 } });
    expect((await patch({ debug: null })).body.debug).toBeNull();
  });

  test("a text longer than the connector's messages goes out in parts, but not in any number", async () => {
    await patch({ maxMessageLength: 10 });
    const send = (text: string): Promise<Answer> =>
      world.api("POST", "/v1/messages", { connectorId: bot.connectorId, chatId: "5", text });
    const { status, body } = await send("a".repeat(11));
    expect(status).toBe(202);
    expect(await world.api("GET", `/v1/messages/${body.id}`)).toMatchObject({
      body: { parts: { sent: 0, total: 2 } },
    });
    expect(await send("a".repeat(1_001))).toMatchObject({
      status: 400,
      body: { errors: [{ path: "text", message: expect.stringContaining("100 parts") }] },
    });
  });

  test("another workspace can neither read nor change them", async () => {
    const { apiKey } = await createWorkspace(world.system.db, "Stranger");
    const before = await read();
    for (const [method, path] of [
      ["PATCH", ""],
      ["POST", "/token"],
      ["DELETE", ""],
    ] as const) {
      const body = path === "/token" ? { botToken: bot.token } : { accessLevel: "named" };
      const response = await fetch(`${world.url}/v1/connectors/${bot.connectorId}${path}`, {
        method,
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      expect(response.status).toBe(404);
    }
    expect(await read()).toEqual(before);
  });
});
