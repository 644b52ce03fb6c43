import { afterEach, describe, expect, test } from "@jest/globals";
import { waitFor } from "../test/support/wait-for.ts";
import { ManualClock, type Sandbox, startSandbox, type TelegramUpdate } from "./index.ts";
import { call, startReceiver } from "./test-client.ts";

let sandbox: Sandbox;
afterEach(() => sandbox.close());

async function setUp() {
  const clock = new ManualClock();
  sandbox = await startSandbox({ clock });
  const bot = sandbox.createBot({ name: "Bot", username: "poll_bot" });
  const user = sandbox.createUser({ firstName: "Ada" });
  const say = (text: string) => sandbox.send({ from: user.id, chatId: user.id, text });
  const poll = (params: Record<string, unknown> = {}) =>
    call<TelegramUpdate[]>(sandbox, bot, "getUpdates", params);
  const texts = async (params?: Record<string, unknown>) =>
    (await poll(params)).result.map(({ message }) => (message as { text: string }).text);
  return { clock, bot, user, say, poll, texts };
}

/** Long polls that were begun: what comes now is theirs. */
const begun = (clock: ManualClock) => waitFor(() => clock.nextTimerMs() !== undefined);

describe("getUpdates", () => {
  test("gives updates again until an offset confirms them", async () => {
    const { say, poll, texts } = await setUp();
    for (const text of ["a", "b", "c"]) await say(text);
    expect(await texts()).toEqual(["a", "b", "c"]);
    expect(await texts({ limit: 2 })).toEqual(["a", "b"]);
    const ids = (await poll()).result.map(({ update_id }) => update_id);
    expect(await texts({ offset: (ids[1] ?? 0) + 1 })).toEqual(["c"]);
    expect(await texts()).toEqual(["c"]);
    await say("d");
    expect(await texts({ offset: -1 })).toEqual(["d"]);
    expect(await texts()).toEqual(["d"]);
  });

  test("waits for the next update, or until its timeout", async () => {
    const { clock, say, texts } = await setUp();
    const first = texts({ timeout: 30 });
    await begun(clock);
    await say("at last");
    expect(await first).toEqual(["at last"]);
    expect(await texts({ timeout: 30 })).toEqual(["at last"]);
  });

  test("answers an empty list when its timeout is over", async () => {
    const { clock, texts } = await setUp();
    const empty = texts({ timeout: 30 });
    await begun(clock);
    clock.advance(30_000);
    expect(await empty).toEqual([]);
  });

  test("gives a hundred at most, and waits fifty seconds at most", async () => {
    const { clock, say, poll } = await setUp();
    for (let count = 0; count < 101; count++) await say(`${count}`);
    const first = (await poll({ limit: 500 })).result;
    expect(first).toHaveLength(100);
    const last = (await poll({ offset: (first.at(-1)?.update_id ?? 0) + 1 })).result;
    expect(last).toHaveLength(1);
    const waiting = poll({ offset: (last[0]?.update_id ?? 0) + 1, timeout: 600 });
    await begun(clock);
    expect(clock.nextTimerMs()).toBe(50_000);
    clock.advance(50_000);
    expect((await waiting).result).toEqual([]);
  });

  test("that its caller gave up on hands out nothing", async () => {
    const { clock, bot, say, texts } = await setUp();
    const controller = new AbortController();
    const given = fetch(`${sandbox.url}/bot${bot.token}/getUpdates?timeout=30`, {
      signal: controller.signal,
    });
    given.catch(() => {});
    await begun(clock);
    controller.abort();
    await waitFor(() => clock.nextTimerMs() === undefined);
    await say("for the next one");
    expect(sandbox.record.deliveries).toHaveLength(0);
    expect(await texts()).toEqual(["for the next one"]);
  });

  test("is refused while a webhook is set, and ends with 409 when a second one polls", async () => {
    const { clock, bot, poll } = await setUp();
    const first = poll({ timeout: 30 });
    await begun(clock);
    const second = poll({ timeout: 30 });
    expect(await first).toMatchObject({ status: 409, error_code: 409 });
    const receiver = await startReceiver();
    try {
      await begun(clock);
      await call(sandbox, bot, "setWebhook", { url: receiver.url });
      expect(await second).toMatchObject({ status: 409 });
      expect(await poll()).toMatchObject({
        status: 409,
        description:
          "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
      });
      await call(sandbox, bot, "deleteWebhook");
      expect(await poll()).toMatchObject({ ok: true });
    } finally {
      await receiver.close();
    }
  });

  test("what waited goes to a webhook that is set later", async () => {
    const { bot, say } = await setUp();
    await say("a");
    await say("b");
    const receiver = await startReceiver();
    try {
      await call(sandbox, bot, "setWebhook", { url: receiver.url });
      await sandbox.waitFor(() => sandbox.webhookInfo(bot.id).pending_update_count === 0);
      expect(receiver.texts()).toEqual(["a", "b"]);
    } finally {
      await receiver.close();
    }
  });
});

describe("update ids", () => {
  test("rise by one, and go on from anywhere after a week without an update", async () => {
    const { clock, say, poll } = await setUp();
    const ids = async () => (await poll()).result.map(({ update_id }) => update_id);
    await say("one");
    clock.advance(6 * 24 * 3_600_000);
    await say("two");
    const { updates } = sandbox.record;
    expect((updates[1]?.updateId ?? 0) - (updates[0]?.updateId ?? 0)).toBe(1);
    clock.advance(7 * 24 * 3_600_000 + 1);
    await say("three");
    await say("four");
    const [three = 0, four = 0] = await ids();
    expect(four).toBe(three + 1);
    expect(three).not.toBe((updates[1]?.updateId ?? 0) + 1);
  });
});

describe("callback queries", () => {
  async function pressed() {
    const all = await setUp();
    await all.say("/start");
    const sent = await call<{ message_id: number }>(sandbox, all.bot, "sendMessage", {
      chat_id: all.user.id,
      text: "Choose",
      reply_markup: { inline_keyboard: [[{ text: "A", callback_data: "a" }]] },
    });
    const press = (data: string, forge = false) =>
      sandbox.pressButton({
        from: all.user.id,
        chatId: all.user.id,
        messageId: sent.result.message_id,
        data,
        forge,
      });
    const answer = (id: string, params = {}) =>
      call(sandbox, all.bot, "answerCallbackQuery", { callback_query_id: id, ...params });
    return { ...all, press, answer };
  }
  const tooOld =
    "Bad Request: query is too old and response timeout expired or query ID is invalid";

  test("carry the button's data, and may be forged", async () => {
    const { press, poll } = await pressed();
    expect(() => press("b")).toThrow(/no button with this data/);
    press("a");
    press("b", true);
    const queries = (await poll()).result
      .map(({ callback_query }) => callback_query)
      .filter(Boolean);
    expect(queries).toMatchObject([{ data: "a", message: { text: "Choose" } }, { data: "b" }]);
  });

  test("can be answered in time, by their own bot", async () => {
    const { clock, press, answer } = await pressed();
    const { callbackQueryId } = press("a");
    expect(await answer(callbackQueryId, { text: "Done", show_alert: true })).toMatchObject({
      ok: true,
    });
    expect(sandbox.record.entries.at(-2)).toMatchObject({
      kind: "callbackAnswer",
      text: "Done",
      showAlert: true,
    });
    expect(await answer(callbackQueryId, { text: "x".repeat(201) })).toMatchObject({ status: 400 });
    expect(await answer("12345")).toMatchObject({ description: tooOld });
    const other = sandbox.createBot({ name: "Other", username: "other_bot" });
    expect(
      await call(sandbox, other, "answerCallbackQuery", { callback_query_id: callbackQueryId }),
    ).toMatchObject({ description: tooOld });
    clock.advance(15_001);
    expect(await answer(callbackQueryId)).toMatchObject({ description: tooOld });
  });

  test("are dropped undelivered after 150 seconds", async () => {
    const { clock, press, poll } = await pressed();
    press("a");
    clock.advance(149_999);
    expect((await poll()).result.some((update) => "callback_query" in update)).toBe(true);
    clock.advance(1);
    expect((await poll()).result.some((update) => "callback_query" in update)).toBe(false);
    expect(sandbox.record.counts.expired).toBe(1);
  });
});
