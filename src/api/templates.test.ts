import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import type { TemplateView } from "../templates/index.ts";

let world: TestSystem;
let bot: TestBot;

interface Body extends TemplateView {
  id: string;
  state: string;
  data: TemplateView[];
  nextCursor: string | null;
  errors: { path: string; message: string }[];
  template: { name: string; version: number };
  text: string;
  entities: { type: string; offset: number; length: number }[];
  message?: { id: string; state: string };
}

async function call(method: string, path: string, body?: unknown, headers = {}) {
  const response = await fetch(world.url + path, {
    method,
    headers: {
      authorization: `Bearer ${world.apiKey}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

const save = (body: object, headers = {}) => call("POST", "/v1/templates", body, headers);
const send = (template: object, more = {}) =>
  call("POST", "/v1/messages", { connectorId: bot.connectorId, chatId: "5", template, ...more });
const row = async (id: string) =>
  (
    await world.system.db.query(
      `SELECT text, entities, link_preview, template, template_version FROM outbound_messages
       WHERE id = $1`,
      [id],
    )
  )[0];
const audited = (action: string, subjectId: string) =>
  world.system.db.query(
    "SELECT details FROM audit_entries WHERE action = $1 AND subject_id = $2 ORDER BY id",
    [action, subjectId],
  );

const GREETING = {
  name: "greeting",
  body: "Hello <b>{{who}}</b>{{#at}}, {{at}}{{/at}}",
  variables: { who: { type: "string" }, at: { type: "datetime", required: false } },
};

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  bot = await world.connectBot();
});
afterAll(() => world.close());

test("a template is saved in versions, used by its newest, and archived", async () => {
  const first = await save(GREETING);
  expect(first).toMatchObject({
    status: 201,
    body: { ...GREETING, version: 1, newestVersion: 1, builtIn: false, linkPreview: true },
  });
  expect(first.body.createdBy).toMatch(/^key:/);
  const second = await save({ ...GREETING, body: "Bye {{who}}{{#at}} {{at}}{{/at}}" });
  expect(second.body.version).toBe(2);
  expect(await audited("template.saved", "greeting")).toEqual([
    { details: { version: 1 } },
    { details: { version: 2 } },
  ]);
  expect((await call("GET", "/v1/templates/greeting")).body).toEqual(second.body);
  const old = (await call("GET", "/v1/templates/greeting?version=1")).body;
  expect(old).toEqual({ ...first.body, newestVersion: 2 });
  expect((await call("GET", "/v1/templates/greeting?version=3")).status).toBe(404);
  expect((await call("GET", "/v1/templates/greeting?version=0")).status).toBe(404);

  const use = { name: "greeting", variables: { who: "<i>Ada</i>" } };
  const newest = await send(use);
  expect(await row(newest.body.id)).toMatchObject({ text: "Bye <i>Ada</i>", template_version: 2 });
  const named = await send({ ...use, version: 1 });
  expect(await row(named.body.id)).toEqual({
    text: "Hello <i>Ada</i>",
    entities: [{ type: "bold", offset: 6, length: 10 }],
    link_preview: true,
    template: "greeting",
    template_version: 1,
  });
  const shown = await call("GET", `/v1/messages/${named.body.id}`);
  expect(shown.body.template).toEqual({ name: "greeting", version: 1 });

  const sendAt = new Date(Date.now() + 3_600_000).toISOString();
  const { id } = (await send(use, { sendAt })).body;
  await call("PATCH", `/v1/messages/${id}`, { priority: "low" });
  expect((await call("GET", `/v1/messages/${id}`)).body.template).toMatchObject({ version: 2 });
  await call("PATCH", `/v1/messages/${id}`, { text: "Nobody's template" });
  expect((await call("GET", `/v1/messages/${id}`)).body.template).toBeUndefined();
  const document = { type: "document", file: { fileId: "abc" } };
  const caption = await send(use, { content: document, linkPreview: false });
  expect(await row(caption.body.id)).toMatchObject({ text: "Bye <i>Ada</i>", link_preview: false });
  expect((await send(use, { content: { type: "chat-action", action: "typing" } })).status).toBe(
    400,
  );

  const bulk = { connectorId: bot.connectorId, chatIds: ["5", "6"], template: use };
  const broadcast = await call("POST", "/v1/broadcasts", bulk);
  const [kept] = await world.system.db.query("SELECT message FROM broadcasts WHERE id = $1", [
    broadcast.body.id,
  ]);
  const made = { text: "Bye <i>Ada</i>", entities: [], template: { name: "greeting", version: 2 } };
  expect(kept).toMatchObject({ message: made });
  expect((await call("POST", "/v1/broadcasts", { ...bulk, text: "too" })).status).toBe(400);

  const archived = await call("DELETE", "/v1/templates/greeting");
  expect(archived).toEqual({ status: 200, body: { archived: true } });
  expect(await audited("template.archived", "greeting")).toEqual([{ details: { version: 2 } }]);
  expect((await send(use)).status).toBe(404);
  expect((await send({ ...use, version: 1 })).status).toBe(404);
  expect((await call("DELETE", "/v1/templates/greeting")).status).toBe(404);
  expect((await call("GET", "/v1/templates/greeting")).body.archivedAt).toMatch(/^20/);
  expect((await save(GREETING)).body).toMatchObject({ version: 3, archivedAt: null });
  expect((await send(use)).status).toBe(202);
});

test("versions that are saved at once have numbers of their own; one key saves one", async () => {
  const name = "at_once";
  const all = await Promise.all([1, 2, 3, 4].map((n) => save({ name, body: `Number ${n}` })));
  expect(all.map(({ body }) => body.version).sort()).toEqual([1, 2, 3, 4]);
  const headers = { "idempotency-key": randomUUID() };
  const twice = await Promise.all([1, 2].map(() => save({ name, body: "Once" }, headers)));
  expect(twice.map(({ body }) => body.version)).toEqual([5, 5]);
});

test("what is wrong with a template is told by line, and it is not saved", async () => {
  const { status, body } = await save({
    ...GREETING,
    name: "wrong",
    body: "Hello\n{{whom}} {{who}}",
  });
  expect([status, body.errors]).toEqual([
    400,
    [
      { path: "variables.at", message: "is not used in the body" },
      { path: "body", message: "line 2, column 1: there is no variable called whom" },
    ],
  ]);
  for (const wrong of [
    { name: "Wrong" },
    { timeZone: "Mars/Phobos" },
    { variables: { who: { type: "regex" } } },
    { variables: { __who: { type: "string" } } },
    { body: "" },
    { format: "plain" },
  ]) {
    expect((await save({ ...GREETING, name: "wrong", ...wrong })).status).toBe(400);
  }
  expect((await call("GET", "/v1/templates/wrong")).status).toBe(404);
});

test("values that are missing or wrong are told by their path, and nothing is sent", async () => {
  const variables = { at: "now", more: "x" };
  const { status, body } = await send({ name: "alert", variables: { ...variables, severity: 1 } });
  expect(status).toBe(400);
  expect(body.errors.map(({ path }) => path).sort()).toEqual([
    "template.variables.at",
    "template.variables.description",
    "template.variables.more",
    "template.variables.severity",
    "template.variables.title",
  ]);
  const misnamed = await send({ name: "alert", variables: { dueDate: "2026-12-01" } });
  expect(misnamed.body.errors[0]?.message).toContain("as in due_date");
  const both = await send({ name: "alert", variables: {} }, { text: "and a text" });
  expect([both.status, both.body.errors[0]?.path]).toEqual([400, "text"]);
  const neither = await call("POST", "/v1/messages", { connectorId: bot.connectorId, chatId: "5" });
  expect(neither.status).toBe(400);
  expect((await send({ name: "no_such", variables: {} })).status).toBe(404);
});

test("the list has built-in templates and one's own, in the place of one of the same name", async () => {
  await save({ name: "alert", body: "Ours: {{title}}", variables: { title: { type: "string" } } });
  const listed: TemplateView[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const path: string = `/v1/templates?limit=2${cursor && `&cursor=${cursor}`}`;
    const { body } = await call("GET", path);
    listed.push(...body.data);
    cursor = body.nextCursor;
  }
  const names = listed.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
  expect(names).toEqual(expect.arrayContaining(["alert", "at_once", "report", "status_update"]));
  const builtIn = (name: string) => listed.find((one) => one.name === name)?.builtIn;
  expect([builtIn("alert"), builtIn("report")]).toEqual([false, true]);
  expect((await call("GET", "/v1/templates?cursor=nonsense")).status).toBe(400);
  expect((await call("GET", "/v1/templates/alert?version=0")).body.builtIn).toBe(true);

  expect((await call("DELETE", "/v1/templates/alert")).status).toBe(200);
  expect((await call("GET", "/v1/templates/alert")).body).toMatchObject({
    version: 0,
    builtIn: true,
  });
  expect((await call("DELETE", "/v1/templates/alert")).status).toBe(409);
});

test("a preview shows what would be said, and sends it where it is told to, once", async () => {
  const path = "/v1/templates/security_incident/preview";
  const variables = {
    severity: "critical",
    title: "Keys",
    description: "Leaked",
    detected_at: "2026-11-22T10:00:00Z",
  };
  const shown = await call("POST", path, { variables, timeZone: "Asia/Kolkata" });
  expect(shown).toMatchObject({
    status: 200,
    body: {
      template: { name: "security_incident", version: 0 },
      text: expect.stringContaining("22 Nov 2026, 15:30 UTC+5:30"),
      entities: [{ type: "bold" }],
      linkPreview: false,
    },
  });
  expect(shown.body.message).toBeUndefined();
  const patch = `/v1/workspaces/${world.workspaceId}`;
  const admin = { authorization: "Bearer the-administrator" };
  const changed = await call("PATCH", patch, { timeZone: "Asia/Tokyo" }, admin);
  expect(changed.body).toMatchObject({ id: world.workspaceId, timeZone: "Asia/Tokyo" });
  expect(await audited("workspace.updated", world.workspaceId)).toEqual([
    { details: { fields: ["timeZone"] } },
  ]);
  expect((await call("PATCH", patch, { timeZone: "UTC+25" }, admin)).status).toBe(400);

  const to = { variables, connectorId: bot.connectorId, chatId: "5" };
  const headers = { "idempotency-key": randomUUID() };
  const sent = await call("POST", path, to, headers);
  expect(sent.body.text).toContain("22 Nov 2026, 19:00 UTC+9");
  const { text, entities } = sent.body;
  expect(await row(sent.body.message?.id ?? "")).toMatchObject({
    text,
    entities,
    link_preview: false,
    template: "security_incident",
    template_version: 0,
  });
  await save({ name: "security_incident", body: "Now another" });
  expect(await call("POST", path, to, headers)).toEqual(sent);
  const wrong = await call("POST", path, to);
  expect(wrong.body.errors.map((one) => one.path)).toContain("variables.severity");
  expect((await call("POST", path, { connectorId: bot.connectorId })).status).toBe(400);
});
