import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type BotAccount, type Sandbox, startSandbox, type TelegramUser } from "./index.ts";
import { call, onePixelPng } from "./test-client.ts";

let sandbox: Sandbox;
let bot: BotAccount;
let ada: TelegramUser;

beforeAll(async () => {
  sandbox = await startSandbox({ limits: { bot: [], chat: [], group: [] } });
  bot = sandbox.createBot({ name: "Helio", username: "helio_bot" });
  ada = sandbox.createUser({ firstName: "Ada" });
  await sandbox.send({ from: ada.id, chatId: ada.id, text: "/start" });
});
afterAll(() => sandbox.close());

const send = (params: Record<string, unknown>) =>
  call<{ message_id: number }>(sandbox, bot, "sendMessage", {
    chat_id: ada.id,
    text: "hello",
    ...params,
  });

describe("a call", () => {
  test("may carry its parameters in any of Telegram's ways", async () => {
    const url = `${sandbox.url}/bot${bot.token}/sendMessage`;
    const markup = JSON.stringify({ inline_keyboard: [[{ text: "A", callback_data: "a" }]] });
    const fields = {
      chat_id: String(ada.id),
      text: "hello",
      disable_notification: "true",
      reply_markup: markup,
    };
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    const ways = [
      fetch(`${url}?${new URLSearchParams(fields)}`),
      fetch(url, { method: "POST", body: new URLSearchParams(fields) }),
      fetch(url, { method: "POST", body: form }),
      fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(fields),
      }),
      fetch(url.replace("sendMessage", "SENDMESSAGE"), { method: "POST", body: form }),
    ];
    for (const way of ways) {
      const answer = (await (await way).json()) as { ok: boolean; result: object };
      expect(answer).toMatchObject({ ok: true, result: { text: "hello" } });
      expect(answer.result).toHaveProperty("reply_markup.inline_keyboard.0.0.callback_data", "a");
    }
  });

  test("with an unknown method, or a token that never was or is no more, is refused as Telegram does", async () => {
    expect(await call(sandbox, bot, "getNothing")).toEqual({
      status: 404,
      ok: false,
      error_code: 404,
      description: "Not Found",
    });
    expect(await call(sandbox, { token: "nonsense" }, "getMe")).toMatchObject({ status: 404 });
    const other = sandbox.createBot({ name: "Other", username: "other_bot" });
    const renewed = sandbox.revokeToken(other.id);
    expect(await call(sandbox, other, "getMe")).toMatchObject({
      status: 401,
      description: "Unauthorized",
    });
    expect(await call(sandbox, renewed, "getMe")).toMatchObject({
      ok: true,
      result: { id: other.id },
    });
  });

  test.each([
    [{ chat_id: undefined }, "chat_id is empty"],
    [{ text: undefined }, "message text is empty"],
    [{ text: "  \n " }, "message text is empty"],
    [{ text: "<b></b>", parse_mode: "HTML" }, "message text is empty"],
    [{ text: "x".repeat(4097) }, "message is too long"],
    [{ chat_id: 1 }, "chat not found"],
    [{ chat_id: "@nobody" }, "chat not found"],
    [{ message_thread_id: "seven" }, 'parameter "message_thread_id" must be an integer'],
    [{ message_thread_id: 7 }, "message thread not found"],
    [{ disable_notification: "perhaps" }, 'parameter "disable_notification" must be a boolean'],
    [{ reply_markup: "{" }, "can't parse reply markup JSON object"],
    [{ reply_markup: 5 }, "object expected as reply markup"],
    [{ reply_markup: { inline_keyboard: [[{ callback_data: "a" }]] } }, "can't parse reply markup"],
    [{ reply_markup: { inline_keyboard: [[{ text: "a" }]] } }, "Text buttons are unallowed"],
    [
      { reply_markup: { inline_keyboard: [[{ text: "a", callback_data: "é".repeat(33) }]] } },
      "BUTTON_DATA_INVALID",
    ],
    [{ reply_parameters: { message_id: 99_999 } }, "message to be replied not found"],
    [{ parse_mode: "XML" }, "unsupported parse_mode"],
    [{ text: "<b>bold", parse_mode: "HTML" }, "can't parse entities: Can't find end tag"],
    [
      { text: "<b>bold</i>", parse_mode: "HTML" },
      "can't parse entities: Unmatched end tag at byte offset 7",
    ],
    [
      { text: "<blink>x</blink>", parse_mode: "HTML" },
      'can\'t parse entities: Unsupported start tag "blink"',
    ],
    [
      { text: "*bold", parse_mode: "MarkdownV2" },
      "can't parse entities: Can't find end of Bold entity at byte offset 0",
    ],
    [{ text: "1.", parse_mode: "MarkdownV2" }, "can't parse entities: Character '.' is reserved"],
  ])("with %j is a 400: %s", async (params, description) => {
    const answer = await send(params);
    expect(answer).toMatchObject({ status: 400, ok: false, error_code: 400 });
    expect(answer.description).toContain(`Bad Request: `);
    expect(answer.description).toContain(description);
  });

  test("counts text in UTF-16 units after its markup is taken out", async () => {
    expect(await send({ text: `<b>${"x".repeat(4096)}</b>`, parse_mode: "HTML" })).toMatchObject({
      ok: true,
    });
    expect(await send({ text: "😀".repeat(2049) })).toMatchObject({ status: 400 });
  });

  test("that the sandbox does not simulate is refused, never faked", async () => {
    expect(await call(sandbox, bot, "sendDice", { chat_id: ada.id })).toMatchObject({
      status: 400,
      description: "Bad Request: the sandbox does not simulate sendDice",
    });
  });

  test("with parameters that do not exist works, and the record tells of them", async () => {
    expect(await send({ colour: "red" })).toMatchObject({ ok: true });
    expect(sandbox.record.callsOf("sendMessage").at(-1)?.unknownParams).toEqual(["colour"]);
  });
});

describe("sending", () => {
  test("needs a conversation that the user began and did not end", async () => {
    const eve = sandbox.createUser({ firstName: "Eve" });
    const to = () => send({ chat_id: eve.id });
    sandbox.createBot({ name: "Third", username: "third_bot" });
    const place = { chatId: eve.id, botId: bot.id };
    expect(await to()).toMatchObject({
      status: 403,
      description: "Forbidden: bot can't initiate conversation with a user",
    });
    await sandbox.send({ from: eve.id, ...place, text: "hi" });
    expect(await to()).toMatchObject({ ok: true });
    sandbox.block(eve.id, bot.id);
    expect(await to()).toMatchObject({
      status: 403,
      description: "Forbidden: bot was blocked by the user",
    });
    sandbox.unblock(eve.id, bot.id);
    expect(await to()).toMatchObject({ ok: true });
    sandbox.deactivateUser(eve.id);
    expect(await to()).toMatchObject({
      status: 403,
      description: "Forbidden: user is deactivated",
    });
    expect(await send({ chat_id: bot.id })).toMatchObject({ status: 403 });
  });

  test("to a group needs membership", async () => {
    const { id } = sandbox.createChat({
      type: "supergroup",
      title: "Room",
      memberIds: [ada.id, bot.id],
    });
    expect(await send({ chat_id: id })).toMatchObject({ ok: true });
    sandbox.removeMember(id, bot.id, "kicked");
    expect(await send({ chat_id: id })).toMatchObject({
      status: 403,
      description: "Forbidden: bot was kicked from the supergroup chat",
    });
    sandbox.addMember(id, bot.id);
    expect(await call(sandbox, bot, "leaveChat", { chat_id: id })).toMatchObject({ ok: true });
    expect(await send({ chat_id: id })).toMatchObject({
      status: 403,
      description: "Forbidden: bot is not a member of the supergroup chat",
    });
  });

  test("replies, in topics, with what Telegram finds in the text", async () => {
    const { id, topics } = sandbox.createChat({
      type: "supergroup",
      title: "Forum",
      memberIds: [ada.id, bot.id],
      topics: ["Evidence"],
    });
    const [question] = await sandbox.send({
      from: ada.id,
      chatId: id,
      threadId: topics.Evidence,
      text: "how?",
    });
    const answer = await send({
      chat_id: id,
      text: "see https://example.org or /help",
      message_thread_id: topics.Evidence,
      reply_parameters: { message_id: question?.message_id },
    });
    expect(answer.result).toMatchObject({
      message_thread_id: topics.Evidence,
      is_topic_message: true,
      reply_to_message: { text: "how?" },
      entities: [
        { type: "url", offset: 4, length: 19 },
        { type: "bot_command", offset: 27, length: 5 },
      ],
    });
  });

  test("editing changes the message once; the same again is not modified", async () => {
    const { result } = await send({ text: "one" });
    const edit = (params: object) =>
      call(sandbox, bot, "editMessageText", {
        chat_id: ada.id,
        message_id: result.message_id,
        ...params,
      });
    expect(await edit({ text: "two" })).toMatchObject({ ok: true, result: { text: "two" } });
    expect((await edit({ text: "two" })).description).toMatch(
      /^Bad Request: message is not modified:/,
    );
    expect(await edit({ message_id: 99_999, text: "x" })).toMatchObject({
      description: "Bad Request: message to edit not found",
    });
    expect(
      await call(sandbox, bot, "deleteMessage", { chat_id: ada.id, message_id: result.message_id }),
    ).toMatchObject({ ok: true });
    expect(await edit({ text: "three" })).toMatchObject({ status: 400 });
  });

  test("copies and forwards", async () => {
    const { result } = await send({ text: "original" });
    const params = { chat_id: ada.id, from_chat_id: ada.id, message_id: result.message_id };
    const copy = await call<{ message_id: number }>(sandbox, bot, "copyMessage", params);
    expect(Object.keys(copy.result)).toEqual(["message_id"]);
    expect(await call(sandbox, bot, "forwardMessage", params)).toMatchObject({
      result: { text: "original", forward_origin: { type: "user", sender_user: { id: bot.id } } },
    });
  });
});

describe("files", () => {
  async function upload(method: string, field: string, content: Buffer, name: string) {
    const form = new FormData();
    form.append("chat_id", String(ada.id));
    form.append(field, new Blob([new Uint8Array(content)], { type: "application/pdf" }), name);
    const response = await fetch(`${sandbox.url}/bot${bot.token}/${method}`, {
      method: "POST",
      body: form,
    });
    return (await response.json()) as {
      ok: boolean;
      description?: string;
      result: Record<string, unknown>;
    };
  }
  const download = (token: string, path: string) =>
    fetch(`${sandbox.url}/file/bot${token}/${path}`);

  test("from a user can be downloaded by the bot that got them, and by no other", async () => {
    const content = Buffer.from("evidence");
    const [message] = await sandbox.send({
      from: ada.id,
      chatId: ada.id,
      botId: bot.id,
      document: { name: "report.pdf", contentType: "application/pdf", content },
    });
    expect(message?.document).toMatchObject({ file_name: "report.pdf", file_size: 8 });
    const updates = (
      await call<{ message?: { document?: { file_id: string } } }[]>(sandbox, bot, "getUpdates")
    ).result;
    const fileId = updates.at(-1)?.message?.document?.file_id;
    const file = await call<{ file_path: string }>(sandbox, bot, "getFile", { file_id: fileId });
    expect(file.result.file_path).toMatch(/^documents\/file_\d+\.pdf$/);
    const bytes = await download(bot.token, file.result.file_path);
    expect(Buffer.from(await bytes.arrayBuffer())).toEqual(content);
    const other = sandbox.createBot({ name: "Nosy", username: "nosy_bot" });
    expect(await call(sandbox, other, "getFile", { file_id: fileId })).toMatchObject({
      status: 400,
    });
    expect((await download(other.token, file.result.file_path)).status).toBe(404);
    expect((await download("1:nobody", file.result.file_path)).status).toBe(401);
  });

  test("beyond 20 MB cannot be downloaded", async () => {
    await sandbox.send({
      from: ada.id,
      chatId: ada.id,
      botId: bot.id,
      document: { name: "huge.bin", content: Buffer.alloc(20 * 1024 * 1024 + 1) },
    });
    const updates = (
      await call<{ message?: { document?: { file_id: string } } }[]>(sandbox, bot, "getUpdates")
    ).result;
    expect(
      await call(sandbox, bot, "getFile", { file_id: updates.at(-1)?.message?.document?.file_id }),
    ).toMatchObject({ status: 400, description: "Bad Request: file is too big" });
  });

  test("are sent as photos and documents; what is no image is no photo", async () => {
    expect(await upload("sendPhoto", "photo", onePixelPng, "a.png")).toMatchObject({
      result: { photo: [{ width: 1, height: 1 }] },
    });
    const sent = await upload("sendDocument", "document", Buffer.from("x"), "a.pdf");
    expect(sent).toMatchObject({
      result: { document: { file_name: "a.pdf", mime_type: "application/pdf" } },
    });
    const { file_id } = sent.result.document as { file_id: string };
    expect(
      await call(sandbox, bot, "sendDocument", { chat_id: ada.id, document: file_id }),
    ).toMatchObject({ ok: true });
    expect(await upload("sendPhoto", "photo", Buffer.from("not an image"), "a.png")).toMatchObject({
      description: "Bad Request: IMAGE_PROCESS_FAILED",
    });
  });

  test("in an album arrive as messages with one media_group_id", async () => {
    const form = new FormData();
    form.append("chat_id", String(ada.id));
    form.append(
      "media",
      JSON.stringify([
        { type: "photo", media: "attach://one", caption: "<i>both</i>", parse_mode: "HTML" },
        { type: "photo", media: "attach://two" },
      ]),
    );
    for (const part of ["one", "two"])
      form.append(part, new Blob([new Uint8Array(onePixelPng)]), `${part}.png`);
    const response = await fetch(`${sandbox.url}/bot${bot.token}/sendMediaGroup`, {
      method: "POST",
      body: form,
    });
    const { result } = (await response.json()) as {
      result: { media_group_id: string; caption?: string }[];
    };
    expect(result.map(({ caption }) => caption)).toEqual(["both", undefined]);
    expect(new Set(result.map(({ media_group_id }) => media_group_id)).size).toBe(1);
    expect(
      await call(sandbox, bot, "sendMediaGroup", { chat_id: ada.id, media: [] }),
    ).toMatchObject({
      description: "Bad Request: media group must include 2-10 items",
    });
  });
});

describe("the bot's own profile", () => {
  test("getMe tells privacy mode", async () => {
    expect(await call(sandbox, bot, "getMe")).toMatchObject({
      result: {
        id: bot.id,
        is_bot: true,
        username: "helio_bot",
        can_read_all_group_messages: false,
      },
    });
  });

  test("commands and texts come back as they were set, by scope and language", async () => {
    const commands = [{ command: "start", description: "Begin" }];
    await call(sandbox, bot, "setMyCommands", { commands, scope: { type: "all_group_chats" } });
    expect(await call(sandbox, bot, "getMyCommands")).toMatchObject({ result: [] });
    expect(
      await call(sandbox, bot, "getMyCommands", { scope: { type: "all_group_chats" } }),
    ).toMatchObject({ result: commands });
    for (const command of ["Upper", "", "x".repeat(33), "with space"])
      expect(
        await call(sandbox, bot, "setMyCommands", { commands: [{ command, description: "d" }] }),
      ).toMatchObject({ status: 400 });
    await call(sandbox, bot, "setMyDescription", { description: "What it is for" });
    expect(await call(sandbox, bot, "getMyDescription", { language_code: "de" })).toMatchObject({
      result: { description: "What it is for" },
    });
  });
});
