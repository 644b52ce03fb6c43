import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type BotAccount, type Sandbox, startSandbox, type TelegramUser } from "./index.ts";
import { call, updatesOf } from "./test-client.ts";

let sandbox: Sandbox;
let shy: BotAccount;
let open: BotAccount;
let ada: TelegramUser;
let eve: TelegramUser;

beforeEach(async () => {
  sandbox = await startSandbox();
  shy = sandbox.createBot({ name: "Shy", username: "shy_bot" });
  open = sandbox.createBot({ name: "Open", username: "open_bot", canReadAllGroupMessages: true });
  ada = sandbox.createUser({ firstName: "Ada" });
  eve = sandbox.createUser({ firstName: "Eve" });
});
afterEach(() => sandbox.close());

const everything = ["message", "edited_message", "channel_post", "my_chat_member", "chat_member"];

/** What a bot heard, one word or text an update. */
async function heard(bot: BotAccount): Promise<string[]> {
  return (await updatesOf(sandbox, bot)).map((update) => {
    const kind = Object.keys(update).find((key) => key !== "update_id") ?? "";
    const body = update[kind] as Record<string, unknown>;
    const text = ["text", "caption"].map((field) => body[field]).find(Boolean);
    const service = [
      "group_chat_created",
      "new_chat_members",
      "left_chat_member",
      "migrate_to_chat_id",
      "migrate_from_chat_id",
    ].find((field) => field in body);
    const status = (body.new_chat_member as { status?: string } | undefined)?.status;
    return String(text ?? service ?? `${kind}:${status}`);
  });
}

describe("privacy mode", () => {
  test("lets through commands, mentions, replies to the bot and service messages", async () => {
    const { id } = sandbox.createChat({
      type: "group",
      title: "G",
      memberIds: [ada.id, shy.id, open.id],
    });
    const say = (text: string, replyTo?: number) =>
      sandbox.send({ from: ada.id, chatId: id, text, ...(replyTo !== undefined && { replyTo }) });
    const sent = await call<{ message_id: number }>(sandbox, shy, "sendMessage", {
      chat_id: id,
      text: "from shy",
    });
    await say("just talk");
    await say("/help");
    await say("/help@shy_bot");
    await say("/help@open_bot");
    await say("hello @Shy_Bot, there");
    await say("mail me@shy_bot.example");
    await say("a reply", sent.result.message_id);
    await say("no command: and/or");
    sandbox.addMember(id, eve.id);
    expect(await heard(shy)).toEqual([
      "my_chat_member:member",
      "group_chat_created",
      "/help",
      "/help@shy_bot",
      "hello @Shy_Bot, there",
      "a reply",
      "new_chat_members",
    ]);
    expect(await heard(open)).toHaveLength(2 + 8 + 1);
  });

  test("ends where the bot is administrator", async () => {
    const { id } = sandbox.createChat({
      type: "supergroup",
      title: "G",
      memberIds: [ada.id, shy.id],
    });
    sandbox.addMember(id, shy.id, "administrator");
    await sandbox.send({ from: ada.id, chatId: id, text: "just talk" });
    expect(await heard(shy)).toContain("just talk");
  });

  test("bots do not hear bots", async () => {
    const { id } = sandbox.createChat({
      type: "group",
      title: "G",
      memberIds: [ada.id, shy.id, open.id],
    });
    await call(sandbox, shy, "sendMessage", { chat_id: id, text: "/help@open_bot" });
    expect(await heard(open)).toEqual(["my_chat_member:member", "group_chat_created"]);
  });
});

describe("membership", () => {
  test("is told to the bot it is about, and to administrators that asked", async () => {
    await call(sandbox, open, "getUpdates", { allowed_updates: everything });
    const { id } = sandbox.createChat({ type: "supergroup", title: "G", memberIds: [ada.id] });
    sandbox.addMember(id, open.id, "administrator");
    sandbox.addMember(id, shy.id);
    sandbox.addMember(id, eve.id);
    sandbox.removeMember(id, eve.id, "left");
    sandbox.removeMember(id, shy.id, "kicked");
    expect(await heard(shy)).toEqual([
      "my_chat_member:member",
      "new_chat_members",
      "new_chat_members",
      "left_chat_member",
      "left_chat_member",
      "my_chat_member:kicked",
    ]);
    expect((await heard(open)).filter((word) => word.includes("chat_member:"))).toEqual([
      "my_chat_member:administrator",
      "chat_member:member",
      "chat_member:member",
      "chat_member:left",
      "chat_member:kicked",
    ]);
    const members = await call<number>(sandbox, open, "getChatMemberCount", { chat_id: id });
    expect(members.result).toBe(2);
    expect(
      await call(sandbox, open, "getChatMember", { chat_id: id, user_id: shy.id }),
    ).toMatchObject({
      result: { status: "kicked" },
    });
    expect(
      (
        await call<{ user: { id: number } }[]>(sandbox, open, "getChatAdministrators", {
          chat_id: id,
        })
      ).result.map(({ user }) => user.id),
    ).toEqual([ada.id, open.id]);
  });

  test("blocking a bot and taking it back is told as kicked and member", async () => {
    await sandbox.send({ from: ada.id, chatId: ada.id, botId: shy.id, text: "/start" });
    sandbox.block(ada.id, shy.id);
    sandbox.unblock(ada.id, shy.id);
    expect(await heard(shy)).toEqual(["/start", "my_chat_member:kicked", "my_chat_member:member"]);
  });

  test("a channel's posts come as channel_post, without an author", async () => {
    const { id } = sandbox.createChat({
      type: "channel",
      title: "News",
      username: "news_room",
      memberIds: [ada.id, eve.id, shy.id],
    });
    await sandbox.send({ from: ada.id, chatId: id, text: "news" });
    await expect(sandbox.send({ from: eve.id, chatId: id, text: "mine" })).rejects.toThrow(
      /may read channel/,
    );
    const updates = await updatesOf(sandbox, shy);
    expect(updates.at(-1)).toMatchObject({ channel_post: { text: "news", sender_chat: { id } } });
    expect(updates.at(-1)).not.toHaveProperty("channel_post.from");
    expect(
      await call(sandbox, shy, "sendMessage", { chat_id: "@news_room", text: "x" }),
    ).toMatchObject({ ok: true });
  });
});

describe("a group that becomes a supergroup", () => {
  test("has a new id, both service messages and its members; the old id says where it went", async () => {
    const { id } = sandbox.createChat({ type: "group", title: "G", memberIds: [ada.id, shy.id] });
    const newId = sandbox.migrate(id);
    expect(String(newId)).toMatch(/^-100\d{10}$/);
    const updates = await updatesOf(sandbox, shy);
    expect(updates.slice(-2)).toMatchObject([
      { message: { chat: { id, type: "group" }, migrate_to_chat_id: newId } },
      { message: { chat: { id: newId, type: "supergroup" }, migrate_from_chat_id: id } },
    ]);
    expect(await call(sandbox, shy, "sendMessage", { chat_id: id, text: "x" })).toEqual({
      status: 400,
      ok: false,
      error_code: 400,
      description: "Bad Request: group chat was upgraded to a supergroup chat",
      parameters: { migrate_to_chat_id: newId },
    });
    expect(await call(sandbox, shy, "sendMessage", { chat_id: newId, text: "x" })).toMatchObject({
      ok: true,
    });
    await expect(sandbox.send({ from: ada.id, chatId: id, text: "x" })).rejects.toThrow(
      /has become supergroup/,
    );
    await sandbox.send({ from: ada.id, chatId: newId, text: "/on" });
    expect(await heard(shy)).toContain("/on");
  });
});

describe("people", () => {
  test("writing to one bot share its sequence of message ids; each group has its own", async () => {
    const id = async (from: number, chatId: number) =>
      (await sandbox.send({ from, chatId, botId: shy.id, text: "x" }))[0]?.message_id;
    expect([await id(ada.id, ada.id), await id(eve.id, eve.id), await id(ada.id, ada.id)]).toEqual([
      1, 2, 3,
    ]);
    const group = sandbox.createChat({ type: "supergroup", title: "G", memberIds: [ada.id] });
    expect(await id(ada.id, group.id)).toBe(1);
  });

  test("edit their own messages, and bots hear of it", async () => {
    const [message] = await sandbox.send({
      from: ada.id,
      chatId: ada.id,
      botId: shy.id,
      text: "one",
    });
    // The second time nothing is to be seen of it, and it is told all the same.
    const before = (await updatesOf(sandbox, shy)).length;
    for (const text of ["two", "two"])
      sandbox.edit({
        from: ada.id,
        chatId: ada.id,
        botId: shy.id,
        messageId: message?.message_id ?? 0,
        text,
      });
    expect(await updatesOf(sandbox, shy)).toHaveLength(before + 2);
    expect((await updatesOf(sandbox, shy)).at(-1)).toMatchObject({
      edited_message: {
        message_id: message?.message_id,
        text: "two",
        edit_date: expect.any(Number),
      },
    });
  });

  test("send albums and contacts", async () => {
    const content = Buffer.from("x");
    await sandbox.send({
      from: ada.id,
      chatId: ada.id,
      botId: shy.id,
      album: [
        { kind: "document", file: { name: "a.txt", content }, caption: "both" },
        { kind: "document", file: { name: "b.txt", content } },
      ],
    });
    await sandbox.send({
      from: ada.id,
      chatId: ada.id,
      botId: shy.id,
      contact: { phone_number: "+15550100", first_name: "Ada", user_id: ada.id },
    });
    const [first, second, contact] = (await updatesOf(sandbox, shy)).map(
      ({ message }) => message as Record<string, unknown>,
    );
    expect(first?.media_group_id).toBe(second?.media_group_id);
    expect([first?.caption, second?.caption]).toEqual(["both", undefined]);
    expect(contact).toHaveProperty("contact.phone_number", "+15550100");
  });

  test("cannot do what makes no sense, and are told why", async () => {
    const alone = { from: ada.id, chatId: ada.id };
    await expect(sandbox.send({ ...alone, text: "x" })).rejects.toThrow(
      /more than one bot: say which with botId/,
    );
    await expect(sandbox.send({ ...alone, botId: shy.id })).rejects.toThrow(/one of: text, photo/);
    await expect(sandbox.send({ from: 1, chatId: 1, text: "x" })).rejects.toThrow("no user 1");
    const { id } = sandbox.createChat({ type: "group", title: "G", memberIds: [ada.id] });
    await expect(sandbox.send({ from: eve.id, chatId: id, text: "x" })).rejects.toThrow(
      /is not a member/,
    );
    expect(() => sandbox.createBot({ name: "X", username: "x" })).toThrow(/ends in "bot"/);
    expect(() => sandbox.createBot({ name: "X", username: "SHY_bot" })).toThrow(/already/);
  });
});
