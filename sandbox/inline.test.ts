import { afterEach, describe, expect, test } from "@jest/globals";
import { type BotAccount, ManualClock, type Sandbox, startSandbox } from "./index.ts";
import { call, updatesOf } from "./test-client.ts";

let sandbox: Sandbox;
afterEach(() => sandbox.close());

async function setUp() {
  const clock = new ManualClock();
  sandbox = await startSandbox({ clock });
  const bot = sandbox.createBot({
    name: "Finder",
    username: "finder_bot",
    inline: true,
    inlineFeedback: true,
  });
  const [ada = 0, ben = 0] = ["Ada", "Ben"].map(
    (firstName) => sandbox.createUser({ firstName }).id,
  );
  const group = sandbox.createChat({ type: "group", title: "G", memberIds: [ada, ben] }).id;
  const ask = (from: number, query = "cats", offset?: string) =>
    sandbox.inlineQuery({
      from,
      chatId: group,
      viaBotId: bot.id,
      query,
      ...(offset !== undefined && { offset }),
    });
  return { clock, bot, ada, ben, group, ask };
}

const article = (id: string, more = {}) => ({
  type: "article",
  id,
  title: `Title ${id}`,
  input_message_content: { message_text: `<b>Text</b> ${id}`, parse_mode: "HTML" },
  ...more,
});

const answer = (bot: BotAccount, id: string, results: object[], more = {}) =>
  call(sandbox, bot, "answerInlineQuery", { inline_query_id: id, results, ...more });

const asked = async (bot: BotAccount) =>
  (await updatesOf(sandbox, bot)).flatMap(({ inline_query }) => inline_query ?? []);

describe("an inline query", () => {
  test("is answered, and the chosen result posted in the person's name, via the bot", async () => {
    const { bot, ada, group, ask } = await setUp();
    const { inlineQueryId, isAnswered } = ask(ada);
    expect(isAnswered).toBe(false);
    expect(await asked(bot)).toMatchObject([
      { id: inlineQueryId, query: "cats", offset: "", chat_type: "group", from: { id: ada } },
    ]);
    expect(await answer(bot, inlineQueryId, [article("a"), article("b")])).toMatchObject({
      ok: true,
    });
    expect(sandbox.inlineResults(inlineQueryId)).toMatchObject({
      isAnswered: true,
      results: [{ id: "a", title: "Title a" }, { id: "b" }],
    });
    sandbox.chooseInlineResult(inlineQueryId, "b");
    expect(sandbox.messages({ chatId: group }).at(-1)).toMatchObject({
      text: "Text b",
      entities: [{ type: "bold", offset: 0, length: 4 }],
      from: { id: ada },
      via_bot: { id: bot.id },
    });
    const [, chosen] = await updatesOf(sandbox, bot);
    expect(chosen).toMatchObject({
      chosen_inline_result: { result_id: "b", query: "cats", from: { id: ada } },
    });
    // Without buttons there is no name to change it by.
    expect(chosen).not.toHaveProperty("chosen_inline_result.inline_message_id");
  });

  test("whose result has buttons can be changed and pressed by its inline_message_id", async () => {
    const { bot, ada, ben, group, ask } = await setUp();
    const buttons = { inline_keyboard: [[{ text: "Go", callback_data: "go" }]] };
    const { inlineQueryId } = ask(ada);
    await answer(bot, inlineQueryId, [article("a", { reply_markup: buttons })]);
    const { message_id: messageId } = sandbox.chooseInlineResult(inlineQueryId, "a");
    sandbox.pressButton({ from: ben, chatId: group, messageId, data: "go" });
    const updates = await updatesOf(sandbox, bot);
    const chosen = updates[1]?.chosen_inline_result as { inline_message_id: string } | undefined;
    const name = chosen?.inline_message_id;
    expect(updates[2]).toMatchObject({
      callback_query: { inline_message_id: name, data: "go", from: { id: ben } },
    });
    expect(updates[2]).not.toHaveProperty("callback_query.message");
    expect(
      await call(sandbox, bot, "editMessageText", { inline_message_id: name, text: "Gone" }),
    ).toMatchObject({ ok: true, result: true });
    expect(sandbox.messages({ chatId: group }).at(-1)).toMatchObject({ text: "Gone" });
    const other = sandbox.createBot({ name: "Other", username: "other_bot" });
    expect(
      await call(sandbox, other, "editMessageText", { inline_message_id: name, text: "Mine" }),
    ).toMatchObject({ status: 400, description: "Bad Request: MESSAGE_ID_INVALID" });
  });

  test("asked again is answered from what is kept, for all, until its time is over", async () => {
    const { clock, bot, ada, ben, ask } = await setUp();
    await answer(bot, ask(ada).inlineQueryId, [article("a")], { cache_time: 60 });
    expect(ask(ben)).toMatchObject({ isAnswered: true, results: [{ id: "a" }] });
    expect(ask(ben, "dogs").isAnswered).toBe(false);
    expect(ask(ben, "cats", "50").isAnswered).toBe(false);
    expect(await asked(bot)).toHaveLength(3);
    clock.advance(59_999);
    expect(ask(ada).isAnswered).toBe(true);
    clock.advance(1);
    expect(ask(ada).isAnswered).toBe(false);
  });

  test("answered for one person is kept for that person alone, and not at all with cache_time 0", async () => {
    const { bot, ada, ben, ask } = await setUp();
    const personal = { is_personal: true };
    await answer(bot, ask(ada).inlineQueryId, [article("ada's")], personal);
    expect(ask(ben).isAnswered).toBe(false);
    expect(ask(ada)).toMatchObject({ isAnswered: true, results: [{ id: "ada's" }] });
    const { inlineQueryId } = ask(ben, "now");
    await answer(bot, inlineQueryId, [article("b")], { cache_time: 0 });
    expect(ask(ben, "now").isAnswered).toBe(false);
  });

  test("is kept 300 s when nothing is said", async () => {
    const { clock, bot, ada, ask } = await setUp();
    await answer(bot, ask(ada).inlineQueryId, []);
    clock.advance(299_999);
    expect(ask(ada).isAnswered).toBe(true);
    clock.advance(1);
    expect(ask(ada).isAnswered).toBe(false);
  });

  test("too old, or another bot's, cannot be answered; it is dropped undelivered after 30 s", async () => {
    const { clock, bot, ada, ask } = await setUp();
    const other = sandbox.createBot({ name: "Other", username: "other_bot", inline: true });
    const tooOld = {
      status: 400,
      description:
        "Bad Request: query is too old and response timeout expired or query ID is invalid",
    };
    const { inlineQueryId } = ask(ada);
    expect(await answer(other, inlineQueryId, [])).toMatchObject(tooOld);
    clock.advance(30_000);
    expect(await asked(bot)).toEqual([]);
    clock.advance(1);
    expect(await answer(bot, inlineQueryId, [article("a")])).toMatchObject(tooOld);
    expect(sandbox.inlineResults(inlineQueryId).isAnswered).toBe(false);
  });

  test("takes at most 50 results with ids of their own, of 1 to 64 bytes", async () => {
    const { bot, ada, ask } = await setUp();
    const { inlineQueryId } = ask(ada);
    const many = (count: number) => Array.from({ length: count }, (_, n) => article(`${n}`));
    for (const [results, more, words] of [
      [many(51), {}, "RESULTS_TOO_MUCH"],
      [[article("a"), article("a")], {}, "RESULT_ID_DUPLICATE"],
      [[article("é".repeat(33))], {}, "RESULT_ID_INVALID"],
      [[article("")], {}, "RESULT_ID_INVALID"],
      [[], { next_offset: "x".repeat(65) }, "NEXT_OFFSET_INVALID"],
      [[{ type: "game", id: "g", game_short_name: "g" }], {}, "does not simulate"],
      [
        [article("a", { input_message_content: { message_text: "x".repeat(4097) } })],
        {},
        "message is too long",
      ],
    ] as const)
      expect(await answer(bot, inlineQueryId, [...results], more)).toMatchObject({
        status: 400,
        description: expect.stringContaining(words),
      });
    expect(await answer(bot, inlineQueryId, many(50), { next_offset: "50" })).toMatchObject({
      ok: true,
    });
    expect(sandbox.inlineResults(inlineQueryId)).toMatchObject({ nextOffset: "50" });
  });

  test("is for bots that take them and people who are there", async () => {
    const { ada, group, ask } = await setUp();
    const deaf = sandbox.createBot({ name: "Deaf", username: "deaf_bot" });
    expect(() =>
      sandbox.inlineQuery({ from: ada, chatId: group, viaBotId: deaf.id, query: "x" }),
    ).toThrow("takes no inline queries");
    const stranger = sandbox.createUser({ firstName: "Eve" }).id;
    expect(() => ask(stranger)).toThrow("not a member");
    expect(() => ask(ada, "x".repeat(257))).toThrow("256 bytes");
    expect(() => sandbox.inlineResults("1")).toThrow("no inline query 1");
  });

  test("in the bot's own chat needs no name of it, and its posts come to the bot", async () => {
    const { bot, ada } = await setUp();
    const place = { from: ada, chatId: ada, botId: bot.id };
    const { inlineQueryId } = sandbox.inlineQuery({ ...place, query: "" });
    expect(await asked(bot)).toMatchObject([{ chat_type: "sender" }]);
    await answer(bot, inlineQueryId, [article("a")]);
    sandbox.chooseInlineResult(inlineQueryId, "a");
    expect((await updatesOf(sandbox, bot))[1]).toMatchObject({
      message: { text: "Text a", via_bot: { id: bot.id } },
    });
  });
});
