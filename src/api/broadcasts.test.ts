import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { type BroadcastFeeder, createBroadcastFeeder } from "../broadcasts/index.ts";
import { createWorkspace, type NewWorkspace } from "../connectors/index.ts";

let world: TestSystem;
let bot: TestBot;
let stranger: NewWorkspace;
let feeder: BroadcastFeeder;
const people: number[] = [];

interface Body {
  id: string;
  state: string;
  recipients: number;
  optedOut: number;
  counts: Record<string, number>;
  data: { id: string; chatId: string; state: string; tags: string[]; broadcastsAllowed: boolean }[];
  nextCursor: string | null;
  detail: string;
  errors: { path: string }[];
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

const LATER = new Date(Date.now() + 3_600_000).toISOString();
const create = (more: object, options = {}) =>
  call("POST", "/v1/broadcasts", { connectorId: bot.connectorId, text: "news", ...more }, options);
const chats = () => `/v1/connectors/${bot.connectorId}/chats`;
const textsOf = (chatId: number) =>
  world.sandbox.messages({ chatId, botId: bot.id }).map(({ text }) => text);
const actions = async (subjectId: string) =>
  (
    await world.system.db.query<{ action: string }>(
      "SELECT action FROM audit_entries WHERE subject_id = $1 ORDER BY id",
      [subjectId],
    )
  ).map(({ action }) => action);

beforeAll(async () => {
  world = await startTestSystem();
  bot = await world.connectBot();
  stranger = await createWorkspace(world.system.db, "Stranger");
  const { db, jobs, log } = world.system;
  feeder = createBroadcastFeeder({ db, jobs, log, everyMs: 50 });
  feeder.start();
  for (const firstName of ["Ada", "Bob", "Cleo"]) {
    const { id } = world.sandbox.createUser({ firstName });
    people.push(id);
    await world.sandbox.send({ chatId: id, botId: bot.id, from: id, text: "/start" });
  }
  await waitFor(async () => (await call("GET", chats())).body.data.length === 3);
});
afterAll(async () => {
  await feeder.stop();
  await world.close();
});

test("a segment gets the text, but for who said /stop; progress, recipients and looks are told", async () => {
  const [ada = 0, bob = 0] = people;
  for (const id of [ada, bob]) {
    expect((await call("PUT", `${chats()}/${id}/tags`, { tags: ["vip", "vip"] })).status).toBe(200);
  }
  await world.sandbox.send({ chatId: bob, botId: bot.id, from: bob, text: "/stop" });
  const isRefused = async () =>
    (await call("GET", chats())).body.data.find(({ chatId }) => chatId === String(bob))
      ?.broadcastsAllowed === false;
  await waitFor(isRefused, { what: "the refusal" });
  const { status, body } = await create({ segment: { tag: "vip", types: ["private"] } });
  expect([status, body]).toEqual([202, { id: expect.any(String), recipients: 2, optedOut: 1 }]);
  const path = `/v1/broadcasts/${body.id}`;
  const done = async () => {
    const { body: found } = await call("GET", path);
    return found.state === "done" && found;
  };
  expect((await waitFor(done, { what: "the broadcast" })).counts).toMatchObject({
    sent: 1,
    optedOut: 1,
    waiting: 0,
  });
  expect(textsOf(ada)).toContain("news");
  expect(textsOf(bob)).not.toContain("news");
  const recipients = await call("GET", `${path}/recipients?limit=1`);
  expect(recipients.body.data).toHaveLength(1);
  const next = `${path}/recipients?limit=1&cursor=${recipients.body.nextCursor}`;
  expect((await call("GET", next)).body.nextCursor).toBeNull();
  expect((await call("GET", `${next}&state=sent`)).status).toBe(400);
  expect((await call("GET", `${path}/recipients?state=sent`)).body.data).toEqual([
    { chatId: String(ada), state: "sent", messageId: expect.any(String) },
  ]);
  expect(await actions(body.id)).toEqual([
    "broadcast.created",
    ...Array(3).fill("broadcast.recipients_listed"),
  ]);
});

test("a look at it first: a message to oneself", async () => {
  const [ada = 0] = people;
  const preview = { connectorId: bot.connectorId, chatId: ada, text: "how is this?" };
  expect((await call("POST", "/v1/broadcasts/preview", preview)).status).toBe(202);
  await waitFor(() => textsOf(ada).includes("how is this?"), { what: "the preview" });
});

test("waits, goes on, ends; what cannot be is told; the newest is listed first", async () => {
  const first = (await create({ chatIds: ["1"], sendAt: LATER })).body.id;
  const { id } = (await create({ chatIds: ["1", 1, "2"], sendAt: LATER })).body;
  const act = (action: string, key?: string) =>
    call("POST", `/v1/broadcasts/${id}/${action}`, undefined, { key });
  const states = [];
  for (const action of ["pause", "resume", "cancel", "resume"]) {
    const { status, body } = await act(action);
    states.push([status, body.state ?? body.detail]);
  }
  expect(states).toEqual([
    [200, "paused"],
    [200, "scheduled"],
    [200, "cancelled"],
    [409, "A broadcast that is cancelled cannot be resumed."],
  ]);
  const list = await call("GET", "/v1/broadcasts?limit=1");
  expect(list.body.data).toMatchObject([{ id, recipients: 2, state: "cancelled" }]);
  const next = await call("GET", `/v1/broadcasts?limit=1&cursor=${list.body.nextCursor}`);
  expect(next.body.data).toMatchObject([{ id: first, state: "scheduled" }]);
  expect((await act("cancel", stranger.apiKey)).status).toBe(404);
  expect((await call("GET", `/v1/broadcasts/${randomUUID()}`)).status).toBe(404);
});

test("as many chats as it may have are more than a megabyte, and are taken once for a key", async () => {
  const chatIds = Array.from(
    { length: 60_000 },
    (_, n) => `-${1_000_000_000_000_000 + (n % 5_000)}`,
  );
  const headers = { "idempotency-key": randomUUID() };
  const many = { chatIds, sendAt: LATER };
  const { status, body } = await create(many, { headers });
  expect([status, body.recipients]).toEqual([202, 5_000]);
  expect(await create(many, { headers })).toEqual({ status, body });
  expect((await create({ ...many, text: "x" }, { headers })).status).toBe(422);
  const tooMany = Array.from({ length: 100_001 }, (_, n) => String(n + 1));
  expect((await create({ chatIds: tooMany })).status).toBe(400);
  const tooLong = await create({ chatIds, text: "x".repeat(4_000_000) });
  expect([tooLong.status, tooLong.body.detail]).toEqual([413, "A body has at most 4 MB here."]);
});

test.each<[object, string]>([
  [{}, "chatIds"],
  [{ chatIds: ["1"], segment: { tag: "x" } }, "chatIds"],
  [{ chatIds: [] }, "chatIds"],
  [{ chatIds: ["@channel"] }, "chatIds.0"],
  [{ chatIds: [0] }, "chatIds.0"],
  [{ segment: {} }, "segment"],
  [{ segment: { tag: " " } }, "segment.tag"],
  [{ segment: { lastSeenWithinDays: 0 } }, "segment.lastSeenWithinDays"],
  [{ segment: { types: ["all"] } }, "segment.types.0"],
  [{ chatIds: ["1"], text: " " }, "text"],
  [{ chatIds: ["1"], text: "<b>news", format: "html" }, "text"],
  [{ chatIds: ["1"], expiresAt: "2020-01-01T00:00:00Z" }, "expiresAt"],
  [{ chatIds: ["1"], replyTo: "1" }, ""],
])("POST /v1/broadcasts %j: 400 that names %j", async (more, path) => {
  const { status, body } = await create(more);
  expect([status, body.errors?.[0]?.path]).toEqual([400, path]);
});

test("a rule holds a broadcast as a whole: what is approved is what everybody gets", async () => {
  const [ada = 0, , cleo = 0] = people;
  const made = await call("POST", "/v1/keys", { name: "Approver", scopes: ["read", "approve"] });
  const key = (made.body as unknown as { apiKey: string }).apiKey;
  const conditions = { kinds: ["broadcast"] };
  const rule = await call("POST", "/v1/approval-rules", { name: "Bulk", conditions });
  const chatIds = [String(ada), String(cleo)];
  const [sent, dropped] = [await create({ chatIds }), await create({ chatIds })];
  const state = async (id: string) => (await call("GET", `/v1/broadcasts/${id}`)).body.state;
  expect(await state(sent.body.id)).toBe("awaiting_approval");
  const asked = (await call("GET", "/v1/approvals")).body.data as unknown as {
    messageId: string;
    broadcast: object;
  }[];
  expect(asked).toHaveLength(2);
  expect(asked.at(-1)?.broadcast).toEqual({ id: sent.body.id, recipients: 2, optedOut: 0 });
  expect((await call("POST", `/v1/broadcasts/${dropped.body.id}/cancel`)).status).toBe(200);
  const waiting = await call("GET", "/v1/approvals?state=waiting");
  const [one] = waiting.body.data as unknown as { messageId: string }[];
  expect(waiting.body.data).toHaveLength(1);
  const path = `/v1/approvals/${one?.messageId}`;
  const { version } = (await call("GET", path)).body as unknown as { version: string };
  const edit = { version, text: "better <b>news</b>", format: "html" };
  expect((await call("POST", `${path}/edit`, edit, { key })).status).toBe(200);
  await waitFor(async () => (await state(sent.body.id)) === "done", { what: "the broadcast" });
  for (const chatId of [ada, cleo]) {
    const [last] = world.sandbox.messages({ chatId, botId: bot.id }).slice(-1);
    expect(last).toMatchObject({ text: "better news", entities: [{ type: "bold" }] });
  }
  expect(await state(dropped.body.id)).toBe("cancelled");

  // Who refuses while it waits for an approval gets none.
  const { id } = (await create({ chatIds, text: "late" })).body;
  const [late] = (await call("GET", "/v1/approvals?state=waiting")).body.data as unknown as {
    messageId: string;
    version: string;
  }[];
  const consent = `${chats()}/${Math.min(ada, cleo)}/broadcasts`;
  expect((await call("PUT", consent, { allowed: false })).status).toBe(200);
  const lately = `/v1/approvals/${late?.messageId}/approve`;
  expect((await call("POST", lately, { version: late?.version }, { key })).status).toBe(200);
  await waitFor(async () => (await state(id)) === "done", { what: "the late broadcast" });
  const told = [ada, cleo].map((chatId) => textsOf(chatId).includes("late"));
  expect(told).toEqual([ada > cleo, cleo > ada]);
  const { counts } = (await call("GET", `/v1/broadcasts/${id}`)).body;
  expect(counts).toMatchObject({ failed: 1, sent: 1 });
  await call("PUT", consent, { allowed: true });
  await call("DELETE", `/v1/approval-rules/${rule.body.id}`);
});
