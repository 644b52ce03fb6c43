import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  deliver,
  rawRequest,
  startTestSystem,
  type TestBot,
  type TestSystem,
  textUpdate,
} from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/** Bad input at the webhook: the right status, quickly, nothing stored, the process unharmed. */
let world: TestSystem;
let bot: TestBot;
let nextId = 1_000;
beforeAll(async () => {
  world = await startTestSystem({ requestTimeoutMs: 1_500 });
  bot = await world.connectBot();
});
afterAll(() => world.close());

const stored = async () =>
  Number(
    (await world.system.db.query<{ count: string }>("SELECT count(*) FROM job_bodies"))[0]?.count,
  );

const post = (body: string | Buffer, headers: Record<string, string> = {}, path?: string) =>
  rawRequest(
    world.url + (path ?? bot.webhookPath),
    {
      headers: {
        "content-type": "application/json",
        "x-telegram-bot-api-secret-token": bot.secret,
        ...headers,
      },
    },
    body,
  );

const good = () => JSON.stringify(textUpdate(nextId++, 77, nextId, "hello"));
const nested = (open: string, close: string) =>
  `{"update_id":${nextId++},"message":${open.repeat(100_000)}${close.repeat(100_000)}}`;

describe("the webhook refuses", () => {
  const cases: [string, number, () => ReturnType<typeof post>][] = [
    ["no secret", 401, () => post(good(), { "x-telegram-bot-api-secret-token": "" })],
    ["a wrong secret", 401, () => post(good(), { "x-telegram-bot-api-secret-token": "wrong" })],
    ["an unknown key", 404, () => post(good(), {}, `/webhooks/telegram/${"n".repeat(43)}`)],
    ["a key that is none", 404, () => post(good(), {}, "/webhooks/telegram/%00")],
    [
      "a key that is far too long",
      404,
      () => post(good(), {}, `/webhooks/telegram/${"n".repeat(5_000)}`),
    ],
    ["another content type", 415, () => post(good(), { "content-type": "text/plain" })],
    ["a compressed body", 415, () => post(gzipSync(good()), { "content-encoding": "gzip" })],
    ["no JSON", 400, () => post("{")],
    ["an empty body", 400, () => post("")],
    ["null", 400, () => post("null")],
    ["a list", 400, () => post("[1]")],
    ["no update_id", 400, () => post('{"message":{}}')],
    ["a fraction", 400, () => post('{"update_id":1.5}')],
    ["a text for an id", 400, () => post('{"update_id":"1"}')],
    ["an id beyond 52 bits", 400, () => post('{"update_id":9007199254740993}')],
    ["a negative id", 400, () => post('{"update_id":-1}')],
    ["bytes that are not UTF-8", 400, () => post(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))],
    ["lists nested to death", 400, () => post(nested("[", "]"))],
    ["objects nested to death", 400, () => post(nested('{"a":', "}"))],
    ["nesting that never closes", 400, () => post("[".repeat(900_000))],
    [
      "more than 1 MB, announced",
      413,
      () => post(`{"update_id":1,"a":"${"x".repeat(1_100_000)}"}`),
    ],
  ];

  test.each(cases)("%s: %i", async (_name, status, send) => {
    const before = await stored();
    const startedMs = performance.now();
    const answer = await send();
    expect(answer.status).toBe(status);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(answer.body.length).toBeLessThan(100);
    expect(await stored()).toBe(before);
    expect((await post(good())).status).toBe(200);
  });

  test("more than 1 MB that was not announced: 413 or cut off", async () => {
    const before = await stored();
    const answer = await rawRequest(
      world.url + bot.webhookPath,
      {
        headers: {
          "content-type": "application/json",
          "x-telegram-bot-api-secret-token": bot.secret,
          "transfer-encoding": "chunked",
        },
      },
      Buffer.alloc(3_000_000, "x"),
    ).catch((error: NodeJS.ErrnoException) => ({ status: error.code }));
    expect([413, "EPIPE", "ECONNRESET"]).toContain(answer.status);
    expect(await stored()).toBe(before);
  });

  test("a wrong secret before the body: answered while the body is still to come", async () => {
    const { hostname, port } = new URL(world.url);
    const socket = connect(Number(port), hostname);
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    socket.write(
      `POST ${bot.webhookPath} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
        "X-Telegram-Bot-Api-Secret-Token: wrong\r\nContent-Length: 1000\r\n\r\n",
    );
    await waitFor(() => answer.startsWith("HTTP/1.1 401"), { what: "the refusal" });
    socket.destroy();
  });

  test("a client that sends a byte now and then is cut off, and nothing is stored", async () => {
    const before = await stored();
    const { hostname, port } = new URL(world.url);
    const socket = connect(Number(port), hostname);
    let answer = "";
    let closed = false;
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      closed = true;
    });
    socket.write(
      `POST ${bot.webhookPath} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
        `X-Telegram-Bot-Api-Secret-Token: ${bot.secret}\r\nContent-Length: 1000\r\n\r\n`,
    );
    const drip = setInterval(() => socket.write("{"), 100);
    await waitFor(() => closed, { what: "the server to close", timeoutMs: 8_000 });
    clearInterval(drip);
    expect(answer === "" || answer.startsWith("HTTP/1.1 408")).toBe(true);
    expect(await stored()).toBe(before);
    expect((await post(good())).status).toBe(200);
  });

  test("a client that goes away in the middle of its body: nothing stored", async () => {
    const before = await stored();
    const { hostname, port } = new URL(world.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.write(
      `POST ${bot.webhookPath} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
        `X-Telegram-Bot-Api-Secret-Token: ${bot.secret}\r\nContent-Length: 1000\r\n\r\n{"update_id"`,
    );
    await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    expect((await post(good())).status).toBe(200);
    expect(await stored()).toBe(before + 1);
  });
});

describe("the webhook accepts", () => {
  test("an update once: 200 with an empty body, and 200 again for the same one", async () => {
    const before = await stored();
    const body = good();
    const answers = [await post(body), await post(body)];
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: "" });
    expect(await stored()).toBe(before + 1);
  });

  test("a command as urgent, a plain message as not", async () => {
    const wokenAsUrgent = async (chatId: number, text: string) => {
      expect(await deliver(world.url, bot, textUpdate(nextId++, chatId, nextId, text))).toBe(200);
      const [lane] = await world.system.db.query<{ urgent: boolean }>(
        "SELECT urgent_seq >= due_seq AS urgent FROM lanes WHERE queue = 'ingest' AND lane = $1",
        [`${bot.connectorId}/c${chatId}`],
      );
      return lane?.urgent;
    };
    expect(await wokenAsUrgent(7_001, "hello")).toBe(false);
    expect(await wokenAsUrgent(7_002, "/start")).toBe(true);
  });

  test("messages of groups only while they are linked; the link takes effect at once", async () => {
    const group = -1_001_234;
    const update = () => ({
      update_id: nextId++,
      message: {
        message_id: nextId,
        date: 1_790_000_000,
        chat: { id: group, type: "supergroup", title: "G" },
        from: { id: 5, is_bot: false, first_name: "A" },
        text: "hi",
      },
    });
    const before = await stored();
    expect(await deliver(world.url, bot, update())).toBe(200);
    expect(await stored()).toBe(before);
    const path = `/v1/connectors/${bot.connectorId}/chats/${group}`;
    expect((await world.api("PUT", path, { linked: true })).status).toBe(200);
    expect(await deliver(world.url, bot, update())).toBe(200);
    expect(await stored()).toBe(before + 1);
    // The service message of its migration moves the link before anything of the new id comes.
    const moved = { ...update().message, migrate_to_chat_id: -1_001_000_009_999 };
    await deliver(world.url, bot, { update_id: nextId++, message: moved });
    const there = update();
    there.message.chat.id = -1_001_000_009_999;
    expect(await deliver(world.url, bot, there)).toBe(200);
    expect(await stored()).toBe(before + 3);
  });

  const bodies = async () =>
    (
      await world.system.db.query<{ body: Buffer }>("SELECT body FROM job_bodies ORDER BY job_id")
    ).map(({ body }) => body.toString("utf8"));

  test.each([
    [
      "a reply that is a /link command: the command alone is kept",
      {
        message: {
          reply_to_message: { text: "PRIVATE words" },
          caption: "PRIVATE",
          text: "/link ABC",
        },
      },
      "/link ABC",
    ],
    [
      "the bot's own membership: no more than that is kept",
      { my_chat_member: { new_chat_member: { status: "member" }, text: "PRIVATE words" } },
      "new_chat_member",
    ],
    ["a kind of chat that is not known yet", { message: { text: "PRIVATE" } }, null, "megagroup"],
    [
      "two kinds in one update",
      { my_chat_member: { new_chat_member: {} }, message: { text: "PRIVATE words" } },
      null,
    ],
  ])("of a group that nobody linked, %s", async (_name, kinds, kept, type = "supergroup") => {
    const chat = { id: -1_001_000_777_000, type, title: "Strangers" };
    const from = { id: 5, is_bot: false, first_name: "A" };
    const common = { message_id: 1, date: 1_790_000_000, chat, from };
    const before = (await bodies()).length;
    const update = Object.fromEntries(
      Object.entries(kinds).map(([kind, body]) => [kind, { ...common, ...body }]),
    );
    expect(await deliver(world.url, bot, { update_id: nextId++, ...update })).toBe(200);
    const after = (await bodies()).slice(before);
    expect(after.join()).not.toContain("PRIVATE");
    expect(after).toEqual(kept === null ? [] : [expect.stringContaining(kept)]);
  });

  test.each([
    ["a NUL in the name of its kind", { "a\0": { chat: { id: 5, type: "private" } } }],
    ["half a character there", { "a\ud800": {} }],
    ["a kind of half a million characters", { ["x".repeat(500_000)]: {} }],
    [
      "a business account's id of thousands of characters",
      {
        business_message: {
          ...textUpdate(1, 5, 1, "hello").message,
          business_connection_id: Array.from({ length: 6_000 }, (_, n) =>
            (n * 7919).toString(36),
          ).join(""),
        },
      },
    ],
  ])(
    "an update with %s is kept raw and acknowledged; its neighbours go on",
    async (_name, update) => {
      const id = nextId++;
      expect(await deliver(world.url, bot, JSON.stringify({ update_id: id, ...update }))).toBe(200);
      await waitFor(
        async () => {
          const [job] = await world.system.db.query<{ state: string; attempts: number }>(
            "SELECT state, attempts FROM jobs WHERE queue = 'ingest' AND payload->>'updateId' = $1",
            [String(id)],
          );
          return job?.state === "completed" && job.attempts === 1;
        },
        { what: "its job" },
      );
    },
  );

  test("a connector that is removed is unknown within a second", async () => {
    const gone = await world.connectBot();
    expect(await deliver(world.url, gone, textUpdate(1, 5, 1, "hi"))).toBe(200);
    expect((await world.api("DELETE", `/v1/connectors/${gone.connectorId}`)).status).toBe(200);
    const removedAtMs = performance.now();
    await waitFor(async () => (await deliver(world.url, gone, textUpdate(2, 5, 2, "hi"))) === 404, {
      what: "404",
      timeoutMs: 2_000,
    });
    expect(performance.now() - removedAtMs).toBeLessThan(1_200);
  });
});
