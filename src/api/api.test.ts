import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  deliver,
  startTestSystem,
  type TestBot,
  type TestSystem,
  textUpdate,
} from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createWorkspace, type NewWorkspace } from "../connectors/index.ts";

const ADMIN = "the-administrator";
const LATER = new Date(Date.now() + 3_600_000).toISOString();

let world: TestSystem;
let bot: TestBot;
let stranger: NewWorkspace;
/** What the first workspace has: ids that the stranger must not reach. */
const owned = { connector: "", conversation: "", message: "", job: "" };

interface Answer {
  status: number;
  type: string;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: an answer of any call
  body: any;
}

interface Call {
  key?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
}

/** A call with a key (default: the first workspace's). A body that is a string is sent as it is. */
async function call(method: string, path: string, options: Call = {}): Promise<Answer> {
  const { key = world.apiKey, body, headers = {} } = options;
  const response = await fetch(world.url + path, {
    method: method.toUpperCase(),
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  const isJson = type.includes("json");
  return {
    status: response.status,
    type,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : text,
  };
}

/** Every error has the one shape, says nothing of the inside, and its status is the answer's. */
function expectProblem(answer: Answer, status: number): void {
  expect({ status: answer.status, type: answer.type, text: answer.text }).toEqual({
    status,
    type: expect.stringMatching(/^application\/problem\+json/),
    text: answer.text,
  });
  expect(answer.body).toMatchObject({
    type: expect.any(String),
    title: expect.any(String),
    status,
    detail: expect.any(String),
  });
  expect(answer.text).not.toMatch(/\bat .+:\d+:\d+|node_modules|SELECT |postgres/);
}

beforeAll(async () => {
  world = await startTestSystem();
  bot = await world.connectBot();
  stranger = await createWorkspace(world.system.db, "Stranger");
  const chatId = 7_001;
  world.sandbox.createUser({ firstName: "Ada" });
  expect(await deliver(world.url, bot, textUpdate(1, chatId, 1, "hello"))).toBe(200);
  await waitFor(async () => (await call("get", "/v1/conversations")).body.data.length > 0);
  owned.connector = bot.connectorId;
  owned.conversation = (await call("get", "/v1/conversations")).body.data[0].id;
  const sent = await call("post", "/v1/messages", {
    body: { connectorId: bot.connectorId, chatId, text: "hi", sendAt: LATER },
  });
  owned.message = sent.body.id;
  owned.job = (await call("get", "/v1/jobs?queue=outbound&state=scheduled")).body.data[0].id;
});
afterAll(() => world.close());

/** Every call of the description: method, path with parameters filled in, and the path as described. */
async function described(): Promise<Array<{ method: string; path: string; described: string }>> {
  const { body } = await call("get", "/openapi.json", { key: null });
  const values: Record<string, string> = {
    id: randomUUID(),
    chatId: "-1001",
    fileId: randomUUID(),
  };
  return Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({
      method,
      described: path,
      path: path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => values[name] ?? "1"),
    })),
  );
}

describe("the description", () => {
  test("names every call that there is, and its pages can be read", async () => {
    const calls = (await described()).map(({ method, described: path }) => `${method} ${path}`);
    expect(calls).toEqual(
      expect.arrayContaining([
        "post /v1/workspaces",
        "post /v1/connectors",
        "get /v1/connectors",
        "get /v1/connectors/{id}",
        "patch /v1/connectors/{id}",
        "delete /v1/connectors/{id}",
        "put /v1/connectors/{id}/chats/{chatId}",
        "get /v1/connectors/{id}/chats",
        "post /v1/messages",
        "get /v1/messages/{id}",
        "get /v1/conversations",
        "get /v1/conversations/{id}/messages",
        "get /v1/jobs",
        "get /v1/jobs/{id}",
        "post /v1/jobs/{id}/retry",
        "post /v1/jobs/{id}/discard",
        "post /v1/jobs/retry",
        "get /v1/queues",
      ]),
    );
    const page = await call("get", "/docs", { key: null });
    expect(page.status).toBe(200);
    for (const { described: path } of await described())
      expect(page.text).toContain(path.split("{")[0]);
    expect(page.text).toContain("the scope <code>manage</code>");
    expect(page.text).not.toContain("`");
  });
});

describe("who may call", () => {
  /** How many calls one is tried at: so many wrong keys of one network in a minute are refused. */
  const FEW = 25;

  test.each([
    ["no key: 401 everywhere", null, Number.POSITIVE_INFINITY],
    ["an unknown key: 401", `hgk_${"x".repeat(40)}`, FEW],
    ["the administrator's token, misspelt: 401", `${ADMIN}x`, FEW],
    ["an empty key: 401", "", FEW],
  ])("%s, before anything else is looked at", async (_name, key, most) => {
    const calls = await described();
    const every = Math.max(1, Math.ceil(calls.length / most));
    for (const [n, { method, path }] of calls.entries()) {
      if (n % every !== 0) continue;
      const answer = await call(method, path, { key, body: method === "get" ? undefined : "{" });
      expectProblem(answer, 401);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  });

  test("a workspace's key does not create workspaces; the administrator's token does no tenant's work", async () => {
    expectProblem(await call("post", "/v1/workspaces", { body: { name: "Mine" } }), 403);
    for (const path of ["/v1/connectors", "/v1/conversations"]) {
      expectProblem(await call("get", path, { key: ADMIN }), 403);
    }
    const message = { connectorId: owned.connector, chatId: 1, text: "x" };
    expectProblem(await call("post", "/v1/messages", { key: ADMIN, body: message }), 403);
  });

  test("a workspace is made by the administrator, and its key works once it is shown", async () => {
    const made = await call("post", "/v1/workspaces", { key: ADMIN, body: { name: " Desk " } });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      id: expect.any(String),
      name: "Desk",
      apiKey: expect.stringMatching(/^hgk_/),
    });
    expect((await call("get", "/v1/connectors", { key: made.body.apiKey })).body.data).toEqual([]);
  });

  test("a key that was revoked is refused within a second", async () => {
    const { id, apiKey } = await createWorkspace(world.system.db, "Leaves");
    expect((await call("get", "/v1/connectors", { key: apiKey })).status).toBe(200);
    await world.system.db.query("UPDATE api_keys SET revoked_at = now() WHERE workspace_id = $1", [
      id,
    ]);
    await waitFor(
      async () => (await call("get", "/v1/connectors", { key: apiKey })).status === 401,
      { timeoutMs: 1_000, what: "the refusal" },
    );
  });
});

describe("another workspace's ids", () => {
  const asStranger = (method: string, path: string, body?: unknown) =>
    call(method, path, { key: stranger.apiKey, body });

  test("are not found, whatever the call, and nothing changes", async () => {
    const { connector, conversation, message, job } = owned;
    const calls: Array<[method: string, path: string, body?: unknown]> = [
      ["get", `/v1/connectors/${connector}`],
      ["patch", `/v1/connectors/${connector}`, { name: "mine now" }],
      ["delete", `/v1/connectors/${connector}`],
      ["put", `/v1/connectors/${connector}/chats/-100777`, { linked: true }],
      ["get", `/v1/connectors/${connector}/chats`],
      ["post", "/v1/messages", { connectorId: connector, chatId: 7_001, text: "from a stranger" }],
      ["get", `/v1/messages/${message}`],
      ["get", `/v1/conversations/${conversation}/messages`],
      ["get", `/v1/jobs/${job}`],
      ["post", `/v1/jobs/${job}/retry`],
      ["post", `/v1/jobs/${job}/discard`],
    ];
    const own = await Promise.all(
      [`/v1/connectors/${connector}`, `/v1/messages/${message}`, `/v1/jobs/${job}`].map((path) =>
        call("get", path),
      ),
    );
    expect(own.map(({ status }) => status)).toEqual([200, 200, 200]);
    for (const [method, path, body] of calls) {
      const answer = await asStranger(method, path, body);
      expectProblem(answer, 404);
      // An id that nobody has gets the same words: the answer tells nothing.
      const nobodys = path
        .replace(connector, randomUUID())
        .replace(message, randomUUID())
        .replace(`/${conversation}/`, "/987654321/")
        .replace(`/jobs/${job}`, "/jobs/987654321");
      if (method !== "post" || path !== "/v1/messages") {
        expect((await asStranger(method, nobodys, body)).body).toEqual(answer.body);
      }
    }
    expect((await call("get", `/v1/connectors/${connector}`)).body).toEqual(own[0]?.body);
    expect((await call("get", `/v1/messages/${message}`)).body).toEqual(own[1]?.body);
    expect((await call("get", `/v1/jobs/${job}`)).body.state).toBe(own[2]?.body.state);
    expect((await call("get", `/v1/connectors/${connector}/chats`)).text).not.toContain("-100777");
  });

  test("are in none of its lists, counts or bulk changes", async () => {
    for (const path of ["/v1/connectors", "/v1/conversations", "/v1/jobs"]) {
      expect((await asStranger("get", path)).body).toEqual({ data: [], nextCursor: null });
    }
    const filtered = `/v1/conversations?connectorId=${owned.connector}&chatId=7001`;
    expect((await asStranger("get", filtered)).body.data).toEqual([]);
    const queues = (await asStranger("get", "/v1/queues")).body.data;
    for (const { counts } of queues) {
      expect(Object.values(counts as Record<string, number>).every((n) => n === 0)).toBe(true);
    }
    expect((await asStranger("post", "/v1/jobs/retry", { all: true })).body).toMatchObject({
      retried: 0,
    });
  });
});

describe("what is not what a call takes", () => {
  const good = () => ({ connectorId: owned.connector, chatId: "7001", text: "hello" });

  test.each([
    ["chatId", { chatId: "my chat" }],
    ["chatId", { chatId: 1.5 }],
    ["chatId", { chatId: "0123" }],
    ["chatId", { chatId: "-00123" }],
    ["chatId", { chatId: "0" }],
    ["chatId", { chatId: "-0" }],
    ["chatId", { chatId: 0 }],
    ["text", { text: "" }],
    ["text", { text: " \n " }],
    ["text", { text: "nul \0 inside" }],
    ["text", { text: "x".repeat(40_001) }],
    ["connectorId", { connectorId: "1" }],
    ["priority", { priority: "urgent" }],
    ["format", { format: "rtf" }],
    ["text", { text: "a <font>word</font>", format: "html" }],
    ["text", { text: "<b> </b>", format: "html" }],
    ["text", { text: "x".repeat(1_025), content: { type: "photo", file: { fileId: "a" } } }],
    ["text", { text: "**a** ".repeat(1_000), format: "markdown" }],
    ["sendAt", { sendAt: "tomorrow" }],
    ["sendAt", { sendAt: "0000-01-01T00:00:00Z" }],
    ["sendAt", { sendAt: "0001-01-01T00:00:00+23:59" }],
    ["sendAt", { sendAt: "9999-12-31T23:59:59-23:59" }],
    ["buttons.0.0.text", { buttons: [[{ text: "nul \0", data: "a" }]] }],
    ["buttons.0.0.data", { buttons: [[{ text: "half", data: "a\ud800" }]] }],
    ["text", { text: "half \udc00 a character" }],
    ["replyTo", { replyTo: -1 }],
    ["onUnknown", { onUnknown: "whatever" }],
    ["text", { text: undefined }],
    ["content.file.url", { content: { type: "photo", file: { url: "http://127.0.0.1/" } } }],
    ["text", { content: { type: "chat-action", action: "typing" } }],
    ["threadId", { threadId: 0 }],
    ["deleteAfter", { deleteAfter: 172_801 }],
    ["buttons.0.0", { buttons: [[{ text: "both", data: "a", url: "https://example.com" }]] }],
    ["buttons.0.0.data", { buttons: [[{ text: "long", data: "é".repeat(33) }]] }],
    ["", { unheardOf: 1 }],
  ])("POST /v1/messages: 400 that names %s", async (path, change) => {
    const answer = await call("post", "/v1/messages", { body: { ...good(), ...change } });
    expectProblem(answer, 400);
    expect(answer.body.errors).toEqual(
      expect.arrayContaining([{ path, message: expect.any(String) }]),
    );
  });

  test.each([
    ["name", { name: " " }],
    ["name", { name: "x".repeat(201) }],
    ["name", { name: "nul \0 inside" }],
    ["description", { description: "half \ud800" }],
    ["botToken", { botToken: "not a token" }],
    ["description", { description: "x".repeat(513) }],
  ])(
    "POST /v1/connectors: 400 that names %s, and the token is not repeated",
    async (path, change) => {
      const body = { name: "Desk", botToken: `1234567:${"A".repeat(35)}`, ...change };
      const answer = await call("post", "/v1/connectors", { body });
      expectProblem(answer, 400);
      expect(answer.body.errors[0].path).toBe(path);
      expect(answer.text).not.toContain(body.botToken);
    },
  );

  test.each([
    ["no JSON", "{", "application/json", 400],
    ["JSON that is no object", "[1]", "application/json", 400],
    ["a string", '"x"', "application/json", 400],
    ["another content type", "name=x", "application/x-www-form-urlencoded", 415],
    ["no content type", "{}", "", 415],
    ["too much", `{"name":"${"x".repeat(1_100_000)}"}`, "application/json", 413],
    ["nested to death", `${"[".repeat(200_000)}${"]".repeat(200_000)}`, "application/json", 400],
    ["latin1", "{}", "application/json; charset=x-unknown", 415],
  ])("a body that is %s", async (_name, body, type, status) => {
    const answer = await call("post", "/v1/connectors", {
      body,
      headers: { "content-type": type },
    });
    expectProblem(answer, status);
  });

  test.each([
    "/v1/connectors?limit=0",
    "/v1/connectors?limit=201",
    "/v1/connectors?limit=ten",
    "/v1/jobs?queue=nothing",
    "/v1/jobs?state=lost",
    `/v1/jobs?q=${"x".repeat(201)}`,
    "/v1/conversations?connectorId=1",
    "/v1/conversations?chatId=abc",
    "/v1/jobs?lane=%00",
    "/v1/jobs?q=a%00b",
    "/v1/jobs?limit=0x10",
    "/v1/jobs?limit=1e2",
    "/v1/jobs?cursor=",
    "/v1/connectors?cursor=",
    "/v1/conversations?cursor=",
    "/v1/conversations?chatId[]=1",
    "/v1/conversations?chat_id=1",
    "/v1/connectors/not-a-uuid",
    "/v1/connectors/%00",
  ])("GET %s: 400", async (path) => {
    expectProblem(await call("get", path), 400);
  });

  test.each([
    "/v1/messages/x",
    "/v1/messages/1",
    "/v1/jobs/x",
    "/v1/jobs/99999999999999999999",
    "/v1/conversations/x/messages",
    "/v1/conversations/99999999999999999999/messages",
  ])("GET %s: nobody has that, 404", async (path) => {
    expectProblem(await call("get", path), 404);
  });

  test("a change is of a message of one's own, to its bot and its chat", async () => {
    const { connectorId, chatId } = good();
    const sent = await call("post", "/v1/messages", { body: { ...good(), threadId: 7 } });
    expect(sent.status).toBe(202);
    const edit = (messageId: string, more: object = {}) =>
      call("post", "/v1/messages", {
        body: { connectorId, chatId, text: "new", content: { type: "edit", messageId }, ...more },
      });
    expect((await edit(sent.body.id)).status).toBe(202);
    expectProblem(await edit(sent.body.id, { chatId: "7002" }), 404);
    expectProblem(await edit(randomUUID()), 404);
    const later = await call("post", "/v1/messages", { body: { ...good(), sendAt: LATER } });
    expectProblem(await edit(later.body.id), 409);
  });

  test("other calls that take text: 400 for what cannot be stored, and nothing is half done", async () => {
    const path = `/v1/connectors/${owned.connector}`;
    const calls: Array<[method: string, path: string, body: unknown, key?: string]> = [
      ["patch", path, { name: "a\0b" }],
      ["patch", path, { description: "a\ud800" }],
      ["post", "/v1/jobs/retry", { lane: "\0" }],
      ["post", "/v1/jobs/retry", { q: "a\0" }],
      ["post", "/v1/workspaces", { name: "a\0b" }, ADMIN],
      ["post", "/v1/workspaces", { name: "a\ud800b" }, ADMIN],
      ["put", `${path}/chats/-0`, { linked: true }],
      ["put", `${path}/chats/0000001`, { linked: true }],
    ];
    for (const [method, where, body, key = world.apiKey] of calls) {
      expectProblem(await call(method, where, { body, key }), 400);
    }
  });

  test("a body of nothing but unknown fields is not read back in full", async () => {
    const body = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`field-${n}`, 1]));
    const answer = await call("post", "/v1/messages", { body });
    expectProblem(answer, 400);
    expect(answer.text.length).toBeLessThan(20_000);
  });

  test.each(["/v1/nothing", "/v2/connectors", "/v1/connectors/", "/../etc/passwd", "/%"])(
    "GET %s: there is no such address",
    async (path) => {
      const answer = await call("get", path);
      expect([200, 400, 404]).toContain(answer.status);
      if (answer.status !== 200) expectProblem(answer, answer.status);
    },
  );

  test("a cursor that the list did not give out: 400, in every list", async () => {
    const encode = (text: string) => Buffer.from(text).toString("base64url");
    const others = (await call("get", "/v1/jobs?limit=1")).body.nextCursor as string;
    expect(typeof others).toBe("string");
    const cursors = [
      "x",
      "%00",
      "%F0%9F",
      encode("1; DROP TABLE jobs"),
      encode("-".repeat(36)),
      encode("9".repeat(19)),
      encode("conversations|99999999999999999999"),
      encode("conversations|1|2"),
      `${encode("123")}==`,
    ];
    const lists = [
      "/v1/connectors",
      "/v1/conversations",
      "/v1/jobs",
      `/v1/connectors/${owned.connector}/chats`,
      `/v1/conversations/${owned.conversation}/messages`,
    ];
    for (const list of lists) {
      const foreign = list === "/v1/jobs" ? [] : [others];
      for (const cursor of [...cursors, ...foreign]) {
        expectProblem(await call("get", `${list}?cursor=${cursor}`), 400);
      }
    }
  });
});

describe("lists", () => {
  test("page through everything once, by cursors", async () => {
    const { db } = world.system;
    await db.query(
      `INSERT INTO chats (workspace_id, connector_id, chat_id, type)
       SELECT $1, $2, 8000 + n, 'private' FROM generate_series(1, 25) n`,
      [world.workspaceId, owned.connector],
    );
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const page = await call("get", `/v1/connectors/${owned.connector}/chats?limit=10${from}`);
      expect(page.status).toBe(200);
      seen.push(...page.body.data.map((chat: { chatId: string }) => chat.chatId));
      cursor = page.body.nextCursor;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThanOrEqual(25);
  });
});

describe("Idempotency-Key", () => {
  const send = (key: string, text: string) =>
    call("post", "/v1/messages", {
      body: { connectorId: owned.connector, chatId: "7001", text, sendAt: LATER },
      headers: { "idempotency-key": key },
    });

  test("the same key: the same answer; with another body: 422; for another workspace: its own", async () => {
    const key = randomUUID();
    const first = await send(key, "once");
    expect(first.status).toBe(202);
    expect((await send(key, "once")).body).toEqual(first.body);
    expectProblem(await send(key, "twice"), 422);
    expectProblem(await send("", "empty"), 400);
    expectProblem(await send("k".repeat(201), "long"), 400);
    const theirs = await call("post", "/v1/jobs/retry", {
      key: stranger.apiKey,
      body: { all: true },
      headers: { "idempotency-key": key },
    });
    expect(theirs.status).toBe(200);
  });

  test("more calls at once than the process has connections: all are answered", async () => {
    const calls = Array.from({ length: 60 }, (_, n) => send(randomUUID(), `at once ${n}`));
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(calls.map(() => 202));
  });

  test("a connector is connected once, however often the call is repeated at once", async () => {
    const account = world.sandbox.createBot({ name: "Twin", username: `t${Date.now()}_bot` });
    const key = randomUUID();
    const connectOnce = () =>
      call("post", "/v1/connectors", {
        body: { name: "Twin", botToken: account.token },
        headers: { "idempotency-key": key },
      });
    const answers = await Promise.all([connectOnce(), connectOnce(), connectOnce()]);
    const created = answers.filter(({ status }) => status === 201);
    expect(created.length).toBeGreaterThanOrEqual(1);
    // A twin that comes while the first is under way is told so, and finds the answer later.
    for (const { status } of answers) expect([201, 409]).toContain(status);
    const again = await connectOnce();
    expect(again.status).toBe(201);
    expect(again.body).toEqual(created[0]?.body);
    expect(again.text).not.toContain(account.token);
  });

  test("a key whose process died before it answered is free again soon", async () => {
    const account = world.sandbox.createBot({ name: "Half", username: `h${Date.now()}_bot` });
    const key = randomUUID();
    const connectOnce = () =>
      call("post", "/v1/connectors", {
        body: { name: "Half", botToken: account.token },
        headers: { "idempotency-key": key },
      });
    expect((await connectOnce()).status).toBe(201);
    const die = (age: string) =>
      world.system.db.query(
        `UPDATE idempotency_keys SET status = NULL, answer = NULL, created_at = now() - $2::interval
         WHERE key = $1`,
        [key, age],
      );
    await die("10 s");
    expectProblem(await connectOnce(), 409);
    await die("5 min");
    // The bot itself is connected by now, which is what the repeated call finds.
    const again = await connectOnce();
    expect(again.body.detail).not.toMatch(/under way/);
  });
});

describe("health", () => {
  test("alive, ready, and figures; without a key the integration says its status alone", async () => {
    expect((await call("get", "/healthz", { key: null })).status).toBe(200);
    expect((await call("get", "/readyz", { key: null })).body.status).toBe("ready");
    expect((await call("get", "/metrics", { key: null })).text).toContain("heliograph_lanes_held");
    const path = "/api/integrations/telegram/health";
    expect((await call("get", path, { key: null })).body).toEqual({ status: "ok" });
    expect((await call("get", path, { key: "hgk_wrong" })).body).toEqual({ status: "ok" });
    const own = (await call("get", path)).body;
    expect(own.connectors.map(({ id }: { id: string }) => id)).toContain(owned.connector);
    const theirs = (await call("get", path, { key: stranger.apiKey })).body;
    expect(theirs.connectors).toEqual([]);
  });

  test("answers carry no traces of the framework, and may not be framed or sniffed", async () => {
    const { headers } = await call("get", "/v1/connectors");
    expect(headers.get("x-powered-by")).toBeNull();
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });
});
