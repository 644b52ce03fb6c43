import { afterEach, describe, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "./index.ts";
import { call, updatesOf } from "./test-client.ts";

let sandbox: Sandbox;
afterEach(() => sandbox.close());

async function setUp(topics?: string[]) {
  sandbox = await startSandbox();
  const bot = sandbox.createBot({ name: "Bot", username: "admin_bot" });
  const [ada = 0, ben = 0] = ["Ada", "Ben"].map(
    (firstName) => sandbox.createUser({ firstName }).id,
  );
  const chat = sandbox.createChat({
    type: "supergroup",
    title: "S",
    memberIds: [ada, bot.id],
    ...(topics !== undefined && { topics }),
  });
  sandbox.addMember(chat.id, bot.id, "administrator");
  const { length } = await updatesOf(sandbox, bot);
  /** What came since the chat was set up. */
  const heard = async () => (await updatesOf(sandbox, bot)).slice(length);
  const api = <Result>(method: string, params: object) =>
    call<Result>(sandbox, bot, method, { chat_id: chat.id, ...params });
  return { bot, ada, ben, chat, chatId: chat.id, heard, api };
}

describe("pins", () => {
  test("are told by a service message, also to the bot that pinned", async () => {
    const { bot, ada, chatId, heard, api } = await setUp();
    const [message] = await sandbox.send({ from: ada, chatId, text: "important" });
    const messageId = message?.message_id ?? 0;
    sandbox.pin({ from: ada, chatId, messageId });
    expect(await api("unpinChatMessage", {})).toMatchObject({ ok: true });
    expect(await api("unpinChatMessage", {})).toMatchObject({
      description: "Bad Request: message to unpin not found",
    });
    expect(await api("pinChatMessage", { message_id: messageId })).toMatchObject({ ok: true });
    expect(await heard()).toMatchObject([
      { message: { text: "important" } },
      { message: { from: { id: ada }, pinned_message: { message_id: messageId } } },
      { message: { from: { id: bot.id }, pinned_message: { text: "important" } } },
    ]);
    expect((await api("getChat", {})).result).toMatchObject({
      pinned_message: { message_id: messageId },
    });
    await api("unpinAllChatMessages", {});
    expect((await api("getChat", {})).result).not.toHaveProperty("pinned_message");
  });

  test("take an administrator", async () => {
    const { bot, ada, ben, chatId, api } = await setUp();
    const [message] = await sandbox.send({ from: ada, chatId, text: "x" });
    const messageId = message?.message_id ?? 0;
    sandbox.addMember(chatId, bot.id, "member");
    expect(await api("pinChatMessage", { message_id: messageId })).toMatchObject({
      description: "Bad Request: not enough rights to manage pinned messages in the chat",
    });
    sandbox.addMember(chatId, ben);
    expect(() => sandbox.pin({ from: ben, chatId, messageId })).toThrow("may not pin");
  });
});

describe("topics", () => {
  test("are opened, renamed, closed and taken away by an administrator", async () => {
    const { bot, ada, chatId, heard, api } = await setUp(["General talk"]);
    const made = await api<{ message_thread_id: number }>("createForumTopic", { name: "Cases" });
    const topic = { message_thread_id: made.result.message_thread_id };
    await api("editForumTopic", { ...topic, name: "Open cases" });
    await api("closeForumTopic", topic);
    const send = () =>
      sandbox.send({ from: ada, chatId, threadId: topic.message_thread_id, text: "in it" });
    await expect(send()).rejects.toThrow("closed");
    expect(await api("closeForumTopic", topic)).toMatchObject({
      description: "Bad Request: TOPIC_NOT_MODIFIED",
    });
    await api("reopenForumTopic", topic);
    await send();
    expect(await heard()).toMatchObject([
      { message: { from: { id: bot.id }, forum_topic_created: { name: "Cases" }, ...topic } },
      { message: { forum_topic_edited: { name: "Open cases" } } },
      { message: { forum_topic_closed: {} } },
      { message: { forum_topic_reopened: {} } },
      { message: { text: "in it", is_topic_message: true, ...topic } },
    ]);
    await api("deleteForumTopic", topic);
    expect(await api("sendMessage", { ...topic, text: "x" })).toMatchObject({
      description: "Bad Request: message thread not found",
    });
  });

  test("that are closed are closed to bots without rights", async () => {
    const { bot, chat, chatId, api } = await setUp(["Cases"]);
    const topic = { message_thread_id: chat.topics.Cases };
    await api("closeForumTopic", topic);
    expect(await api("sendMessage", { ...topic, text: "by right" })).toMatchObject({ ok: true });
    sandbox.addMember(chatId, bot.id, "member");
    expect(await api("sendMessage", { ...topic, text: "x" })).toMatchObject({
      description: "Bad Request: TOPIC_CLOSED",
    });
    expect(await api("createForumTopic", { name: "y" })).toMatchObject({
      description: "Bad Request: not enough rights to manage topics",
    });
  });
});

describe("who is let in and put out", () => {
  test("asks to join, and the administrators' bot decides", async () => {
    const { bot, ben, chatId, heard, api } = await setUp();
    sandbox.requestToJoin(chatId, ben);
    expect(() => sandbox.requestToJoin(chatId, ben)).toThrow("already");
    expect(await heard()).toMatchObject([
      { chat_join_request: { chat: { id: chatId }, from: { id: ben }, user_chat_id: ben } },
    ]);
    expect(await api("declineChatJoinRequest", { user_id: ben })).toMatchObject({ ok: true });
    expect(sandbox.memberStatus(chatId, ben)).toBe("left");
    expect(await api("approveChatJoinRequest", { user_id: ben })).toMatchObject({
      description: "Bad Request: HIDE_REQUESTER_MISSING",
    });
    sandbox.requestToJoin(chatId, ben);
    expect(await api("approveChatJoinRequest", { user_id: ben })).toMatchObject({ ok: true });
    expect(sandbox.memberStatus(chatId, ben)).toBe("member");
    expect(await api("approveChatJoinRequest", { user_id: ben })).toMatchObject({
      description: "Bad Request: USER_ALREADY_PARTICIPANT",
    });
    expect(sandbox.record.updates.filter(({ botId }) => botId === bot.id).at(-1)).toMatchObject({
      updateKind: "message",
    });
  });

  test("is banned and unbanned", async () => {
    const { ada, ben, chatId, api } = await setUp();
    sandbox.addMember(chatId, ben);
    expect(await api("banChatMember", { user_id: ben })).toMatchObject({ ok: true });
    expect(sandbox.memberStatus(chatId, ben)).toBe("kicked");
    expect(() => sandbox.requestToJoin(chatId, ben)).toThrow("banned");
    expect(await api("unbanChatMember", { user_id: ben })).toMatchObject({ ok: true });
    expect(sandbox.memberStatus(chatId, ben)).toBe("left");
    expect(await api("banChatMember", { user_id: ada })).toMatchObject({
      description: "Bad Request: can't remove chat owner",
    });
  });

  test("a bot that is kicked or leaves hears of it last, and may not send", async () => {
    const { ada, chatId, heard, api } = await setUp();
    sandbox.removeMember(chatId, (await api<{ id: number }>("getMe", {})).result.id, "kicked");
    await sandbox.send({ from: ada, chatId, text: "unheard" });
    expect((await heard()).at(-1)).toMatchObject({
      my_chat_member: { new_chat_member: { status: "kicked" } },
    });
    expect(await api("sendMessage", { text: "x" })).toMatchObject({
      status: 403,
      description: "Forbidden: bot was kicked from the supergroup chat",
    });
  });

  test("a channel puts a bot out", async () => {
    const { bot, ada } = await setUp();
    const { id } = sandbox.createChat({ type: "channel", title: "C", memberIds: [ada, bot.id] });
    const post = () => call(sandbox, bot, "sendMessage", { chat_id: id, text: "news" });
    expect(await post()).toMatchObject({ ok: true });
    sandbox.removeMember(id, bot.id, "kicked");
    expect((await updatesOf(sandbox, bot)).at(-1)).toMatchObject({
      my_chat_member: {
        chat: { id, type: "channel" },
        old_chat_member: { status: "administrator" },
        new_chat_member: { status: "kicked" },
      },
    });
    expect(await post()).toMatchObject({
      status: 403,
      description: "Forbidden: bot was kicked from the channel chat",
    });
  });
});

describe("messages", () => {
  test("of a person who deletes them are gone, and no bot hears of it", async () => {
    const { ada, chatId, heard, api } = await setUp();
    const [message] = await sandbox.send({ from: ada, chatId, text: "oops" });
    const { length } = await heard();
    sandbox.deleteMessages({ from: ada, chatId, messageIds: [message?.message_id ?? 0] });
    expect(sandbox.messages({ chatId }).some(({ text }) => text === "oops")).toBe(false);
    expect(await heard()).toHaveLength(length);
    expect(
      await api("sendMessage", {
        text: "x",
        reply_parameters: { message_id: message?.message_id },
      }),
    ).toMatchObject({ description: "Bad Request: message to be replied not found" });
  });

  test("deleted by a bot, many at once, may lack some", async () => {
    const { chatId, api } = await setUp();
    const ids = [];
    for (const text of ["a", "b"])
      ids.push((await api<{ message_id: number }>("sendMessage", { text })).result.message_id);
    expect(await api("deleteMessages", { message_ids: [...ids, 9_999] })).toMatchObject({
      ok: true,
    });
    expect(sandbox.messages({ chatId }).filter(({ text }) => text)).toEqual([]);
  });

  test("to a person whose account is gone are refused", async () => {
    const { bot, ada } = await setUp();
    await sandbox.send({ from: ada, chatId: ada, botId: bot.id, text: "/start" });
    sandbox.deactivateUser(ada);
    expect(await call(sandbox, bot, "sendMessage", { chat_id: ada, text: "x" })).toMatchObject({
      status: 403,
      description: "Forbidden: user is deactivated",
    });
    await expect(
      sandbox.send({ from: ada, chatId: ada, botId: bot.id, text: "x" }),
    ).rejects.toThrow("deactivated");
  });
});
