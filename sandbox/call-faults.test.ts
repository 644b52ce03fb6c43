import { afterEach, describe, expect, test } from "@jest/globals";
import { waitFor } from "../test/support/wait-for.ts";
import { ManualClock, type Sandbox, type SandboxOptions, startSandbox } from "./index.ts";
import { call, onePixelPng } from "./test-client.ts";

let sandbox: Sandbox;
afterEach(() => sandbox.close());

async function setUp(options: SandboxOptions = {}) {
  const clock = new ManualClock();
  sandbox = await startSandbox({ clock, ...options });
  const bot = sandbox.createBot({ name: "Bot", username: "faulty_bot" });
  const ada = sandbox.createUser({ firstName: "Ada" }).id;
  await sandbox.send({ from: ada, chatId: ada, text: "/start" });
  const send = (text = "x") => call(sandbox, bot, "sendMessage", { chat_id: ada, text });
  const sent = () =>
    sandbox
      .messages({ chatId: ada })
      .filter(({ from }) => from?.is_bot)
      .map(({ text }) => text);
  /** Ada sends the bot a document; answers where it is downloaded from. */
  const handIn = async (content: Buffer): Promise<string> => {
    await sandbox.send({ from: ada, chatId: ada, document: { content } });
    const updates = await call<{ message?: { document?: { file_id: string } } }[]>(
      sandbox,
      bot,
      "getUpdates",
    );
    const file = await call<{ file_path: string }>(sandbox, bot, "getFile", {
      file_id: updates.result.at(-1)?.message?.document?.file_id,
    });
    return `${sandbox.url}/file/bot${bot.token}/${file.result.file_path}`;
  };
  return { clock, bot, ada, send, sent, handIn };
}

describe("a fault of calls", () => {
  test.each([
    ["html", 0],
    ["html-after-effect", 1],
  ] as const)("%s answers a page of HTML, with %i message sent", async (answer, count) => {
    const { bot, ada, sent } = await setUp();
    sandbox.fault({ answer });
    const response = await fetch(
      `${sandbox.url}/bot${bot.token}/sendMessage?chat_id=${ada}&text=x`,
    );
    expect([response.status, response.headers.get("content-type")]).toEqual([502, "text/html"]);
    expect(await response.text()).toMatch(/^<html>/);
    expect(sent()).toHaveLength(count);
    expect(sandbox.record.callsOf("sendMessage")).toMatchObject([
      { status: 502, ok: false, fault: answer, tookEffect: count === 1 },
    ]);
  });

  test("hang-after-effect does it and says nothing", async () => {
    const { send, sent } = await setUp();
    sandbox.fault({ answer: "hang-after-effect" });
    const hanging = send();
    hanging.catch(() => {});
    await sandbox.waitFor((record) => record.callsOf("sendMessage").length === 1);
    expect(sent()).toEqual(["x"]);
    expect(sandbox.record.callsOf("sendMessage")).toMatchObject([{ status: 0, tookEffect: true }]);
  });

  test("adds latency before the effect, or only before the answer", async () => {
    const { clock, send, sent } = await setUp();
    sandbox.fault({ latencyMs: 5_000 });
    const late = send("late");
    await waitFor(() => clock.nextTimerMs() === 5_000);
    expect(sent()).toEqual([]);
    clock.advance(5_000);
    expect(await late).toMatchObject({ ok: true });
    sandbox.fault({ answerLatencyMs: 5_000 });
    const told = send("at once");
    await waitFor(() => clock.nextTimerMs() === 5_000);
    expect(sent()).toEqual(["late", "at once"]);
    clock.advance(5_000);
    expect(await told).toMatchObject({ ok: true });
    expect(sandbox.record.callsOf("sendMessage")).toMatchObject([
      { fault: "latency", status: 200 },
      { fault: "latency", status: 200 },
    ]);
  });

  test("is done even if its caller did not wait for it", async () => {
    const { clock, bot, ada, sent } = await setUp();
    sandbox.fault({ latencyMs: 5_000 });
    const controller = new AbortController();
    const given = fetch(`${sandbox.url}/bot${bot.token}/sendMessage?chat_id=${ada}&text=x`, {
      signal: controller.signal,
    });
    given.catch(() => {});
    await waitFor(() => clock.nextTimerMs() === 5_000);
    controller.abort();
    clock.advance(5_000);
    await sandbox.waitFor((record) => record.callsOf("sendMessage").length === 1);
    expect(sent()).toEqual(["x"]);
  });

  test("strikes by chance, the same calls for the same seed", async () => {
    const { send } = await setUp({ limits: { bot: [], chat: [] } });
    const strikes = async (seed: number) => {
      const fault = sandbox.fault({ probability: 0.5, seed, answer: { status: 500 } });
      const statuses: number[] = [];
      for (let count = 0; count < 24; count++) statuses.push((await send()).status);
      fault.clear();
      return statuses;
    };
    const first = await strikes(7);
    expect(new Set(first)).toEqual(new Set([200, 500]));
    expect(await strikes(7)).toEqual(first);
    expect(await strikes(8)).not.toEqual(first);
    expect((await send()).status).toBe(200);
  });

  test("ends by itself after its time", async () => {
    const { clock, send } = await setUp();
    sandbox.fault({ forMs: 10_000, answer: { status: 503 } });
    for (let count = 0; count < 3; count++) expect((await send()).status).toBe(503);
    clock.advance(10_000);
    expect((await send()).status).toBe(200);
    const faults = sandbox.record.entries.filter(({ kind }) => kind === "fault");
    expect(faults).toMatchObject([{ what: "armed" }, { what: "over" }]);
  });

  test("a hold out of nowhere grows when it is ignored, and is over when waited out", async () => {
    const { clock, send } = await setUp();
    sandbox.fault({ answer: { retryAfterS: 30, hold: "chat" } });
    expect(await send()).toMatchObject({ status: 429, parameters: { retry_after: 30 } });
    expect(await send()).toMatchObject({ status: 429, parameters: { retry_after: 31 } });
    expect(await send()).toMatchObject({ status: 429, parameters: { retry_after: 32 } });
    expect(sandbox.record.violations).toHaveLength(2);
    clock.advance(31_999);
    expect(await send()).toMatchObject({ status: 429, parameters: { retry_after: 2 } });
    clock.advance(2_000);
    expect(await send()).toMatchObject({ ok: true });
  });

  test("a hold of an hour grows too, and one of the bot is for all its chats", async () => {
    const { bot, send } = await setUp();
    const eve = sandbox.createUser({ firstName: "Eve" }).id;
    await sandbox.send({ from: eve, chatId: eve, text: "/start" });
    sandbox.setLimits({ violationPenaltyMs: 60_000 });
    sandbox.fault({ answer: { retryAfterS: 3_600, hold: "bot" } });
    expect((await send()).parameters).toEqual({ retry_after: 3_600 });
    expect((await send()).parameters).toEqual({ retry_after: 3_660 });
    expect(await call(sandbox, bot, "sendMessage", { chat_id: eve, text: "x" })).toMatchObject({
      parameters: { retry_after: 3_720 },
    });
    expect(await call(sandbox, bot, "getMe")).toMatchObject({ ok: true });
  });

  test("an album stops half-way, as a 400 that says when to come back", async () => {
    const { bot, ada } = await setUp();
    sandbox.fault({ method: "sendMediaGroup", answer: { albumStopsAfter: 1, retryAfterS: 8 } });
    const form = new FormData();
    form.append("chat_id", String(ada));
    form.append(
      "media",
      JSON.stringify([1, 2, 3].map(() => ({ type: "photo", media: "attach://p" }))),
    );
    form.append("p", new Blob([new Uint8Array(onePixelPng)], { type: "image/png" }), "p.png");
    const response = await fetch(`${sandbox.url}/bot${bot.token}/sendMediaGroup`, {
      method: "POST",
      body: form,
    });
    expect([response.status, await response.json()]).toEqual([
      400,
      {
        ok: false,
        error_code: 400,
        description:
          'Bad Request: failed to send message #2 with the error message "Too Many Requests: retry after 8"',
      },
    ]);
    expect(sandbox.messages({ chatId: ada }).filter(({ photo }) => photo)).toHaveLength(1);
    expect(sandbox.record.callsOf("sendMediaGroup")).toMatchObject([
      { fault: "album", status: 400, tookEffect: true },
    ]);
  });

  test("strikes downloads too; a link lives an hour", async () => {
    const { clock, bot, handIn } = await setUp();
    const content = Buffer.alloc(200_000, 7);
    const url = await handIn(content);
    const whole = async () => Buffer.from(await (await fetch(url)).arrayBuffer());
    sandbox.fault({ method: "file", answer: { status: 500 } });
    expect((await fetch(url)).status).toBe(500);
    sandbox.fault({ method: "file", answer: "reset-after-effect" });
    await expect(whole()).rejects.toThrow();
    expect((await whole()).equals(content)).toBe(true);
    clock.advance(60 * 60 * 1_000 - 1);
    expect((await fetch(url)).status).toBe(200);
    clock.advance(1);
    expect((await fetch(url)).status).toBe(404);
    expect(sandbox.record.callsOf("file")).toMatchObject([
      { status: 500, fault: "answer" },
      { status: 0, fault: "reset-after-effect" },
      { status: 200 },
      { status: 200 },
      { status: 404 },
    ]);
    expect(JSON.stringify(sandbox.record.entries)).not.toContain(bot.token.split(":")[1]);
  });
});

test("lets a download come slowly, in pieces", async () => {
  const { clock, handIn } = await setUp();
  const content = Buffer.alloc(25_000, 7);
  const url = await handIn(content);
  sandbox.fault({ method: "file", answer: { bytesPerSecond: 100_000 } });
  const response = await fetch(url);
  const came: Buffer[] = [];
  const reading = (async () => {
    for await (const piece of response.body ?? []) came.push(Buffer.from(piece));
  })();
  const bytes = () => Buffer.concat(came).length;
  for (const soFar of [10_000, 20_000]) {
    await waitFor(() => bytes() === soFar && clock.nextTimerMs() === 100);
    clock.advance(100);
  }
  await waitFor(() => bytes() === 25_000 && clock.nextTimerMs() === 100);
  clock.advance(100);
  await reading;
  expect(Buffer.concat(came).equals(content)).toBe(true);
  expect(sandbox.record.callsOf("file")).toMatchObject([{ status: 200, fault: "slow" }]);
});

describe("limits that a bot cannot know", () => {
  test("are set for one bot, one chat or all while it runs, and taken back", async () => {
    const { clock, bot, ada, send } = await setUp({ limits: { bot: [], chat: [] } });
    const one = [{ limit: 1, windowMs: 10_000 }];
    sandbox.setLimits({ botId: bot.id, chatId: ada, chat: one });
    expect([(await send()).status, (await send()).status]).toEqual([200, 429]);
    clock.advance(20_000);
    sandbox.setLimits({ botId: bot.id, chatId: ada, chat: null });
    expect([(await send()).status, (await send()).status]).toEqual([200, 200]);
    sandbox.setLimits({ bot: one, violationPenaltyMs: 7_000 });
    expect((await send()).status).toBe(200);
    expect((await send()).status).toBe(429);
    expect((await send()).parameters?.retry_after).toBe(17);
    expect(() => sandbox.setLimits({ chatId: ada, uploadBytes: 1 })).toThrow(/uploadBytes/);
  });

  test("too many tokens from one address in a minute must wait", async () => {
    const { clock, bot, send } = await setUp();
    sandbox.setLimits({ newTokensPerMinute: 3 });
    const others = ["one_bot", "two_bot", "three_bot"].map((username) =>
      sandbox.createBot({ name: "B", username }),
    );
    const statuses = [];
    for (const each of [...others, bot, ...others])
      statuses.push((await call(sandbox, each, "getMe")).status);
    expect(statuses).toEqual([200, 200, 200, 429, 200, 200, 200]);
    clock.advance(60_000);
    expect(await send()).toMatchObject({ ok: true });
  });
});
