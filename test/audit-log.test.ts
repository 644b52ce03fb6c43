import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ListedEntry } from "../src/audit/index.ts";
import { pageOf, post, TOKEN } from "./support/console.ts";
import { deliver, startTestSystem, type TestBot, type TestSystem } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

const ADMIN = "the-administrator";
const LATER = new Date(Date.now() + 3_600_000).toISOString();
/** What the people of this test write, are called and search for. */
const PRIVATE = `private-${randomUUID()}`;

let world: TestSystem;
let bot: TestBot;
let keyId = "";

interface Body {
  id: string;
  data: ListedEntry[];
  nextCursor: string | null;
}

async function call(method: string, path: string, body?: unknown, key = world.apiKey) {
  const response = await fetch(world.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const requestId = response.headers.get("x-request-id");
  return { status: response.status, body: (await response.json()) as Body, requestId };
}

/** The newest entry of that action, without looking through the API. */
async function newest(action: string, workspaceId?: string) {
  const [row] = await world.system.db.query<Record<string, unknown>>(
    `SELECT actor_kind, actor_id, subject_kind, subject_id, details, request_id FROM audit_entries
     WHERE workspace_id = $1 AND action = $2 ORDER BY id DESC LIMIT 1`,
    [workspaceId ?? world.workspaceId, action],
  );
  return row;
}

const INSTALLATION = "00000000-0000-0000-0000-000000000000";
const byKey = () => ({ actor_kind: "api_key", actor_id: keyId });
const entries = async () =>
  (await world.system.db.query("SELECT 1 AS one FROM audit_entries")).length;

beforeAll(async () => {
  world = await startTestSystem();
  bot = await world.connectBot();
  const [key] = await world.system.db.query<{ id: string }>(
    "SELECT id FROM api_keys WHERE workspace_id = $1",
    [world.workspaceId],
  );
  keyId = key?.id ?? "";
});
afterAll(() => world.close());

describe("every change leaves an entry: who, what, and in which request", () => {
  test("workspaces, in their own log and in the installation's", async () => {
    const { body, requestId } = await call("POST", "/v1/workspaces", { name: PRIVATE }, ADMIN);
    const by = { actor_kind: "admin", actor_id: "api", request_id: requestId, details: {} };
    const created = { ...by, subject_kind: "workspace", subject_id: body.id };
    expect(await newest("workspace.created", INSTALLATION)).toEqual(created);
    expect(await newest("workspace.created", body.id)).toEqual(created);
    expect(await newest("key.created", body.id)).toMatchObject({ actor_kind: "admin" });
  });

  test("keys", async () => {
    const made = await call("POST", "/v1/keys", {
      name: PRIVATE,
      scopes: ["read", "audit"],
      expiresAt: LATER,
    });
    expect(await newest("key.created")).toEqual({
      ...byKey(),
      subject_kind: "api_key",
      subject_id: made.body.id,
      details: { scopes: ["read", "audit"], expiresAt: LATER },
      request_id: made.requestId,
    });
    const revoked = await call("DELETE", `/v1/keys/${made.body.id}`);
    expect(await newest("key.revoked")).toMatchObject({
      subject_id: made.body.id,
      request_id: revoked.requestId,
    });
    const before = await entries();
    expect((await call("DELETE", `/v1/keys/${made.body.id}`)).status).toBe(404);
    expect(await entries()).toBe(before);
  });

  test("connectors, from the connect to the end", async () => {
    const account = world.sandbox.createBot({ name: "B", username: `b${Date.now()}_bot` });
    const connected = await call("POST", "/v1/connectors", {
      name: PRIVATE,
      botToken: account.token,
    });
    expect(connected.status).toBe(201);
    const { id } = connected.body;
    for (const action of ["connector.added", "connector.connected"]) {
      expect(await newest(action)).toMatchObject({
        ...byKey(),
        subject_id: id,
        request_id: connected.requestId,
      });
    }
    await call("PATCH", `/v1/connectors/${id}`, { name: "B", description: PRIVATE });
    expect(await newest("connector.updated")).toMatchObject({
      ...byKey(),
      subject_id: id,
      details: { fields: ["name", "description"] },
    });
    await call("POST", `/v1/connectors/${id}/test`);
    expect(await newest("connector.tested")).toMatchObject({ ...byKey(), subject_id: id });
    const { token } = world.sandbox.revokeToken(account.id);
    const rotated = await call("POST", `/v1/connectors/${id}/token`, { botToken: token });
    expect(rotated.status).toBe(200);
    expect(await newest("connector.token_replaced")).toMatchObject({
      ...byKey(),
      subject_id: id,
      details: {},
    });
    await call("PUT", `/v1/connectors/${id}/chats/-1009`, { linked: true, purpose: "support" });
    expect(await newest("chat.linked")).toMatchObject({
      ...byKey(),
      subject_id: "-1009",
      details: { connectorId: id, purpose: "support" },
    });
    await call("PUT", `/v1/connectors/${id}/chats/-1009`, { linked: false });
    expect(await newest("chat.unlinked")).toMatchObject({ subject_id: "-1009" });
    const message = { connectorId: id, chatId: "76", text: PRIVATE, sendAt: LATER };
    await call("POST", "/v1/messages", message);
    await call("DELETE", `/v1/connectors/${id}`);
    expect(await newest("jobs.cancelled")).toMatchObject({
      ...byKey(),
      details: { count: 1, queue: "outbound", lane: id },
    });
    const removed = { ...byKey(), subject_id: id, details: { webhookRemoved: true } };
    expect(await newest("connector.removed")).toMatchObject(removed);
    const before = await entries();
    expect((await call("PATCH", `/v1/connectors/${id}`, { name: "C" })).status).toBe(404);
    expect(await entries()).toBe(before);
  });

  test("a connect that fails: begun and given up", async () => {
    const account = world.sandbox.createBot({ name: "F", username: `f${Date.now()}_bot` });
    const answer = { status: 400, error_code: 400, description: "Bad Request: bad webhook" };
    world.sandbox.fault({ botId: account.id, method: "setWebhook", answer });
    const { status } = await call("POST", "/v1/connectors", { name: "F", botToken: account.token });
    expect(status).toBe(502);
    const added = await newest("connector.added");
    expect(await newest("connector.abandoned")).toMatchObject({
      ...byKey(),
      subject_id: added?.subject_id,
    });
  });

  test("a message sent by API, once with its key; and jobs changed by hand, with the filter", async () => {
    const message = { connectorId: bot.connectorId, chatId: "77", text: PRIVATE, sendAt: LATER };
    const sent = await call("POST", "/v1/messages", message);
    expect(await newest("message.submitted")).toEqual({
      ...byKey(),
      subject_kind: "message",
      subject_id: sent.body.id,
      details: { connectorId: bot.connectorId },
      request_id: sent.requestId,
    });
    const filter = { connectorId: bot.connectorId, state: "scheduled", createdTo: LATER };
    await call("POST", "/v1/jobs/cancel", filter);
    expect(await newest("jobs.cancelled")).toMatchObject({
      ...byKey(),
      subject_kind: "job",
      subject_id: null,
      details: {
        count: 1,
        connectorId: bot.connectorId,
        states: ["scheduled"],
        createdTo: LATER,
      },
    });
    const [job] = await world.system.db.query<{ id: string }>(
      "SELECT id FROM jobs WHERE state = 'cancelled'",
    );
    await call("POST", `/v1/jobs/${job?.id}/retry`);
    expect(await newest("jobs.retried")).toMatchObject({ subject_id: job?.id });
    await call("POST", `/v1/jobs/${job?.id}/run-now`);
    // It may run by now; what was searched for is not kept.
    const before = await entries();
    await call("POST", "/v1/jobs/discard", { q: PRIVATE });
    await call("POST", "/v1/jobs/discard", { connectorId: randomUUID() });
    expect(await entries()).toBe(before);
  });

  test("queues and the console's sessions, in the installation's log", async () => {
    await call("POST", "/v1/queues/delivery/pause", {}, ADMIN);
    expect(await newest("queue.paused", INSTALLATION)).toMatchObject({
      actor_kind: "admin",
      actor_id: "api",
      subject_id: "delivery",
    });
    const opened = await pageOf(world.url, "")("/console/sign-in", {
      method: "POST",
      body: new URLSearchParams({ token: TOKEN }),
    });
    const page = pageOf(world.url, opened.headers.get("set-cookie")?.split(";")[0]);
    expect(await newest("console.signed_in", INSTALLATION)).toMatchObject({ actor_id: "console" });
    expect((await post(page, "/console/api/queues/delivery/resume")).status).toBe(200);
    expect(await newest("queue.resumed", INSTALLATION)).toMatchObject({
      actor_kind: "admin",
      actor_id: "console",
    });
    await page("/console/sign-out", { method: "POST" });
    expect(await newest("console.signed_out", INSTALLATION)).toMatchObject({ actor_id: "console" });
    const before = await entries();
    await pageOf(world.url, "")("/console/sign-out", { method: "POST" });
    expect(await entries()).toBe(before);
  });

  test("a job changed in the console, in its workspace's log", async () => {
    const message = { connectorId: bot.connectorId, chatId: "78", text: "x", sendAt: LATER };
    await call("POST", "/v1/messages", message);
    const [job] = await world.system.db.query<{ id: string }>(
      "SELECT id FROM jobs WHERE state = 'available' AND run_at > now() ORDER BY id DESC LIMIT 1",
    );
    const changed = await post(pageOf(world.url), `/console/api/jobs/${job?.id}/cancel`);
    expect(changed.status).toBe(200);
    expect(await newest("jobs.cancelled")).toMatchObject({
      actor_kind: "admin",
      actor_id: "console",
      subject_id: job?.id,
      details: { count: 1 },
    });
  });

  test("a linked group that becomes a supergroup: its link moves, and who moved it is Telegram's news", async () => {
    const chats = `/v1/connectors/${bot.connectorId}/chats`;
    await call("PUT", `${chats}/-501`, { linked: true });
    const move = (fromChatId: number, toChatId: number) => ({
      message_id: 1,
      date: 1_790_000_000,
      chat: { id: fromChatId, type: "group", title: PRIVATE },
      migrate_to_chat_id: toChatId,
    });
    const news = { update_id: 900_001, message: move(-501, -1_001_000_000_501) };
    expect(await deliver(world.url, bot, news)).toBe(200);
    expect(await newest("chat.link_moved")).toMatchObject({
      actor_kind: "system",
      subject_id: "-1001000000501",
      details: { connectorId: bot.connectorId, from: "-501" },
    });
    const before = await entries();
    const unlinked = { update_id: 900_002, message: move(-502, -1_001_000_000_502) };
    expect(await deliver(world.url, bot, unlinked)).toBe(200);
    expect(await entries()).toBe(before);
  });

  test("a token that Telegram refuses: the process that found out", async () => {
    const refused = await world.connectBot();
    world.sandbox.revokeToken(refused.id);
    const { connectorId } = refused;
    await call("POST", "/v1/messages", { connectorId, chatId: "79", text: "x" });
    const entry = await waitFor(() => newest("connector.disabled"), { timeoutMs: 15_000 });
    expect(entry).toMatchObject({
      actor_kind: "system",
      actor_id: "heliograph test",
      subject_id: connectorId,
      request_id: null,
    });
  });
});

describe("looks at people's data", () => {
  test("one entry a call, with what was asked for", async () => {
    const ada = world.sandbox.createUser({ firstName: "Ada", lastName: PRIVATE });
    await world.sandbox.send({ chatId: ada.id, botId: bot.id, from: ada.id, text: PRIVATE });
    const path = `/v1/conversations?connectorId=${bot.connectorId}&chatId=${ada.id}`;
    const { body } = await waitFor(async () => {
      const answer = await call("GET", path);
      return answer.body.data.length > 0 && answer;
    });
    expect(await newest("conversations.listed")).toMatchObject({
      ...byKey(),
      details: { connectorId: bot.connectorId, chatId: String(ada.id), count: 1 },
    });
    const before = await entries();
    const conversationId = body.data[0]?.id ?? "";
    await call("GET", `/v1/conversations/${conversationId}/messages`);
    expect(await newest("messages.listed")).toMatchObject({ subject_id: conversationId });
    await call("GET", `/v1/connectors/${bot.connectorId}/chats`);
    expect(await newest("chats.listed")).toMatchObject({ subject_id: bot.connectorId });
    expect(await entries()).toBe(before + 2);
  });
});

describe("what cannot be recorded does not take place", () => {
  const db = () => world.system.db;
  let job = "";
  let conversation = "";
  beforeAll(async () => {
    const [known] = await db().query<{ id: string }>("SELECT max(id) AS id FROM conversations");
    conversation = known?.id ?? "";
    const message = { connectorId: bot.connectorId, chatId: "80", text: "x", sendAt: LATER };
    await call("POST", "/v1/messages", message);
    const [row] = await db().query<{ id: string }>("SELECT max(id) AS id FROM jobs");
    job = row?.id ?? "";
    await world.owner.query(
      "ALTER TABLE audit_entries ADD CONSTRAINT no_room CHECK (false) NOT VALID",
    );
  });
  afterAll(async () => {
    await world.owner.query("ALTER TABLE audit_entries DROP CONSTRAINT no_room");
  });

  /** What the bot itself answers stands in the conversation a moment later: not when that was. */
  const state = async () => {
    const [row] = await db().query<{ state: string }>(
      `SELECT concat(
         (SELECT count(*) FROM workspaces), ' ', (SELECT count(*) FROM connectors), ' ',
         (SELECT count(*) FROM outbound_messages), ' ', (SELECT count(*) FROM jobs), ' ',
         (SELECT count(*) FROM people), ' ', (SELECT count(*) FROM chat_link_codes), ' ',
         (SELECT jsonb_agg(to_jsonb(k) - 'last_used_at' ORDER BY id) FROM api_keys k),
         (SELECT to_jsonb(c) FROM connectors c WHERE id = $1),
         (SELECT to_jsonb(c) - 'last_message_at' FROM conversations c WHERE id = $3),
         (SELECT count(*) FROM accounts), ' ',
         (SELECT to_jsonb(c) FROM chats c WHERE connector_id = $1 AND chat_id = -3),
         (SELECT to_jsonb(j) - 'filed' - 'shelf' FROM jobs j WHERE id = $2),
         (SELECT jsonb_agg(p ORDER BY queue) FROM paused_queues p)) AS state`,
      [bot.connectorId, job, conversation],
    );
    return row?.state;
  };
  const account = () =>
    world.sandbox.createBot({ name: "N", username: `n${randomUUID().slice(0, 8)}_bot` });
  const ofBot = () => `/v1/connectors/${bot.connectorId}`;

  const CALLS: Record<string, () => [string, string, unknown?, string?]> = {
    "a workspace": () => ["POST", "/v1/workspaces", { name: "N" }, ADMIN],
    "a key": () => ["POST", "/v1/keys", { name: "N", scopes: ["read"] }],
    "a key's end": () => ["DELETE", `/v1/keys/${keyId}`],
    "a connect": () => ["POST", "/v1/connectors", { name: "N", botToken: account().token }],
    "a connector's change": () => ["PATCH", ofBot(), { name: "N" }],
    "a link": () => ["PUT", `${ofBot()}/chats/-3`, { linked: true }],
    "a message": () => [
      "POST",
      "/v1/messages",
      { connectorId: bot.connectorId, chatId: "81", text: "x" },
    ],
    "a reply": () => ["POST", `/v1/conversations/${conversation}/messages`, { text: "x" }],
    "a conversation's change": () => [
      "PATCH",
      `/v1/conversations/${conversation}`,
      { status: "closed" },
    ],
    "an account": () => ["POST", "/v1/accounts", { name: "N" }],
    "a job's cancelling": () => ["POST", `/v1/jobs/${job}/cancel`],
    "a pause": () => ["POST", "/v1/queues/backfill/pause", {}, ADMIN],
    "a person": () => ["POST", "/v1/people", { name: "N" }],
    "a code for a group": () => ["POST", `${ofBot()}/link-codes`, {}],
    "a look at people": () => ["GET", "/v1/people"],
    "a look at chats": () => ["GET", `${ofBot()}/chats`],
    "a look at conversations": () => ["GET", "/v1/conversations"],
    "a look at contacts": () => ["GET", "/v1/contacts"],
    "a look at what happened": () => ["GET", `/v1/conversations/${conversation}/events`],
    "a look at the log": () => ["GET", "/v1/audit"],
  };

  test.each(Object.entries(CALLS))("%s", async (_, of) => {
    const before = await state();
    const { status, body } = await call(...of());
    expect(status).toBe(500);
    expect(body).not.toHaveProperty("data");
    expect(await state()).toBe(before);
  });

  test("nobody gets into the console", async () => {
    const opened = await pageOf(world.url, "")("/console/sign-in", {
      method: "POST",
      body: new URLSearchParams({ token: TOKEN }),
    });
    expect(opened.status).toBe(500);
    expect(opened.headers.get("set-cookie")).toBeNull();
  });
});

test("nothing that people wrote, named or searched for is in the log, nor a secret", async () => {
  const rows = await world.system.db.query<{ row: string }>(
    "SELECT e::text AS row FROM audit_entries e",
  );
  const log = rows.map(({ row }) => row).join("\n");
  expect(log).toContain(bot.connectorId);
  for (const secret of [PRIVATE, bot.token, bot.secret, world.apiKey.slice(4), ADMIN]) {
    expect(log).not.toContain(secret);
  }
});
