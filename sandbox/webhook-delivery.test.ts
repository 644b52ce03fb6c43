import { afterEach, describe, expect, test } from "@jest/globals";
import { waitFor } from "../test/support/wait-for.ts";
import { ManualClock, type Sandbox, type SandboxOptions, startSandbox } from "./index.ts";
import { call, type ReceivedUpdate, startReceiver } from "./test-client.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function setUp(
  onUpdate?: (received: ReceivedUpdate) => void,
  webhook: Record<string, unknown> = {},
  options: SandboxOptions = {},
) {
  const clock = new ManualClock();
  const sandbox = await startSandbox({ clock, ...options });
  const receiver = await startReceiver(onUpdate);
  open.push(receiver, sandbox);
  const bot = sandbox.createBot({ name: "Bot", username: "test_bot" });
  const users = [1, 2, 3].map((number) => sandbox.createUser({ firstName: `User ${number}` }));
  const set = await call(sandbox, bot, "setWebhook", { url: receiver.url, ...webhook });
  expect(set).toMatchObject({ ok: true });
  const say = (user: number, text: string) => {
    const id = users[user]?.id ?? 0;
    return sandbox.send({ from: id, chatId: id, text });
  };
  return { clock, sandbox, receiver, bot, users, say };
}

/** Waits until the last try has been judged, so that its retry is set. */
const attempts = (sandbox: Sandbox, count: number) =>
  sandbox.waitFor((record) => record.deliveries.length >= count);

describe("webhook delivery", () => {
  test("carries the secret, with ids that rise by one, in order within a chat", async () => {
    const { sandbox, receiver, bot, say } = await setUp(undefined, { secret_token: "s3cret_-" });
    for (let number = 0; number < 50; number++) await say(number % 3, `${number % 3}:${number}`);
    await attempts(sandbox, 50);
    const ids = receiver.received.map(({ update }) => update.update_id).sort((a, b) => a - b);
    expect(ids).toEqual(ids.map((_, index) => (ids[0] ?? 0) + index));
    for (const user of ["0:", "1:", "2:"]) {
      const texts = receiver.texts().filter((text) => text?.startsWith(user));
      expect(texts).toEqual([...texts].sort((a, b) => Number(a?.slice(2)) - Number(b?.slice(2))));
    }
    expect(new Set(receiver.received.map(({ secret }) => secret))).toEqual(new Set(["s3cret_-"]));
    expect(sandbox.webhookInfo(bot.id)).toMatchObject({
      ip_address: "127.0.0.1",
      max_connections: 40,
    });
  });

  test("a failing head is tried again at once, then after 2 and 4 s, and holds only its own chat", async () => {
    const failing = new Set(["stuck"]);
    const { clock, sandbox, receiver, bot, say } = await setUp(({ update, answer }) => {
      const text = (update.message as { text: string }).text;
      answer(failing.has(text) ? 500 : 200);
    });
    await say(0, "stuck");
    await say(0, "behind it");
    await say(1, "elsewhere");
    await attempts(sandbox, 3);
    expect(receiver.texts().sort()).toEqual(["elsewhere", "stuck", "stuck"]);
    expect(sandbox.webhookInfo(bot.id)).toMatchObject({
      pending_update_count: 2,
      last_error_date: Math.floor(clock.now() / 1000),
      last_error_message: "Wrong response from the webhook: 500 Internal Server Error",
    });
    clock.advance(1_999);
    expect(sandbox.record.deliveries).toHaveLength(3);
    clock.advance(1);
    await attempts(sandbox, 4);
    clock.advance(3_999);
    expect(sandbox.record.deliveries).toHaveLength(4);
    failing.clear();
    clock.advance(1);
    await attempts(sandbox, 6);
    expect(receiver.texts().slice(-2)).toEqual(["stuck", "behind it"]);
    expect(sandbox.record.deliveries.map(({ attempt }) => attempt).sort()).toEqual([
      1, 1, 1, 2, 3, 4,
    ]);
    expect(sandbox.webhookInfo(bot.id).pending_update_count).toBe(0);
  });

  test("Retry-After decides when to come back", async () => {
    let status = 503;
    const { clock, sandbox, say } = await setUp(({ answer }) =>
      answer(status, { "retry-after": "30" }),
    );
    await say(0, "hello");
    await attempts(sandbox, 1);
    clock.advance(29_999);
    expect(sandbox.record.deliveries).toHaveLength(1);
    status = 200;
    clock.advance(1);
    await attempts(sandbox, 2);
    expect(sandbox.record.deliveries.map((each) => each.status)).toEqual([503, 200]);
  });

  test("a redirect is a failure and is not followed", async () => {
    const { sandbox, receiver, say } = await setUp(({ answer }) =>
      answer(302, { location: "/hook" }),
    );
    await say(0, "hello");
    await attempts(sandbox, 2);
    expect(receiver.received).toHaveLength(2);
    expect(sandbox.record.deliveries.map(({ status }) => status)).toEqual([302, 302]);
  });

  test("no answer within the time limit is a failure", async () => {
    const { clock, sandbox, receiver, bot, say } = await setUp(
      () => {},
      {},
      {
        limits: { webhookTimeoutMs: 5_000 },
      },
    );
    await say(0, "hello");
    await waitFor(() => receiver.received.length === 1);
    clock.advance(5_000);
    await attempts(sandbox, 1);
    expect(sandbox.webhookInfo(bot.id).last_error_message).toBe("Read timeout expired");
  });

  test("an unreachable webhook is told of, and updates wait", async () => {
    const { sandbox, receiver, bot, say } = await setUp();
    await receiver.close();
    await say(0, "hello");
    await attempts(sandbox, 2);
    expect(sandbox.webhookInfo(bot.id)).toMatchObject({
      pending_update_count: 1,
      last_error_message: "Connection refused",
    });
  });

  test("one update of a chat is in flight at a time, and at most max_connections of the bot", async () => {
    const held: ReceivedUpdate[] = [];
    const { sandbox, say } = await setUp((received) => held.push(received), { max_connections: 2 });
    for (const user of [0, 0, 1, 1, 2, 2]) await say(user, `from ${user}`);
    const seen: number[] = [];
    while (seen.length < 6) {
      await waitFor(() => held.length === Math.min(2, 6 - seen.length));
      const chats = held.map(({ update }) => (update.message as { chat: { id: number } }).chat.id);
      expect(new Set(chats).size).toBe(chats.length);
      const next = held.shift();
      seen.push(next?.update.update_id ?? 0);
      next?.answer(200);
      await attempts(sandbox, seen.length);
    }
    expect(new Set(seen).size).toBe(6);
  });

  test("a button is delivered past a chat that is stuck", async () => {
    const { sandbox, receiver, bot, users, say } = await setUp(({ update, answer }) =>
      answer("message" in update ? 500 : 200),
    );
    await say(0, "/start");
    await attempts(sandbox, 2);
    const sent = await call<{ message_id: number }>(sandbox, bot, "sendMessage", {
      chat_id: users[0]?.id,
      text: "Choose",
      reply_markup: { inline_keyboard: [[{ text: "A", callback_data: "a" }]] },
    });
    const chatId = users[0]?.id ?? 0;
    sandbox.pressButton({ from: chatId, chatId, messageId: sent.result.message_id, data: "a" });
    await attempts(sandbox, 3);
    expect(receiver.received.at(-1)?.update).toHaveProperty("callback_query.data", "a");
  });

  test("what never gets its 200 is dropped when it expires, and the chat goes on", async () => {
    const hourMs = 3_600_000;
    const { clock, sandbox, receiver, bot, say } = await setUp(({ update, answer }) => {
      const poison = (update.message as { text: string }).text === "poison";
      answer(poison ? 500 : 200, { "retry-after": "3600" });
    });
    await say(0, "poison");
    await attempts(sandbox, 1);
    for (let hour = 1; hour < 24; hour++) {
      clock.advance(hourMs);
      await attempts(sandbox, hour + 1);
      if (hour === 1) await say(0, "after it");
      expect(receiver.texts()).not.toContain("after it");
    }
    clock.advance(hourMs);
    await attempts(sandbox, 25);
    expect(receiver.texts().at(-1)).toBe("after it");
    expect(sandbox.record.counts.expired).toBe(1);
    expect(sandbox.webhookInfo(bot.id).pending_update_count).toBe(0);
  });

  test("a JSON answer with a method is executed as a call", async () => {
    const { sandbox, users, say } = await setUp(({ update, answer }) =>
      answer(
        200,
        { "content-type": "application/json" },
        JSON.stringify({
          method: "sendMessage",
          chat_id: (update.message as { chat: { id: number } }).chat.id,
          text: "from the answer",
        }),
      ),
    );
    await say(0, "hello");
    await sandbox.waitFor((record) => record.callsOf("sendMessage").length === 1);
    const texts = sandbox.messages({ chatId: users[0]?.id ?? 0 }).map(({ text }) => text);
    expect(texts).toEqual(["hello", "from the answer"]);
  });

  test("an answer that asks for what gives a result, or for the webhook's end, is not executed", async () => {
    const methods = ["getMe", "setWebhook", "deleteWebhook", "close", "logOut", "sendMessage"];
    const { sandbox, users, say } = await setUp(({ update, answer }) =>
      answer(
        200,
        { "content-type": "application/json" },
        JSON.stringify({
          method: (update.message as { text: string }).text,
          chat_id: users[0]?.id,
          text: "done",
        }),
      ),
    );
    const before = sandbox.record.counts.call;
    for (const method of methods) await say(0, method);
    await sandbox.waitFor((record) => record.callsOf("sendMessage").length === 1);
    expect(sandbox.record.counts.call).toBe(before + 1);
  });

  test("an update whose next try would come after its end is dropped at once, and the next goes", async () => {
    const { clock, sandbox, receiver, bot, users } = await setUp(({ update, answer }) =>
      answer((update.inline_query as { query: string }).query === "first" ? 503 : 200, {
        "retry-after": "31",
      }),
    );
    for (const query of ["first", "second"])
      sandbox.pushUpdate(bot.id, { inline_query: { from: { id: users[0]?.id }, query } });
    await attempts(sandbox, 2);
    expect(clock.nextTimerMs()).toBeUndefined();
    expect(receiver.received).toHaveLength(2);
    expect(sandbox.record.counts.expired).toBe(1);
  });

  test.each([
    ["message", 86_400],
    ["edited_message", 86_400],
    ["callback_query", 150],
    ["shipping_query", 150],
    ["pre_checkout_query", 150],
    ["inline_query", 30],
    ["chosen_inline_result", 600],
    ["my_chat_member", 86_400],
  ])("an undelivered %s waits %i s and not a moment longer", async (kind, seconds) => {
    const { clock, sandbox, receiver, bot } = await setUp();
    const outage = sandbox.outage({ calls: null });
    const push = () => sandbox.pushUpdate(bot.id, { [kind]: { from: { id: 1 }, chat: { id: 1 } } });
    push();
    clock.advance(1);
    const inTime = push();
    clock.advance(seconds * 1_000 - 1);
    outage.clear();
    await attempts(sandbox, 1);
    expect(receiver.received.map(({ update }) => update.update_id)).toEqual([inTime]);
    expect(sandbox.record.counts.expired).toBe(1);
  });

  test("after 23 hours of nothing but 410 the webhook is gone", async () => {
    const { clock, sandbox, bot, say } = await setUp(({ answer }) =>
      answer(410, { "retry-after": "3600" }),
    );
    await say(0, "hello");
    for (let hour = 0; hour <= 23; hour++) {
      await attempts(sandbox, hour + 1);
      clock.advance(3_600_000);
    }
    await sandbox.waitFor((record) => record.counts.webhookRemoved === 1);
    expect(sandbox.webhookInfo(bot.id).url).toBe("");
  });
});

describe("setWebhook", () => {
  test("refuses bad secrets and addresses, and more than one call a second", async () => {
    const { clock, sandbox, bot, receiver } = await setUp();
    clock.advance(1_000);
    for (const [params, description] of [
      [
        { url: receiver.url, secret_token: "with space" },
        "Bad Request: secret token contains unallowed characters",
      ],
      [
        { url: receiver.url, secret_token: "a".repeat(257) },
        "Bad Request: secret token is too long",
      ],
      [
        { url: "ftp://example.org/" },
        "Bad Request: bad webhook: An HTTPS URL must be provided for webhook",
      ],
    ] as const)
      expect(await call(sandbox, bot, "setWebhook", params)).toMatchObject({
        status: 400,
        description,
      });
    expect(await call(sandbox, bot, "setWebhook", { url: receiver.url })).toMatchObject({
      ok: true,
    });
    expect(await call(sandbox, bot, "setWebhook", { url: receiver.url })).toMatchObject({
      status: 429,
      parameters: { retry_after: 1 },
    });
  });

  test("keeps allowed_updates when they are left out, and drops what waits when asked", async () => {
    const { clock, sandbox, bot, receiver, say } = await setUp(({ answer }) => answer(500), {
      allowed_updates: ["message"],
    });
    await say(0, "waiting");
    await attempts(sandbox, 2);
    expect(() => sandbox.pushUpdate(bot.id, { poll: { id: "1" } })).toThrow(/did not ask for poll/);
    clock.advance(1_000);
    const names = ["Message", "nothing_known"];
    await call(sandbox, bot, "setWebhook", { url: receiver.url, allowed_updates: names });
    expect(sandbox.webhookInfo(bot.id).allowed_updates).toEqual(["message"]);
    clock.advance(1_000);
    await call(sandbox, bot, "setWebhook", { url: receiver.url, drop_pending_updates: true });
    expect(sandbox.webhookInfo(bot.id)).toMatchObject({
      allowed_updates: ["message"],
      pending_update_count: 0,
    });
    expect(sandbox.webhookInfo(bot.id)).not.toHaveProperty("last_error_date");
  });
});
