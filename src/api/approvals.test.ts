import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";

let world: TestSystem;
let bot: TestBot;
let chatId: number;
/** Of whoever approves; the workspace's first key submits. */
let approver = "";

interface Body {
  id: string;
  state: string;
  version: string;
  detail: string;
  apiKey: string;
  error?: string;
  message: Record<string, unknown>;
  data: Array<{ messageId: string; missing: number }>;
}

async function call(method: string, path: string, body?: unknown, key = world.apiKey) {
  const response = await fetch(world.url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      ...(path === "/v1/messages" ? { "idempotency-key": JSON.stringify(body).slice(0, 200) } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

beforeAll(async () => {
  world = await startTestSystem();
  bot = await world.connectBot();
  const ada = world.sandbox.createUser({ firstName: "Ada" });
  chatId = ada.id;
  await world.sandbox.send({ from: ada.id, chatId, botId: bot.id, text: "hello" });
  const made = await call("POST", "/v1/keys", { name: "Approver", scopes: ["read", "approve"] });
  approver = made.body.apiKey;
});
afterAll(() => world.close());

const submit = (text: string, more = {}) =>
  call("POST", "/v1/messages", { connectorId: bot.connectorId, chatId, text, ...more });
const approve = (id: string, version: string, key = approver) =>
  call("POST", `/v1/approvals/${id}/approve`, { version }, key);
const look = async (id: string) => (await call("GET", `/v1/approvals/${id}`)).body;
const ended = (id: string, state: string) =>
  waitFor(
    async () => {
      const { body } = await call("GET", `/v1/messages/${id}`);
      return body.state === state && body;
    },
    { what: `the message to be ${state}` },
  );

test("a rule is made, changed and removed; what it names must be the workspace's", async () => {
  const made = await call("POST", "/v1/approval-rules", {
    name: "Money",
    conditions: { words: ["invoice"], chatTypes: ["private"] },
  });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({ approvals: 1, expiresAfterS: 86_400, chat: null });
  const path = `/v1/approval-rules/${made.body.id}`;
  expect((await call("PATCH", path, { conditions: { words: ["?!"] } })).status).toBe(400);
  const unlinked = { chat: { connectorId: bot.connectorId, chatId: "-77" } };
  expect((await call("PATCH", path, unlinked)).status).toBe(404);
  expect((await call("PATCH", path, { approvals: 2 })).body).toMatchObject({
    name: "Money",
    approvals: 2,
    conditions: { words: ["invoice"] },
  });
  expect((await call("DELETE", path)).status).toBe(200);
  expect((await call("GET", path)).status).toBe(404);
});

test("a message waits, is looked at, approved by another key as it was seen, and sent so", async () => {
  await call("POST", "/v1/approval-rules", { name: "All", conditions: { kinds: ["message"] } });
  const { status, body } = await submit("An invoice");
  expect([status, body.state]).toEqual([202, "awaiting_approval"]);
  expect((await submit("An invoice")).body).toEqual(body);
  expect((await call("GET", "/v1/approvals")).body.data).toMatchObject([
    { messageId: body.id, missing: 1 },
  ]);
  const { version, message } = await look(body.id);
  expect(message).toMatchObject({ text: "An invoice", chatId: String(chatId) });
  const own = await approve(body.id, version, world.apiKey);
  expect([own.status, own.body.detail]).toEqual([403, expect.stringContaining("submitted")]);
  expect((await approve(body.id, "f".repeat(64))).status).toBe(409);
  expect((await approve(body.id, version)).body).toMatchObject({ state: "approved", missing: 0 });
  await ended(body.id, "sent");
  expect(world.sandbox.messages({ chatId, botId: bot.id }).at(-1)?.text).toBe("An invoice");
  expect((await approve(body.id, version)).status).toBe(409);
  expect((await look(body.id)).version).toBe(version);
});

test("what Telegram refuses as it was approved goes out in no other way", async () => {
  const { body } = await submit("Some <b>bold</b> words", { format: "html" });
  const description = "Bad Request: can't parse entities: at byte offset 5";
  world.sandbox.fault({
    botId: bot.id,
    method: "sendMessage",
    answer: { status: 400, error_code: 400, description },
  });
  await approve(body.id, (await look(body.id)).version);
  expect((await ended(body.id, "failed")).error).toContain("can't parse entities");
});

test("an edit must fit the bot, and is sent; a rejection's reason is read", async () => {
  await call("PATCH", `/v1/connectors/${bot.connectorId}`, { maxMessageLength: 30 });
  const [edited, rejected] = [await submit("first"), await submit("second")];
  const { version } = await look(edited.body.id);
  const edit = (text: string) =>
    call("POST", `/v1/approvals/${edited.body.id}/edit`, { version, text }, approver);
  expect((await edit("x".repeat(3_001))).status).toBe(400);
  expect((await edit("better")).body).toMatchObject({ state: "approved" });
  await ended(edited.body.id, "sent");
  const seen = await look(rejected.body.id);
  const reject = { version: seen.version, reason: "too blunt" };
  await call("POST", `/v1/approvals/${rejected.body.id}/reject`, reject, approver);
  expect((await ended(rejected.body.id, "rejected")).error).toBe("Rejected: too blunt");
  const texts = world.sandbox.messages({ chatId, botId: bot.id }).map(({ text }) => text);
  expect([texts.includes("better"), texts.includes("first"), texts.includes("second")]).toEqual([
    true,
    false,
    false,
  ]);
});

test("approved as bulk it does not become critical, where that takes two", async () => {
  await call("POST", "/v1/approval-rules", {
    name: "Critical",
    conditions: { priorities: ["critical"] },
    approvals: 2,
  });
  const sendAt = new Date(Date.now() + 3_600_000).toISOString();
  const { body } = await submit("later", { priority: "low", sendAt });
  await approve(body.id, (await look(body.id)).version);
  const raise = (priority: string) => call("PATCH", `/v1/messages/${body.id}`, { priority });
  expect((await raise("critical")).status).toBe(409);
  expect((await raise("high")).body).toMatchObject({ state: "queued" });
});

test("an editor's text must go with what is sent beside it", async () => {
  const file = { fileId: "AgAC" };
  const content = { type: "photo", file };
  const { body } = await submit("a caption", { content });
  const { version } = await look(body.id);
  const edit = (text: string) =>
    call("POST", `/v1/approvals/${body.id}/edit`, { version, text }, approver);
  expect((await edit("x".repeat(1_025))).status).toBe(400);
  const forward = { type: "forward", fromChatId: chatId, telegramMessageId: "1" };
  const forwarded = await call("POST", "/v1/messages", {
    connectorId: bot.connectorId,
    chatId,
    content: forward,
  });
  const seen = await look(forwarded.body.id);
  const said = { version: seen.version, text: "words of mine" };
  const path = `/v1/approvals/${forwarded.body.id}/edit`;
  expect((await call("POST", path, said, approver)).status).toBe(400);
});

test("approvers are asked in their group, and a press there sends it; a forged one does not", async () => {
  const { sandbox } = world;
  const ada = sandbox.createUser({ firstName: "Ada" });
  const group = sandbox.createChat({
    type: "group",
    title: "Approvers",
    memberIds: [ada.id, bot.id],
  });
  await call("PUT", `/v1/connectors/${bot.connectorId}/chats/${group.id}`, { linked: true });
  const person = await call("POST", "/v1/people", { name: "Ada Lovelace" });
  await world.system.db.query(
    "UPDATE people SET telegram_user_id = $2, bound_at = now() WHERE id = $1",
    [person.body.id, ada.id],
  );
  const rule = await call("POST", "/v1/approval-rules", {
    name: "In the group",
    conditions: { words: ["group"] },
    expiresAfterS: 60,
    personIds: [person.body.id],
    chat: { connectorId: bot.connectorId, chatId: String(group.id) },
  });
  expect(rule.status).toBe(201);
  const { body } = await submit("ask the group");
  const heard = (start: string) =>
    waitFor(
      () => sandbox.messages({ chatId: group.id }).find(({ text }) => text?.startsWith(start)),
      {
        what: `the group to hear: ${start}`,
      },
    );
  const notice = await heard("Approval is needed: In the group");
  const { inline_keyboard: keyboard } = notice.reply_markup as {
    inline_keyboard: Array<Array<{ callback_data: string }>>;
  };
  const [data = ""] = keyboard.flat().map(({ callback_data }) => callback_data);
  const pressing = { chatId: group.id, from: ada.id, messageId: notice.message_id };
  const answers = () =>
    sandbox.record
      .callsOf("answerCallbackQuery", bot.id)
      .map(({ params }) => (params as { text?: string }).text);
  // Nobody makes it say something else, nor puts its button under other words.
  const chat = { connectorId: bot.connectorId, chatId: group.id };
  const sent = await call("GET", `/v1/messages?chatId=${group.id}`);
  const [{ id: messageId } = { id: "" }] = sent.body.data as unknown as Array<{ id: string }>;
  const retold = { ...chat, text: "Lunch?", content: { type: "edit", messageId } };
  expect((await call("POST", "/v1/messages", retold)).status).toBe(409);
  const lure = { ...chat, text: "Lunch?", buttons: [[{ text: "Yes", data }]] };
  expect((await call("POST", "/v1/messages", lure)).status).toBe(400);
  sandbox.pressButton({ ...pressing, data: `approval:${"A".repeat(22)}`, forge: true });
  await waitFor(() => answers().length === 1, { what: "the forged press to be answered" });
  expect((await call("GET", `/v1/messages/${body.id}`)).body.state).toBe("awaiting_approval");
  sandbox.pressButton({ ...pressing, data });
  await ended(body.id, "sent");
  const told = await heard("Approved by Ada Lovelace.");
  expect(told.reply_to_message?.message_id).toBe(notice.message_id);
  await waitFor(() => answers().length === 2, { what: "the press to be answered" });
  expect(answers()).toEqual(["This button is not valid.", "Approved: it is on its way."]);
});
