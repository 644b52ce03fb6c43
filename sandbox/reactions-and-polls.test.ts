import { afterEach, describe, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "./index.ts";
import { call, updatesOf } from "./test-client.ts";

let sandbox: Sandbox;
afterEach(() => sandbox.close());

async function setUp() {
  sandbox = await startSandbox();
  const bot = sandbox.createBot({ name: "Bot", username: "heard_bot" });
  const [ada = 0, ben = 0] = ["Ada", "Ben"].map(
    (firstName) => sandbox.createUser({ firstName }).id,
  );
  return { bot, ada, ben };
}

const ask = (bot: { token: string }, kinds: string[]) =>
  call(sandbox, bot, "getUpdates", { allowed_updates: kinds, timeout: 0 });

describe("reactions", () => {
  test("come to bots that asked for them: administrators, and in private", async () => {
    const { bot, ada, ben } = await setUp();
    const deaf = sandbox.createBot({ name: "Deaf", username: "deaf_bot" });
    await ask(bot, ["message_reaction", "message_reaction_count"]);
    const chatId = sandbox.createChat({
      type: "supergroup",
      title: "S",
      memberIds: [ada, ben, bot.id, deaf.id],
    }).id;
    sandbox.addMember(chatId, deaf.id, "administrator");
    const [message] = await sandbox.send({ from: ada, chatId, text: "hello" });
    const messageId = message?.message_id ?? 0;
    sandbox.react({ from: ben, chatId, messageId, emojis: ["👍"] });
    expect(await updatesOf(sandbox, bot)).toEqual([]);
    sandbox.addMember(chatId, bot.id, "administrator");
    sandbox.react({ from: ben, chatId, messageId, emojis: ["❤"] });
    sandbox.react({ from: ben, chatId, messageId, emojis: ["❤"] });
    sandbox.react({ from: ben, chatId, messageId, emojis: [] });
    const heart = { type: "emoji", emoji: "❤" };
    expect(await updatesOf(sandbox, bot)).toMatchObject([
      {
        message_reaction: {
          message_id: messageId,
          user: { id: ben },
          old_reaction: [{ type: "emoji", emoji: "👍" }],
          new_reaction: [heart],
        },
      },
      { message_reaction: { old_reaction: [heart], new_reaction: [] } },
    ]);
    const kinds = (await updatesOf(sandbox, deaf)).flatMap((update) => Object.keys(update));
    expect(kinds).not.toContain("message_reaction");
  });

  test("in a channel come as counts, with nobody named", async () => {
    const { bot, ada, ben } = await setUp();
    await ask(bot, ["message_reaction", "message_reaction_count"]);
    const chatId = sandbox.createChat({ type: "channel", title: "C", memberIds: [ada, ben] }).id;
    sandbox.addMember(chatId, bot.id);
    const [message] = await sandbox.send({ from: ada, chatId, text: "news" });
    const messageId = message?.message_id ?? 0;
    for (const from of [ada, ben]) sandbox.react({ from, chatId, messageId, emojis: ["🔥"] });
    const updates = await updatesOf(sandbox, bot);
    expect(updates.at(-1)).toMatchObject({
      message_reaction_count: {
        message_id: messageId,
        reactions: [{ type: { type: "emoji", emoji: "🔥" }, total_count: 2 }],
      },
    });
    expect(JSON.stringify(updates)).not.toContain("Ben");
  });

  test("of a bot show, one at most, and no bot hears of them", async () => {
    const { bot, ada } = await setUp();
    await ask(bot, ["message_reaction"]);
    const [message] = await sandbox.send({ from: ada, chatId: ada, text: "hello" });
    const react = (reaction: unknown) =>
      call(sandbox, bot, "setMessageReaction", {
        chat_id: ada,
        message_id: message?.message_id,
        reaction,
      });
    expect(await react([{ type: "emoji", emoji: "👀" }])).toMatchObject({ ok: true });
    expect(sandbox.messages({ chatId: ada })[0]).toMatchObject({
      shown_reactions: [{ emoji: "👀", userIds: [bot.id] }],
    });
    expect(await react([{ type: "emoji", emoji: "🛠" }])).toMatchObject({
      description: "Bad Request: REACTION_INVALID",
    });
    expect(await react(["👍", "👎"].map((emoji) => ({ type: "emoji", emoji })))).toMatchObject({
      description: "Bad Request: REACTIONS_TOO_MANY",
    });
    expect(await updatesOf(sandbox, bot)).toEqual([]);
    expect(() =>
      sandbox.react({ from: ada, chatId: ada, messageId: message?.message_id ?? 0, emojis: ["x"] }),
    ).toThrow("no reaction");
  });
});

describe("polls", () => {
  const poll = { question: "Which?", options: [{ text: "This" }, { text: "That" }] };

  test("tell their bot of each vote, by name unless they are anonymous, and how they end", async () => {
    const { bot, ada, ben } = await setUp();
    const chatId = sandbox.createChat({
      type: "group",
      title: "G",
      memberIds: [ada, ben, bot.id],
    }).id;
    const sendPoll = async (more: object) =>
      (
        await call<{ message_id: number; poll: { id: string } }>(sandbox, bot, "sendPoll", {
          chat_id: chatId,
          ...poll,
          ...more,
        })
      ).result;
    const named = await sendPoll({ is_anonymous: false });
    const secret = await sendPoll({});
    const { length: before } = await updatesOf(sandbox, bot);
    sandbox.vote({ from: ada, chatId, messageId: named.message_id, optionIds: [1] });
    sandbox.vote({ from: ben, chatId, messageId: secret.message_id, optionIds: [0] });
    await call(sandbox, bot, "stopPoll", { chat_id: chatId, message_id: named.message_id });
    expect((await updatesOf(sandbox, bot)).slice(before)).toMatchObject([
      { poll_answer: { poll_id: named.poll.id, user: { id: ada }, option_ids: [1] } },
      { poll: { id: named.poll.id, total_voter_count: 1 } },
      { poll: { id: secret.poll.id, options: [{ voter_count: 1 }, { voter_count: 0 }] } },
      { poll: { id: named.poll.id, is_closed: true } },
    ]);
    expect(() =>
      sandbox.vote({ from: ben, chatId, messageId: named.message_id, optionIds: [0] }),
    ).toThrow("closed");
    expect(() =>
      sandbox.vote({ from: ben, chatId, messageId: secret.message_id, optionIds: [0, 1] }),
    ).toThrow("one answer");
    expect(
      await call(sandbox, bot, "stopPoll", { chat_id: chatId, message_id: named.message_id }),
    ).toMatchObject({ description: "Bad Request: poll has already been closed" });
  });

  test("of people arrive as messages, and their votes are nobody's business", async () => {
    const { bot, ada } = await setUp();
    await sandbox.send({ from: ada, chatId: ada, text: "/start" });
    const [message] = await sandbox.send({
      from: ada,
      chatId: ada,
      poll: { question: "Lunch?", options: ["Yes", "No"] },
    });
    sandbox.vote({ from: ada, chatId: ada, messageId: message?.message_id ?? 0, optionIds: [0] });
    expect((await updatesOf(sandbox, bot)).slice(1)).toMatchObject([
      { message: { poll: { question: "Lunch?", total_voter_count: 0 } } },
    ]);
  });

  test("that make no sense are refused", async () => {
    const { bot, ada } = await setUp();
    await sandbox.send({ from: ada, chatId: ada, text: "/start" });
    for (const [params, words] of [
      [{ options: [{ text: "Only" }] }, "at least 2 option"],
      [{ options: Array.from({ length: 13 }, (_, n) => ({ text: `${n}` })) }, "more than 12"],
      [{ question: "x".repeat(301) }, "must not exceed 300"],
      [{ options: [{ text: "a" }, { text: "x".repeat(101) }] }, "must not exceed 100"],
      [{ type: "quiz" }, "wrong correct option ID"],
      [{ type: "quiz", correct_option_ids: [2] }, "wrong correct option ID"],
    ] as const)
      expect(
        await call(sandbox, bot, "sendPoll", { chat_id: ada, ...poll, ...params }),
      ).toMatchObject({ status: 400, description: expect.stringContaining(words) });
  });
});
