import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { backends } from "./support/requirements.ts";
import { deliver, startTestSystem, type TestSystem, textUpdate } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

interface MessageList {
  data: { direction: string; text?: string; editedAt?: string; telegramMessageId: string }[];
}
interface ConversationList {
  data: { id: string; chatId: string }[];
}

describe.each(backends)("from Telegram and back, on $name", (backend) => {
  let world: TestSystem;
  beforeAll(async () => {
    world = await startTestSystem({ redisUrl: backend.redisUrl });
  });
  afterAll(() => world.close());

  async function messagesOf(connectorId: string, chatId: number) {
    const found = await world.api(
      "GET",
      `/v1/conversations?connectorId=${connectorId}&chatId=${chatId}`,
    );
    const [conversation] = (found.body as ConversationList).data;
    if (conversation === undefined) return [];
    const list = await world.api("GET", `/v1/conversations/${conversation.id}/messages?limit=200`);
    return (list.body as MessageList).data;
  }

  test("a person writes, is answered, presses a button, and both sides stand in the conversation", async () => {
    const { sandbox } = world;
    const bot = await world.connectBot();
    const ada = sandbox.createUser({ firstName: "Ada" });
    const chat = { chatId: ada.id, botId: bot.id };
    await sandbox.send({ ...chat, from: ada.id, text: "/start" });
    const answer = await waitFor(
      () => sandbox.messages(chat).find((message) => message.from?.id === bot.id),
      { what: "the bot's answer" },
    );
    const keyboard = answer.reply_markup as {
      inline_keyboard: { text: string; callback_data: string }[][];
    };
    const button = keyboard.inline_keyboard[0]?.[0];
    sandbox.pressButton({
      ...chat,
      from: ada.id,
      messageId: answer.message_id,
      data: button?.callback_data ?? "",
    });
    await waitFor(() => sandbox.record.callsOf("answerCallbackQuery", bot.id).length === 1, {
      what: "the press to be answered",
    });
    const messages = await waitFor(
      async () => {
        const list = await messagesOf(bot.connectorId, ada.id);
        return list.length >= 2 ? list : null;
      },
      { what: "the conversation" },
    );
    expect(messages.slice(0, 2).map((message) => message.direction)).toEqual(["in", "out"]);
  });

  test("a message of the API arrives; the same Idempotency-Key sends it once", async () => {
    const { sandbox } = world;
    const bot = await world.connectBot();
    const ada = sandbox.createUser({ firstName: "Ada" });
    await sandbox.send({ chatId: ada.id, botId: bot.id, from: ada.id, text: "hello" });
    const body = { connectorId: bot.connectorId, chatId: String(ada.id), text: "From the desk" };
    const send = (text = body.text) =>
      fetch(`${world.url}/v1/messages`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${world.apiKey}`,
          "content-type": "application/json",
          "idempotency-key": "k1",
        },
        body: JSON.stringify({ ...body, text }),
      });
    const answers = await Promise.all([send(), send(), send()]);
    expect(answers.map((answer) => answer.status)).toEqual([202, 202, 202]);
    const ids = await Promise.all(
      answers.map(async (answer) => ((await answer.json()) as { id: string }).id),
    );
    expect(new Set(ids).size).toBe(1);
    expect((await send("other")).status).toBe(422);
    const sent = await waitFor(
      async () => {
        const { body: found } = await world.api("GET", `/v1/messages/${ids[0]}`);
        return (found as { state: string }).state === "sent" ? found : null;
      },
      { what: "the message to be sent" },
    );
    expect(sent).toMatchObject({ attempts: 1, telegramMessageIds: [expect.any(String)] });
    const texts = sandbox
      .messages({ chatId: ada.id, botId: bot.id })
      .filter((message) => message.text === body.text);
    expect(texts).toHaveLength(1);
  });

  test("an edit changes what the conversation shows", async () => {
    const { sandbox } = world;
    const bot = await world.connectBot();
    const ada = sandbox.createUser({ firstName: "Ada" });
    const chat = { chatId: ada.id, botId: bot.id };
    const [message] = await sandbox.send({ ...chat, from: ada.id, text: "frist" });
    sandbox.edit({ ...chat, from: ada.id, messageId: message?.message_id ?? 0, text: "first" });
    await waitFor(async () => (await messagesOf(bot.connectorId, ada.id))[0]?.text === "first", {
      what: "the edit",
    });
  });

  test("another workspace sees nothing of it", async () => {
    const bot = await world.connectBot();
    const created = await fetch(`${world.url}/v1/workspaces`, {
      method: "POST",
      headers: {
        authorization: "Bearer the-administrator",
        "content-type": "application/json",
      },
      body: '{"name":"Other"}',
    });
    expect(created.status).toBe(201);
    const { apiKey } = (await created.json()) as { apiKey: string };
    const as = (path: string, method = "GET", body?: unknown) =>
      fetch(world.url + path, {
        method,
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const connector = `/v1/connectors/${bot.connectorId}`;
    expect((await as(connector)).status).toBe(404);
    expect((await as(`${connector}/chats`)).status).toBe(404);
    expect((await as(connector, "PATCH", { name: "x" })).status).toBe(404);
    expect((await as(connector, "DELETE")).status).toBe(404);
    expect((await as(`${connector}/chats/-5`, "PUT", { linked: true })).status).toBe(404);
    const message = { connectorId: bot.connectorId, chatId: "5", text: "x" };
    expect((await as("/v1/messages", "POST", message)).status).toBe(404);
    expect((await as("/v1/conversations/1/messages")).status).toBe(404);
    expect((await as("/v1/jobs/1")).status).toBe(404);
    expect((await as("/v1/jobs/1/discard", "POST")).status).toBe(404);
    expect(await (await as("/v1/jobs")).json()).toMatchObject({ data: [] });
    const taken = await as("/v1/connectors", "POST", { name: "x", botToken: bot.token });
    expect(taken.status).toBe(409);
    expect(taken.headers.get("content-type")).toContain("application/problem+json");
  });

  test("10,000 updates of 200 chats over HTTP, with duplicates and repeats: each once, in order", async () => {
    const chats = 200;
    const perChat = 50;
    const bot = await world.connectBot();
    let updateId = 1;
    await Promise.all(
      Array.from({ length: chats }, async (_, chat) => {
        for (let n = 1; n <= perChat; n++) {
          const update = textUpdate(updateId++, 900_000 + chat, n, `m${n}`);
          // Telegram sends again what it got no answer to: twice, and at once, now and then.
          const copies = n % 5 === 0 ? 2 : 1;
          const statuses = await Promise.all(
            Array.from({ length: copies }, () => deliver(world.url, bot, update)),
          );
          expect(new Set(statuses)).toEqual(new Set([200]));
          if (n % 7 === 0) expect(await deliver(world.url, bot, update)).toBe(200);
        }
      }),
    );
    const { db } = world.system;
    const count = async () =>
      Number(
        (
          await db.query<{ count: string }>(
            "SELECT count(*) FROM messages WHERE connector_id = $1 AND direction = 'in'",
            [bot.connectorId],
          )
        )[0]?.count,
      );
    await waitFor(async () => (await count()) >= chats * perChat, {
      timeoutMs: 60_000,
      what: "all messages",
    });
    expect(await count()).toBe(chats * perChat);
    const disorder = await db.query(
      `SELECT 1 FROM (
         SELECT telegram_message_id - lag(telegram_message_id)
           OVER (PARTITION BY chat_id ORDER BY id) AS step
         FROM messages WHERE connector_id = $1 AND direction = 'in') s
       WHERE step <> 1`,
      [bot.connectorId],
    );
    expect(disorder).toEqual([]);
  }, 120_000);
});
