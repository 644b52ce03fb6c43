import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import type { ConnectionTest } from "./test-connection.ts";
import { createWorkspace } from "./workspaces.ts";

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
});
afterAll(() => world.close());
afterEach(() => world.sandbox.clearFaults());

async function run(bot: TestBot): Promise<ConnectionTest> {
  const answer = await world.api("POST", `/v1/connectors/${bot.connectorId}/test`);
  expect(answer.status).toBe(200);
  expect(JSON.stringify(answer.body)).not.toContain(bot.token.split(":")[1]);
  return answer.body;
}

const link = (bot: TestBot, chatId: number) =>
  world.api("PUT", `/v1/connectors/${bot.connectorId}/chats/${chatId}`, { linked: true });

const verdicts = ({ checks }: ConnectionTest) =>
  Object.fromEntries(checks.map(({ name, ok }) => [name, ok]));

const detail = ({ checks }: ConnectionTest, name: string) =>
  checks.find((check) => check.name === name)?.detail;

describe("the connection is tested", () => {
  test("all is well: token, webhook, reachability, a message that arrives and its time", async () => {
    const bot = await world.connectBot();
    const person = world.sandbox.createUser({ firstName: "Ada" });
    await world.sandbox.send({ from: person.id, chatId: person.id, botId: bot.id, text: "hello" });
    const path = `/v1/connectors/${bot.connectorId}`;
    await world.api("PATCH", path, { defaultChatId: String(person.id) });
    const result = await run(bot);
    expect(verdicts(result)).toEqual({
      token: true,
      webhook: true,
      reachability: true,
      message: true,
    });
    expect(result.ok).toBe(true);
    expect(detail(result, "message")).toMatch(/answered after [0-9]+ ms/);
    const said = world.sandbox.messages({ chatId: person.id, botId: bot.id });
    expect(said.at(-1)?.text).toMatch(/test of this connection/);
  });

  test("no message is sent while Telegram holds the bot; one that is refused holds the chat for all", async () => {
    const bot = await world.connectBot();
    const { db } = world.system;
    const person = world.sandbox.createUser({ firstName: "Ada" });
    await world.sandbox.send({ from: person.id, chatId: person.id, botId: bot.id, text: "hello" });
    const path = `/v1/connectors/${bot.connectorId}`;
    await world.api("PATCH", path, { defaultChatId: String(person.id) });
    const held = () =>
      db.query("SELECT chat_id FROM send_holds WHERE connector_id = $1", [bot.connectorId]);
    const sent = () => world.sandbox.record.callsOf("sendMessage", bot.id).length;
    await db.query("INSERT INTO send_holds VALUES ($1, $2, '', now() + interval '90 s')", [
      world.workspaceId,
      bot.connectorId,
    ]);
    expect(detail(await run(bot), "message")).toMatch(/asks to wait (89|90) seconds/);
    expect(sent()).toBe(0);
    await db.query("DELETE FROM send_holds");
    const answer = { status: 429, parameters: { retry_after: 7 } };
    world.sandbox.fault({ botId: bot.id, method: "sendMessage", answer });
    expect(detail(await run(bot), "message")).toMatch(/asks to wait 7 seconds/);
    expect(await held()).toEqual([{ chat_id: String(person.id) }]);
    expect(detail(await run(bot), "message")).toMatch(/asks to wait 7 seconds/);
    expect(sent()).toBe(1);
    const noted = await db.query("SELECT chat_id FROM direct_calls WHERE connector_id = $1", [
      bot.connectorId,
    ]);
    expect(noted).toEqual([{ chat_id: String(person.id) }]);
  });

  test("each linked chat by itself: where it is an administrator, where privacy hides, where it left", async () => {
    const bot = await world.connectBot({ canReadAllGroupMessages: false });
    const owner = world.sandbox.createUser({ firstName: "Ada" });
    const groups = ["administrator", "member", "gone"].map((title) => {
      const memberIds = [owner.id, bot.id];
      const { id } = world.sandbox.createChat({ type: "supergroup", title, memberIds });
      if (title === "administrator") world.sandbox.addMember(id, bot.id, title);
      if (title === "gone") world.sandbox.removeMember(id, bot.id, "kicked");
      return id;
    });
    for (const id of groups) await link(bot, id);
    const result = await run(bot);
    const [admin, member, gone] = groups.map((id) => `chat ${id}`);
    expect(verdicts(result)).toMatchObject({
      [`${admin}`]: true,
      [`${member}`]: false,
      [`${gone}`]: false,
    });
    expect(detail(result, `${member}`)).toMatch(/privacy mode.*@BotFather/);
    expect(detail(result, `${gone}`)).toMatch(/add it/);
    expect(result.ok).toBe(false);
  });

  test("a webhook that something else set or removed", async () => {
    const bot = await world.connectBot();
    const api = await world.system.botApis.forConnector(bot.connectorId);
    await api.call("deleteWebhook");
    expect(detail(await run(bot), "webhook")).toMatch(/no webhook/);
    const other = await world.connectBot();
    await world.system.db.query("UPDATE connectors SET webhook_url = $2 WHERE id = $1", [
      other.connectorId,
      "https://bots.example.com/webhooks/telegram/key",
    ]);
    expect(detail(await run(other), "webhook")).toMatch(/another address/);
    await world.system.db.query("UPDATE connectors SET webhook_url = NULL WHERE id = $1", [
      other.connectorId,
    ]);
    expect(detail(await run(other), "webhook")).toMatch(/not registered/);
  });

  test("a refused token: said once, with what to do; nothing else is asked", async () => {
    const bot = await world.connectBot();
    world.sandbox.revokeToken(bot.id);
    const result = await run(bot);
    expect(verdicts(result)).toEqual({
      token: false,
      webhook: false,
      reachability: false,
      message: false,
    });
    expect(detail(result, "token")).toMatch(/@BotFather/);
    expect(detail(result, "message")).toMatch(/^Not checked/);
  });

  test("a token whose key is gone, Telegram failing half-way, a chat that is none", async () => {
    const bot = await world.connectBot();
    const path = `/v1/connectors/${bot.connectorId}`;
    await world.api("PATCH", path, { defaultChatId: "4711" });
    world.sandbox.fault({ botId: bot.id, method: "getWebhookInfo", answer: { status: 502 } });
    const half = await run(bot);
    expect(verdicts(half)).toEqual({
      token: true,
      webhook: false,
      reachability: false,
      message: false,
    });
    expect(detail(half, "message")).toMatch(/cannot write there/);
    const other = await world.connectBot();
    await world.system.db.query(
      "UPDATE connectors SET token_sealed = overlay(token_sealed PLACING '\\x0009' FROM 2) WHERE id = $1",
      [other.connectorId],
    );
    expect(detail(await run(other), "token")).toMatch(/ENCRYPTION_KEYS/);
  });

  test("another workspace's connector is not found", async () => {
    const bot = await world.connectBot();
    const stranger = await createWorkspace(world.system.db, "Stranger");
    expect(await world.system.connectors.test(stranger.id, bot.connectorId)).toBeNull();
  });
});
