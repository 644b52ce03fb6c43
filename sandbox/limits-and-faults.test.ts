import { afterEach, describe, expect, test } from "@jest/globals";
import { ManualClock, type Sandbox, type SandboxLimits, startSandbox } from "./index.ts";
import { call } from "./test-client.ts";

let sandbox: Sandbox;
afterEach(() => sandbox.close());

async function setUp(limits: Partial<SandboxLimits> = {}) {
  const clock = new ManualClock();
  sandbox = await startSandbox({ clock, limits });
  const bot = sandbox.createBot({ name: "Bot", username: "pace_bot" });
  const users = [1, 2].map((number) => sandbox.createUser({ firstName: `User ${number}` }));
  for (const { id } of users) await sandbox.send({ from: id, chatId: id, text: "/start" });
  const [ada, eve] = users.map(({ id }) => id);
  const send = (chatId: number | undefined, params = {}) =>
    call(sandbox, bot, "sendMessage", { chat_id: chatId, text: "x", ...params });
  return { clock, bot, ada, eve, send };
}

describe("limits over HTTP", () => {
  test("a chat that gets too much is held, another is not; calls during the hold are violations", async () => {
    const { clock, ada, eve, send } = await setUp({ chat: [{ limit: 2, windowMs: 5_000 }] });
    expect([(await send(ada)).status, (await send(ada)).status]).toEqual([200, 200]);
    expect(await send(ada)).toEqual({
      status: 429,
      ok: false,
      error_code: 429,
      description: "Too Many Requests: retry after 5",
      parameters: { retry_after: 5 },
    });
    expect(sandbox.record.violations).toHaveLength(0);
    expect(await send(eve)).toMatchObject({ ok: true });
    expect(await send(ada)).toMatchObject({ parameters: { retry_after: 6 } });
    expect([sandbox.record.limited.length, sandbox.record.violations.length]).toEqual([2, 1]);
    clock.advance(6_000);
    expect(await send(ada)).toMatchObject({ ok: true });
  });

  test("a bot has thirty a second, all chats together, and more when it pays", async () => {
    const { ada, eve, send } = await setUp({ chat: [] });
    for (let count = 0; count < 30; count++)
      expect((await send(count % 2 === 0 ? ada : eve)).status).toBe(200);
    expect(await send(ada)).toMatchObject({ status: 429, parameters: { retry_after: 1 } });
    expect(await send(ada, { allow_paid_broadcast: true })).toMatchObject({ ok: true });
  });

  test("a group has twenty a minute", async () => {
    const { bot, ada, send } = await setUp({ chat: [] });
    const { id } = sandbox.createChat({ type: "group", title: "G", memberIds: [ada ?? 0, bot.id] });
    for (let count = 0; count < 20; count++) expect((await send(id)).status).toBe(200);
    expect(await send(id)).toMatchObject({ status: 429, parameters: { retry_after: 60 } });
    expect(await send(ada)).toMatchObject({ ok: true });
  });

  test("what is refused anyway costs nothing", async () => {
    const { ada, send } = await setUp({ chat: [{ limit: 1, windowMs: 60_000 }] });
    for (let count = 0; count < 5; count++)
      expect(await send(ada, { text: "<b>", parse_mode: "HTML" })).toMatchObject({ status: 400 });
    expect(await send(ada)).toMatchObject({ ok: true });
  });
});

describe("faults", () => {
  test("answer as they are told, for the calls they match, as often as asked", async () => {
    const { bot, ada, eve, send } = await setUp();
    const fault = sandbox.fault({
      botId: bot.id,
      method: "sendMessage",
      chatId: ada,
      times: 2,
      answer: { status: 500, error_code: 500, description: "Internal Server Error" },
    });
    expect(await send(eve)).toMatchObject({ ok: true });
    expect(await send(ada)).toMatchObject({ status: 500, description: "Internal Server Error" });
    expect(fault.remaining).toBe(1);
    expect(await send(ada)).toMatchObject({ status: 500 });
    expect(await send(ada)).toMatchObject({ ok: true });
    expect(sandbox.messages({ chatId: ada ?? 0 }).filter(({ from }) => from?.is_bot)).toHaveLength(
      1,
    );
  });

  test.each([
    ["reset-before-effect", 0],
    ["reset-after-effect", 1],
  ] as const)("%s cuts the connection, with %i message sent", async (answer, sent) => {
    const { ada, send } = await setUp();
    sandbox.fault({ answer });
    await expect(send(ada)).rejects.toThrow("fetch failed");
    expect(sandbox.messages({ chatId: ada ?? 0 }).filter(({ from }) => from?.is_bot)).toHaveLength(
      sent,
    );
    expect(sandbox.record.callsOf("sendMessage")).toMatchObject([
      { status: 0, ok: false, fault: answer, tookEffect: sent === 1 },
    ]);
  });

  test("5xx-after-effect has sent the message and says otherwise", async () => {
    const { ada, send } = await setUp();
    sandbox.fault({ answer: "5xx-after-effect" });
    expect(await send(ada)).toMatchObject({ status: 502, ok: false });
    expect(sandbox.messages({ chatId: ada ?? 0 }).at(-1)).toMatchObject({ text: "x" });
  });

  test("hang never answers, and does not keep the sandbox from closing", async () => {
    const { bot, ada } = await setUp();
    sandbox.fault({ answer: "hang" });
    const hanging = fetch(`${sandbox.url}/bot${bot.token}/sendMessage?chat_id=${ada}&text=x`);
    hanging.catch(() => {});
    await sandbox.waitFor((record) => record.callsOf("sendMessage").length === 1);
    await sandbox.close();
    await expect(hanging).rejects.toThrow();
    expect(sandbox.messages({ chatId: ada ?? 0 })).toHaveLength(1);
  });
});
