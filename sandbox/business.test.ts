import { afterEach, describe, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "./index.ts";
import { call, updatesOf } from "./test-client.ts";

let sandbox: Sandbox;
afterEach(() => sandbox.close());

async function setUp(canReply = true) {
  sandbox = await startSandbox();
  const bot = sandbox.createBot({ name: "Clerk", username: "clerk_bot" });
  const [owner = 0, customer = 0] = ["Owner", "Customer"].map(
    (firstName) => sandbox.createUser({ firstName }).id,
  );
  const connection = sandbox.connectBusiness({ userId: owner, botId: bot.id, canReply });
  const place = { chatId: customer, businessConnectionId: connection };
  const api = <Result>(method: string, params: object) =>
    call<Result>(sandbox, bot, method, { business_connection_id: connection, ...params });
  return { bot, owner, customer, connection, place, api };
}

describe("a business account", () => {
  test("lets its bot hear both sides: messages, edits, deletions", async () => {
    const { bot, owner, customer, connection, place } = await setUp();
    const [message] = await sandbox.send({ ...place, from: customer, text: "Open today?" });
    const messageId = message?.message_id ?? 0;
    sandbox.edit({ ...place, from: customer, messageId, text: "Open on Sunday?" });
    await sandbox.send({ ...place, from: owner, text: "Yes" });
    sandbox.deleteMessages({ ...place, from: customer, messageIds: [messageId] });
    const chat = { id: customer, type: "private" };
    expect(await updatesOf(sandbox, bot)).toMatchObject([
      { business_connection: { id: connection, user: { id: owner }, is_enabled: true } },
      {
        business_message: {
          business_connection_id: connection,
          chat,
          from: { id: customer },
          text: "Open today?",
        },
      },
      { edited_business_message: { chat, text: "Open on Sunday?" } },
      { business_message: { chat, from: { id: owner }, text: "Yes" } },
      {
        deleted_business_messages: {
          business_connection_id: connection,
          chat,
          message_ids: [messageId],
        },
      },
    ]);
  });

  test("lets its bot write in the user's name, where the customer began", async () => {
    const { bot, owner, customer, connection, place, api } = await setUp();
    const send = (params = {}) =>
      api("sendMessage", { chat_id: customer, text: "Hello", ...params });
    expect(await send()).toMatchObject({ description: "Bad Request: BUSINESS_PEER_INVALID" });
    await sandbox.send({ ...place, from: customer, text: "Hi" });
    const sent = await api<{ message_id: number }>("sendMessage", {
      chat_id: customer,
      text: "Hello",
    });
    expect(sent).toMatchObject({
      ok: true,
      result: {
        business_connection_id: connection,
        chat: { id: customer },
        from: { id: owner },
        sender_business_bot: { id: bot.id },
      },
    });
    const { length } = await updatesOf(sandbox, bot);
    expect(
      await api("editMessageText", {
        chat_id: customer,
        message_id: sent.result.message_id,
        text: "Hello!",
      }),
    ).toMatchObject({ ok: true });
    // Of its own words the bot hears nothing.
    expect(await updatesOf(sandbox, bot)).toHaveLength(length);
    expect(
      await api("deleteBusinessMessages", { message_ids: [sent.result.message_id] }),
    ).toMatchObject({ ok: true });
    expect(sandbox.messages(place).map(({ text }) => text)).toEqual(["Hi"]);
    expect((await api("getBusinessConnection", {})).result).toMatchObject({
      id: connection,
      rights: { can_reply: true },
    });
  });

  test("lets customers press its bot's buttons; inline queries are not simulated there", async () => {
    const { bot, customer, connection, place, api } = await setUp();
    await sandbox.send({ ...place, from: customer, text: "Hi" });
    const sent = await api<{ message_id: number }>("sendMessage", {
      chat_id: customer,
      text: "When?",
      reply_markup: { inline_keyboard: [[{ text: "Now", callback_data: "now" }]] },
    });
    sandbox.pressButton({
      ...place,
      from: customer,
      messageId: sent.result.message_id,
      data: "now",
    });
    expect((await updatesOf(sandbox, bot)).at(-1)).toMatchObject({
      callback_query: {
        from: { id: customer },
        data: "now",
        message: { business_connection_id: connection, text: "When?" },
      },
    });
    expect(() =>
      sandbox.inlineQuery({ ...place, from: customer, viaBotId: bot.id, query: "x" }),
    ).toThrow("does not simulate");
  });

  test("is closed to other bots, without the right, and once disconnected", async () => {
    const { bot, customer, connection, place, api } = await setUp(false);
    await sandbox.send({ ...place, from: customer, text: "Hi" });
    expect(await api("sendMessage", { chat_id: customer, text: "x" })).toMatchObject({
      status: 403,
    });
    const other = sandbox.createBot({ name: "Other", username: "other_bot" });
    expect(
      await call(sandbox, other, "sendMessage", {
        business_connection_id: connection,
        chat_id: customer,
        text: "x",
      }),
    ).toMatchObject({ description: "Bad Request: business connection not found" });
    sandbox.disconnectBusiness(connection);
    await sandbox.send({ ...place, from: customer, text: "unheard" });
    expect((await updatesOf(sandbox, bot)).at(-1)).toMatchObject({
      business_connection: { id: connection, is_enabled: false },
    });
  });
});
