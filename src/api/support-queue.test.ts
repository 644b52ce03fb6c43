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

let world: TestSystem;
let bot: TestBot;
let stranger: NewWorkspace;
let ada = 0;
/** Ada's conversation with the bot. */
let conversation = "";

interface Item {
  id: string;
  chatId: string;
  threadId?: string;
  contactId: string;
  accountId: string | null;
  status: string;
  assignee: string | null;
  version: number;
  state: string;
  direction: string;
  text: string;
  name: string;
  firstResponseMs?: number;
}
interface Body extends Item {
  data: Item[];
  nextCursor: string | null;
  detail: string;
  errors: Array<{ path: string }>;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  { key = world.apiKey, headers = {} }: { key?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; body: Body }> {
  const response = await fetch(world.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

const read = async (id = conversation) => (await call("GET", `/v1/conversations/${id}`)).body;
const patch = (body: unknown, id = conversation) => call("PATCH", `/v1/conversations/${id}`, body);
const reply = (body: unknown, id = conversation, headers = {}) =>
  call("POST", `/v1/conversations/${id}/messages`, body, { headers });
const entries = async (action: string) =>
  world.system.db.query<{ subject_id: string | null; details: object }>(
    "SELECT subject_id, details FROM audit_entries WHERE workspace_id = $1 AND action = $2 ORDER BY id DESC",
    [world.workspaceId, action],
  );

beforeAll(async () => {
  world = await startTestSystem();
  bot = await world.connectBot();
  stranger = await createWorkspace(world.system.db, "Stranger");
  ada = world.sandbox.createUser({ firstName: "Ada" }).id;
  await world.sandbox.send({ chatId: ada, botId: bot.id, from: ada, text: "where is my order?" });
  conversation = await waitFor(
    async () => (await call("GET", "/v1/conversations?status=open")).body.data[0]?.id,
  );
});
afterAll(() => world.close());

describe("a conversation in the queue", () => {
  test("an answer through the API reaches the customer, is waited after, and told in its events", async () => {
    // The acknowledgement has been sent by now, and answered nothing.
    await waitFor(async () => {
      const { body } = await call("GET", `/v1/conversations/${conversation}/messages`);
      return body.data.some(({ direction }) => direction === "out");
    });
    expect(await read()).toMatchObject({ status: "open" });
    const { status, body } = await reply({ text: "On its way" });
    expect([status, body]).toEqual([202, { id: expect.any(String), state: "queued" }]);
    await waitFor(async () => (await read()).status === "waiting", { what: "the answer" });
    expect((await read()).firstResponseMs).toBeGreaterThanOrEqual(0);
    expect(world.sandbox.messages({ chatId: ada, botId: bot.id }).at(-1)?.text).toBe("On its way");
    const events = (await call("GET", `/v1/conversations/${conversation}/events`)).body.data;
    expect(events).toMatchObject([
      { what: "status", from: "open", to: "waiting", by: { kind: "team", id: null } },
      { what: "firstResponse", elapsedMs: expect.any(Number) },
    ]);
    const [sent] = await world.system.db.query(
      "SELECT priority FROM jobs WHERE payload ->> 'messageId' = $1",
      [body.id],
    );
    expect(sent).toEqual({ priority: 2 });
    const [submitted] = await entries("message.submitted");
    expect(submitted?.details).toEqual({
      connectorId: bot.connectorId,
      conversationId: conversation,
    });
  });

  test("is handed over, snoozed, closed; each change by whoever holds the key", async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    expect((await patch({ assignee: "ada@desk" })).body).toMatchObject({ assignee: "ada@desk" });
    expect((await patch({ snoozedUntil: until })).body).toMatchObject({
      status: "snoozed",
      snoozedUntil: until,
    });
    const mine = `/v1/conversations?assignee=${encodeURIComponent("ada@desk")}`;
    expect((await call("GET", mine)).body.data.map(({ id }) => id)).toEqual([conversation]);
    const { version } = await read();
    expect((await patch({ status: "closed", version })).body).toMatchObject({ status: "closed" });
    const refused = await patch({ status: "open", version });
    expect([refused.status, refused.body.detail]).toEqual([
      409,
      expect.stringContaining("version"),
    ]);
    const log = JSON.stringify(await entries("conversation.updated"));
    expect(log).toContain('"fields":["status","snoozedUntil"]');
    expect(log).not.toContain("ada@desk");
    await world.sandbox.send({ chatId: ada, botId: bot.id, from: ada, text: "and now?" });
    await waitFor(async () => (await read()).status === "open", { what: "the reopening" });
    expect(await read()).toMatchObject({ reopens: 1, assignee: "ada@desk" });
  });

  test.each([
    [{ status: "done" }, "status"],
    [{ status: "snoozed" }, "status"],
    [{ status: "closed", snoozedUntil: "2099-01-01T00:00:00Z" }, "snoozedUntil"],
    [{ snoozedUntil: "2020-01-01T00:00:00Z" }, "snoozedUntil"],
    [{ snoozedUntil: "9999-01-01T00:00:00Z" }, "snoozedUntil"],
    [{ snoozedUntil: "tomorrow" }, "snoozedUntil"],
    [{ assignee: "" }, "assignee"],
    [{ assignee: "none" }, "assignee"],
    [{ assignee: "a\0b" }, "assignee"],
    [{ assignee: "x".repeat(201) }, "assignee"],
    [{ version: "1" }, "version"],
    [{ closed: true }, ""],
  ])("PATCH %j: 400 that names %s", async (body, path) => {
    const before = await read();
    const { status, body: told } = await patch(body);
    expect([status, told.errors?.[0]?.path]).toEqual([400, path]);
    expect(await read()).toEqual(before);
  });

  test.each([
    "status=done",
    "sort=oldest",
    "sort=waiting&status=closed",
    "assignee=",
    "accountId=1",
  ])("GET /v1/conversations?%s: 400", async (query) => {
    expect((await call("GET", `/v1/conversations?${query}`)).status).toBe(400);
  });
});

describe("a reply", () => {
  test("is taken once for an Idempotency-Key, in this conversation and none else", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const body = { text: "once", sendAt: later };
    const [first, second] = await Promise.all([1, 2].map(() => reply(body, conversation, headers)));
    expect(first?.body).toEqual(second?.body);
    expect((await reply({ ...body, text: "twice" }, conversation, headers)).status).toBe(422);
    expect((await reply({ text: " " })).status).toBe(400);
    expect((await reply({ text: "x", chatId: "1" })).status).toBe(400);
  });

  test("lands in the topic of a forum that it answers, and in the group that the group has become", async () => {
    const forum = world.sandbox.createChat({
      type: "supergroup",
      title: "Forum",
      memberIds: [ada, bot.id],
      topics: ["Orders", "Returns"],
    });
    const group = world.sandbox.createChat({ type: "group", title: "G", memberIds: [ada, bot.id] });
    for (const { id } of [forum, group]) {
      const link = `/v1/connectors/${bot.connectorId}/chats/${id}`;
      expect((await call("PUT", link, { linked: true, purpose: "support" })).status).toBe(200);
    }
    const threadId = forum.topics.Returns;
    await world.sandbox.send({ chatId: forum.id, from: ada, text: "broken", threadId });
    await world.sandbox.send({ chatId: group.id, from: ada, text: "hello" });
    const of = async (chatId: number) =>
      waitFor(
        async () =>
          (await call("GET", `/v1/conversations?status=open&chatId=${chatId}`)).body.data[0],
      );
    const topic = await of(forum.id);
    expect(topic).toMatchObject({ status: "open", threadId: String(threadId) });
    const { id } = await of(group.id);
    const newId = world.sandbox.migrate(group.id);
    await waitFor(async () => (await read(id)).chatId === String(newId), { what: "the migration" });
    expect((await reply({ text: "send it back" }, topic.id)).status).toBe(202);
    expect((await reply({ text: "hello to you" }, id)).status).toBe(202);
    for (const one of [topic.id, id]) {
      await waitFor(async () => (await read(one)).status === "waiting", { what: "the answer" });
    }
    expect(world.sandbox.messages({ chatId: forum.id }).at(-1)).toMatchObject({
      text: "send it back",
      message_thread_id: threadId,
    });
    expect(world.sandbox.messages({ chatId: newId }).at(-1)?.text).toBe("hello to you");
  });

  test("lands in the business account's conversation, in its name, and answers it", async () => {
    const owner = world.sandbox.createUser({ firstName: "Owner" }).id;
    const customer = world.sandbox.createUser({ firstName: "Customer" }).id;
    const connection = world.sandbox.connectBusiness({
      userId: owner,
      botId: bot.id,
      canReply: true,
    });
    const place = { chatId: customer, businessConnectionId: connection };
    await world.sandbox.send({ ...place, from: customer, text: "Open today?" });
    const found = `/v1/conversations?status=open&chatId=${customer}`;
    const id = await waitFor(async () => (await call("GET", found)).body.data[0]?.id);
    expect((await reply({ text: "Until six" }, id)).status).toBe(202);
    await waitFor(async () => (await read(id)).status === "waiting", { what: "the answer" });
    expect(world.sandbox.messages(place).at(-1)).toMatchObject({
      text: "Until six",
      from: { id: owner },
    });
  });

  test("in a conversation whose bot was disconnected: 409", async () => {
    const gone = await world.connectBot();
    const chatId = 7_700;
    expect(await deliver(world.url, gone, textUpdate(1, chatId, 1, "hello"))).toBe(200);
    const found = `/v1/conversations?connectorId=${gone.connectorId}`;
    const id = await waitFor(async () => (await call("GET", found)).body.data[0]?.id);
    expect((await call("DELETE", `/v1/connectors/${gone.connectorId}`)).status).toBe(200);
    expect((await reply({ text: "x" }, id)).status).toBe(409);
  });
});

describe("contacts and accounts", () => {
  test("an account made by its rules shows in the conversation; looks and changes are recorded", async () => {
    const made = await call("POST", "/v1/accounts", { name: " Acme " });
    expect([made.status, made.body.name]).toEqual([201, "Acme"]);
    const account = `/v1/accounts/${made.body.id}`;
    const { contactId } = await read();
    const contact = `/v1/contacts/${contactId}`;
    const ids = (await call("GET", "/v1/contacts?q=ad")).body.data.map(({ id }) => id);
    expect(ids).toContain(contactId);
    expect((await call("PATCH", contact, { domain: "ACME.example." })).body).toMatchObject({
      domain: "acme.example",
      accountId: null,
    });
    const rule = await call("POST", `${account}/rules`, { kind: "domain", domain: "acme.example" });
    expect(rule.status).toBe(201);
    expect((await call("GET", contact)).body.accountId).toBe(made.body.id);
    expect((await read()).accountId).toBe(made.body.id);
    const listed = await call("GET", `/v1/conversations?accountId=${made.body.id}&sort=waiting`);
    expect(listed.body.data.map(({ id }) => id)).toEqual([conversation]);
    const taken = await call("POST", `${account}/rules`, {
      kind: "domain",
      domain: "acme.example",
    });
    expect(taken.status).toBe(409);
    const chat = { kind: "chat", connectorId: bot.connectorId, chatId: String(ada) };
    expect((await call("POST", `${account}/rules`, chat)).status).toBe(201);
    expect((await call("GET", `${account}/rules`)).body.data).toHaveLength(2);
    expect((await call("DELETE", `${account}/rules/${rule.body.id}`)).status).toBe(200);
    expect((await call("PATCH", account, { name: "Acme Ltd" })).body.name).toBe("Acme Ltd");
    expect((await call("GET", "/v1/accounts")).body.data.map(({ name }) => name)).toEqual([
      "Acme Ltd",
    ]);
    expect((await call("DELETE", account)).status).toBe(200);
    expect((await call("GET", account)).status).toBe(404);
    expect((await read()).accountId).toBeNull();
    for (const action of [
      "account.created",
      "account.updated",
      "account.removed",
      "account.rule_added",
      "account.rule_removed",
      "contact.updated",
      "contact.viewed",
      "contacts.listed",
      "conversation.viewed",
    ]) {
      expect({ action, count: (await entries(action)).length }).not.toMatchObject({ count: 0 });
    }
    const log = JSON.stringify(await world.system.db.query("SELECT details FROM audit_entries"));
    for (const word of ["Acme", "acme", "Ada"]) expect(log).not.toContain(word);
  });

  test("response times are asked for by period", async () => {
    const { status, body } = await call("GET", "/v1/support/times");
    expect([status, body]).toEqual([
      200,
      expect.objectContaining({
        firstResponse: expect.objectContaining({ count: expect.any(Number) }),
      }),
    ]);
    const long = "/v1/support/times?from=2020-01-01T00:00:00Z";
    expect((await call("GET", long)).status).toBe(400);
  });

  test.each([
    ["PATCH", "/v1/contacts/1", { domain: "ada@example.com" }],
    ["PATCH", "/v1/contacts/1", { phone: "+1" }],
    ["GET", "/v1/contacts?q=", undefined],
    ["POST", "/v1/accounts", { name: " " }],
    ["POST", `/v1/accounts/${randomUUID()}/rules`, { kind: "domain", domain: "localhost" }],
    ["POST", `/v1/accounts/${randomUUID()}/rules`, { kind: "chat", chatId: "1" }],
    ["GET", "/v1/accounts/1", undefined],
  ])("%s %s %j: 400", async (method, path, body) => {
    expect((await call(method, path, body)).status).toBe(400);
  });
});

test("another workspace finds none of it, and its own ids are as unknown as nobody's", async () => {
  const { contactId } = await read();
  const account = (await call("POST", "/v1/accounts", { name: "Mine" })).body.id;
  const rule = { kind: "chat", connectorId: bot.connectorId, chatId: "5" };
  const made = (await call("POST", `/v1/accounts/${account}/rules`, rule)).body.id;
  const theirs = (await call("POST", "/v1/accounts", { name: "T" }, { key: stranger.apiKey })).body
    .id;
  const calls: Array<[string, string, unknown?]> = [
    ["GET", `/v1/conversations/${conversation}`],
    ["PATCH", `/v1/conversations/${conversation}`, { assignee: "me" }],
    ["GET", `/v1/conversations/${conversation}/events`],
    ["POST", `/v1/conversations/${conversation}/messages`, { text: "x" }],
    ["GET", `/v1/contacts/${contactId}`],
    ["PATCH", `/v1/contacts/${contactId}`, { domain: "example.com" }],
    ["GET", `/v1/accounts/${account}`],
    ["PATCH", `/v1/accounts/${account}`, { name: "Theirs" }],
    ["DELETE", `/v1/accounts/${account}`],
    ["GET", `/v1/accounts/${account}/rules`],
    ["POST", `/v1/accounts/${account}/rules`, { kind: "domain", domain: "example.com" }],
    ["POST", `/v1/accounts/${theirs}/rules`, rule],
    ["DELETE", `/v1/accounts/${account}/rules/${made}`],
    ["DELETE", `/v1/accounts/${theirs}/rules/${made}`],
  ];
  const before = [await read(), (await call("GET", `/v1/accounts/${account}/rules`)).body];
  for (const [method, path, body] of calls) {
    const { status } = await call(method, path, body, { key: stranger.apiKey });
    expect({ method, path, status }).toEqual({ method, path, status: 404 });
  }
  for (const list of [
    "/v1/contacts",
    "/v1/contacts?q=a",
    `/v1/conversations?accountId=${account}`,
  ]) {
    expect((await call("GET", list, undefined, { key: stranger.apiKey })).body.data).toEqual([]);
  }
  expect([await read(), (await call("GET", `/v1/accounts/${account}/rules`)).body]).toEqual(before);
});
