import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "./index.ts";
import { call, onePixelPng } from "./test-client.ts";

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox.close());

async function api<Body = Record<string, unknown>>(method: string, path: string, body?: unknown) {
  const response = await fetch(`${sandbox.url}/sandbox/api${path}`, {
    method,
    ...(body !== undefined && {
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === "" ? undefined : JSON.parse(text)) as Body };
}

interface Made {
  id: number;
  token: string;
}

describe("the control API", () => {
  test("does from another process what the object does", async () => {
    const ada = (await api<Made>("POST", "/users", { firstName: "Ada" })).body;
    const bot = (await api<Made>("POST", "/bots", { name: "Bot", username: "far_bot" })).body;
    const group = (
      await api<Made>("POST", "/chats", { type: "group", title: "G", memberIds: [ada.id] })
    ).body;
    expect(await api("POST", `/chats/${group.id}/members`, { memberId: bot.id })).toMatchObject({
      status: 204,
    });
    const sent = await api<{ message_id: number }[]>("POST", "/send", {
      from: ada.id,
      chatId: ada.id,
      text: "/start",
    });
    expect(sent.body).toMatchObject([{ text: "/start" }]);
    const answer = await call<{ message_id: number }>(sandbox, bot, "sendMessage", {
      chat_id: ada.id,
      text: "Choose",
      reply_markup: { inline_keyboard: [[{ text: "A", callback_data: "a" }]] },
    });
    const place = { from: ada.id, chatId: ada.id };
    expect(
      (await api("POST", "/press", { ...place, messageId: answer.result.message_id, data: "a" }))
        .body,
    ).toMatchObject({ callbackQueryId: expect.any(String) });
    await api("POST", "/edit", {
      ...place,
      messageId: sent.body[0]?.message_id,
      text: "/start again",
    });
    expect((await api("GET", `/messages?chatId=${ada.id}`)).body).toMatchObject([
      { text: "/start again" },
      { text: "Choose" },
    ]);
    expect((await api("GET", `/messages?chatId=${ada.id}&last=1`)).body).toMatchObject([
      { text: "Choose" },
    ]);
    const { id: newId } = (await api<Made>("POST", "/migrate", { chatId: group.id })).body;
    expect(
      (await api("POST", "/updates", { botId: bot.id, update: { poll: { id: "1" } } })).body,
    ).toMatchObject({ updateId: expect.any(Number) });
    await api("DELETE", `/chats/${newId}/members/${bot.id}?how=kicked`);
    expect(sandbox.memberStatus(newId, bot.id)).toBe("kicked");
    await api("POST", "/block", { userId: ada.id, botId: bot.id });
    const state = await api<{ bots: { blockedBy: number[] }[] }>("GET", "/state");
    expect(state.body.bots[0]?.blockedBy).toEqual([ada.id]);
    expect(JSON.stringify(state.body)).not.toContain(bot.token);
    const info = (await api("GET", `/webhooks/${bot.id}`)).body;
    expect(info).toMatchObject({
      url: "",
      pending_update_count: sandbox.webhookInfo(bot.id).pending_update_count,
    });
  });

  test("takes files in multipart and base64, and shows images but never runs what was sent", async () => {
    const user = sandbox.createUser({ firstName: "Filer" });
    const place = { from: user.id, chatId: user.id };
    const form = new FormData();
    form.append("send", JSON.stringify({ ...place, photo: { part: "p" }, caption: "one pixel" }));
    form.append("p", new Blob([new Uint8Array(onePixelPng)], { type: "image/png" }), "p.png");
    const response = await fetch(`${sandbox.url}/sandbox/api/send`, { method: "POST", body: form });
    const [photo] = (await response.json()) as { photo: { file_id: string }[] }[];
    const image = await fetch(`${sandbox.url}/sandbox/api/files/${photo?.photo[0]?.file_id}`);
    expect(image.headers.get("content-type")).toBe("image/png");
    expect(Buffer.from(await image.arrayBuffer())).toEqual(onePixelPng);

    const html = {
      name: "x.html",
      contentType: "text/html",
      base64: Buffer.from("<script>").toString("base64"),
    };
    const sent = await api<{ document: { file_id: string } }[]>("POST", "/send", {
      ...place,
      document: html,
    });
    const page = await fetch(`${sandbox.url}/sandbox/api/files/${sent.body[0]?.document.file_id}`);
    expect(page.headers.get("content-type")).toBe("application/octet-stream");
    expect(page.headers.get("content-disposition")).toMatch(/^attachment/);
  });

  test("says what was wrong, and where", async () => {
    expect(await api("POST", "/users", {})).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("firstName") },
    });
    expect(await api("POST", "/users", { firstName: "A", colour: "red" })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("colour") },
    });
    expect(await api("POST", "/users", "{")).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("JSON") },
    });
    expect(await api("POST", "/send", { from: 1, chatId: 1, text: "x" })).toMatchObject({
      status: 404,
      body: { error: "no user 1" },
    });
    expect(await api("GET", "/nothing")).toMatchObject({
      status: 404,
      body: { error: "nothing at GET /sandbox/api/nothing" },
    });
    expect(await api("POST", "/faults", { answer: "explode" })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("answer") },
    });
  });

  test("takes every kind of fault, outages and limits, and shows them", async () => {
    const bot = sandbox.createBot({ name: "Tried", username: "tried_bot" });
    const faults = [
      { answer: "html-after-effect", probability: 0.2, seed: 7, chatId: 5 },
      { method: "sendMediaGroup", answer: { albumStopsAfter: 1, retryAfterS: 9 } },
      { answer: { retryAfterS: 30, hold: "bot" }, times: 2 },
      { latencyMs: 50, answerLatencyMs: 20, forMs: 60_000 },
      { on: "deliveries", answer: "duplicate", updateKind: "message" },
    ].map((fault) => ({ botId: bot.id, ...fault }));
    for (const fault of faults)
      expect((await api("POST", "/faults", fault)).body).toEqual({ id: expect.any(Number) });
    const { body: armed } = await api<object[]>("GET", "/faults");
    expect(armed).toMatchObject(faults);
    const outage = await api<{ id: number }>("POST", "/outages", { botId: bot.id, calls: "hang" });
    await api("DELETE", `/outages/${outage.body.id}`);
    expect((await api<object[]>("GET", "/faults")).body).toHaveLength(faults.length);
    for (const [bad, words] of [
      [{ times: 1 }, "answer"],
      [{ on: "deliveries", answer: "hang" }, "answer"],
      [{ on: "deliveries", answer: "duplicate", method: "getMe" }, "method"],
      [{ answer: "hang", probability: 2 }, "probability"],
    ] as const)
      expect(await api("POST", "/faults", bad)).toMatchObject({
        status: 400,
        body: { error: expect.stringContaining(words) },
      });
    await api("DELETE", "/faults");
    expect((await api("GET", "/faults")).body).toEqual([]);

    const pace = [{ limit: 1, windowMs: 60_000 }];
    await api("POST", "/limits", { botId: bot.id, chatId: 77, chat: pace });
    await api("POST", "/limits", { callbackAnswerMs: 20_000 });
    expect((await api("GET", "/limits")).body).toMatchObject({
      all: { callbackAnswerMs: 20_000 },
      overrides: [{ key: `bot ${bot.id}, chat 77`, chat: pace }],
    });
    expect(await api("POST", "/limits", { chatId: 77, photoBytes: 1 })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("photoBytes") },
    });
    await api("POST", "/limits", { botId: bot.id, chatId: 77, chat: null });
    expect((await api("GET", "/limits")).body).toMatchObject({ overrides: [] });
  });

  test("sends many at once, and says where it stopped", async () => {
    const user = sandbox.createUser({ firstName: "Busy" });
    const bot = sandbox.createBot({ name: "Busy", username: "busy_bot" });
    const place = { from: user.id, chatId: user.id, botId: bot.id };
    const sends = Array.from({ length: 5_000 }, (_, n) => ({ ...place, text: `message ${n}` }));
    expect(await api("POST", "/sends", { sends })).toMatchObject({ body: { sent: 5_000 } });
    expect(sandbox.webhookInfo(bot.id).pending_update_count).toBe(5_000);
    const bad = [sends[0], { ...place, text: " " }, sends[1]];
    expect(await api("POST", "/sends", { sends: bad })).toMatchObject({
      status: 400,
      body: { error: "sends.1: a message needs text; those before it are sent" },
    });
    expect(sandbox.messages(place)).toHaveLength(5_001);
  });

  test("arms faults and clears them", async () => {
    const bot = sandbox.createBot({ name: "Faulty", username: "faulty_bot" });
    await api("POST", "/faults", { botId: bot.id, times: 5, answer: { status: 500 } });
    expect((await call(sandbox, bot, "getMe")).status).toBe(500);
    await api("DELETE", "/faults");
    expect((await call(sandbox, bot, "getMe")).status).toBe(200);
  });

  test("gives the record page by page, without tokens", async () => {
    const bot = sandbox.createBot({ name: "Recorded", username: "recorded_bot" });
    const { lastSeq } = sandbox.record;
    for (let count = 0; count < 5; count++) await call(sandbox, bot, "getMe");
    const first = await api<{ entries: unknown[]; next: number }>(
      "GET",
      `/record?after=${lastSeq}&limit=3&kinds=call`,
    );
    expect(first.body.entries).toHaveLength(3);
    const rest = await api<{ entries: unknown[] }>("GET", `/record?after=${first.body.next}`);
    expect(rest.body.entries).toMatchObject([
      { method: "getMe", ok: true, botId: bot.id },
      { method: "getMe" },
    ]);
    expect(JSON.stringify(sandbox.record.entries)).not.toContain(bot.token.split(":")[1]);
  });

  test("streams what happens, and goes on where a reader left off", async () => {
    const user = sandbox.createUser({ firstName: "Reader" });
    const bot = sandbox.createBot({ name: "Streamed", username: "streamed_bot" });
    const say = (text: string) =>
      sandbox.send({ from: user.id, chatId: user.id, botId: bot.id, text });
    const read = async (headers: Record<string, string>, act: () => Promise<unknown>) => {
      const controller = new AbortController();
      const response = await fetch(`${sandbox.url}/sandbox/api/events?kinds=message`, {
        headers,
        signal: controller.signal,
      });
      await act();
      let text = "";
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        text += Buffer.from(chunk).toString("utf8");
        if (/"text":"(second|third)"/.test(text)) break;
      }
      controller.abort();
      return text;
    };
    const { lastSeq } = sandbox.record;
    const live = await read({}, async () => {
      await say("first");
      await say("second");
    });
    expect(live).toMatch(/"text":"first"[\s\S]*"text":"second"/);
    const missed = await read({ "last-event-id": String(lastSeq) }, async () => {});
    expect(missed).toMatch(/"text":"first"/);
  });

  test("does what people do besides writing", async () => {
    const made = await Promise.all([
      api<Made>("POST", "/users", { firstName: "Cleo" }),
      api<Made>("POST", "/users", { firstName: "Dan" }),
      api<Made>("POST", "/bots", { name: "Asked", username: "asked_bot", inline: true }),
    ]);
    const [cleo, dan, bot] = made.map(({ body }) => body.id);
    const chat = { type: "supergroup", title: "S", memberIds: [cleo, bot] };
    const { id: chatId } = (await api<Made>("POST", "/chats", chat)).body;
    const send = (body: object) =>
      api<{ message_id: number }[]>("POST", "/send", { from: cleo, chatId, ...body });
    const poll = await send({ poll: { question: "Which?", options: ["This", "That"] } });
    const about = { from: cleo, chatId, messageId: poll.body[0]?.message_id };
    const done = [
      await api("POST", "/vote", { ...about, optionIds: [1] }),
      await api("POST", "/react", { ...about, emojis: ["🔥"] }),
      await api("POST", "/pin", about),
      await api("POST", `/chats/${chatId}/join-requests`, { userId: dan }),
    ];
    expect(done.map(({ status }) => status)).toEqual([204, 204, 204, 204]);
    expect((await api("GET", `/messages?chatId=${chatId}`)).body).toMatchObject([
      { new_chat_members: [{ id: bot }] },
      { poll: { options: [{}, { voter_count: 1 }] }, shown_reactions: [{ emoji: "🔥" }] },
      { pinned_message: { message_id: about.messageId } },
    ]);
    const oops = await send({ text: "oops" });
    const messageIds = [oops.body[0]?.message_id];
    await api("POST", "/delete", { from: cleo, chatId, messageIds });
    expect((await api<object[]>("GET", `/messages?chatId=${chatId}`)).body).toHaveLength(3);

    const asked = { from: cleo, chatId, viaBotId: bot, query: "cats" };
    const { inlineQueryId } = (await api<{ inlineQueryId: string }>("POST", "/inline", asked)).body;
    const token = { token: made[2].body.token };
    await call(sandbox, token, "answerInlineQuery", {
      inline_query_id: inlineQueryId,
      results: [
        { type: "article", id: "a", title: "A", input_message_content: { message_text: "Cat" } },
      ],
    });
    expect((await api("GET", `/inline/${inlineQueryId}`)).body).toMatchObject({
      isAnswered: true,
      results: [{ id: "a" }],
    });
    expect(
      (await api("POST", `/inline/${inlineQueryId}/choose`, { resultId: "a" })).body,
    ).toMatchObject({ text: "Cat", via_bot: { id: bot } });
    expect(await api("GET", "/inline/77")).toMatchObject({ status: 404 });

    const { id: connection } = (
      await api<{ id: string }>("POST", "/business", { userId: cleo, botId: bot })
    ).body;
    const place = { chatId: dan, businessConnectionId: connection };
    expect(await api("POST", "/send", { ...place, from: dan, text: "hi" })).toMatchObject({
      status: 200,
    });
    expect(await api("DELETE", `/business/${connection}`)).toMatchObject({ status: 204 });
    const kinds = sandbox.record.updates
      .filter(({ botId }) => botId === bot)
      .map(({ updateKind }) => updateKind);
    expect(kinds.slice(-5)).toEqual([
      "inline_query",
      // Privacy mode lets through what was posted via the bot.
      "message",
      "business_connection",
      "business_message",
      "business_connection",
    ]);
  });

  test("is not for pages of other origins, nor for names that lead here", async () => {
    const port = Number(new URL(sandbox.url).port);
    const post = (headers: Record<string, string>) =>
      new Promise<number | undefined>((resolve, reject) => {
        const sending = request(
          {
            host: "127.0.0.1",
            port,
            path: "/sandbox/api/users",
            method: "POST",
            headers: { "content-type": "application/json", ...headers },
          },
          (response) => {
            response.resume();
            resolve(response.statusCode);
          },
        );
        sending.on("error", reject);
        sending.end('{"firstName":"X"}');
      });
    expect(await post({ origin: "http://evil.example" })).toBe(403);
    expect(
      await post({ origin: `http://evil.example:${port}`, host: `evil.example:${port}` }),
    ).toBe(403);
    expect(await post({ origin: sandbox.url })).toBe(200);
    expect(await post({})).toBe(200);
  });
});
