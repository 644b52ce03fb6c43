import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { createWorkspace, type NewWorkspace } from "../connectors/index.ts";
import type { PersonView } from "../people/index.ts";

let world: TestSystem;
let bot: TestBot;
let stranger: NewWorkspace;

interface Body extends PersonView {
  data: PersonView[];
  nextCursor: string | null;
  url: string;
  token: string;
  code: string;
  command: string;
  expiresAt: string;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  { key = world.apiKey, headers = {} }: { key?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; body: Body }> {
  const response = await fetch(world.url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  bot = await world.connectBot();
  stranger = await createWorkspace(world.system.db, "Stranger");
});
afterAll(() => world.close());

const newPerson = async (name = "Ada") => (await call("POST", "/v1/people", { name })).body.id;
const bind = (id: string, userId: number) =>
  world.system.db.query("UPDATE people SET telegram_user_id = $2, bound_at = now() WHERE id = $1", [
    id,
    userId,
  ]);
const audited = async (action: string) =>
  world.system.db.query(
    `SELECT subject_id, details FROM audit_entries
     WHERE workspace_id = $1 AND action = $2 ORDER BY id DESC LIMIT 1`,
    [world.workspaceId, action],
  );

describe("people", () => {
  test("are added, changed, unbound and removed, each with its entry", async () => {
    const made = await call("POST", "/v1/people", { name: " Ada " });
    expect(made).toMatchObject({
      status: 201,
      body: { name: "Ada", agentEnabled: false, telegramUserId: null, boundAt: null },
    });
    const { id } = made.body;
    expect(await audited("person.created")).toEqual([{ subject_id: id, details: {} }]);
    await bind(id, 4_001);
    const changed = await call("PATCH", `/v1/people/${id}`, { agentEnabled: true });
    expect(changed.body).toMatchObject({ agentEnabled: true, telegramUserId: "4001" });
    const unbound = await call("PATCH", `/v1/people/${id}`, { telegramUserId: null });
    expect(unbound.body).toMatchObject({ name: "Ada", telegramUserId: null, boundAt: null });
    expect(await audited("person.updated")).toEqual([
      { subject_id: id, details: { fields: ["telegramUserId"] } },
    ]);
    expect((await call("GET", `/v1/people/${id}`)).body).toEqual(unbound.body);
    expect(await audited("people.listed")).toEqual([{ subject_id: id, details: { count: 1 } }]);
    await bind(id, 4_001);
    expect(await call("DELETE", `/v1/people/${id}`)).toEqual({
      status: 200,
      body: { removed: true },
    });
    expect(await audited("person.removed")).toEqual([
      { subject_id: id, details: { wasBound: true } },
    ]);
    for (const method of ["GET", "DELETE"]) {
      expect((await call(method, `/v1/people/${id}`)).status).toBe(404);
    }
    expect((await call("PATCH", `/v1/people/${id}`, { name: "B" })).status).toBe(404);
  });

  test("have a role, which is an employee's unless somebody says another", async () => {
    const { body } = await call("POST", "/v1/people", { name: "Ada", role: "officer" });
    expect(body.role).toBe("officer");
    const path = `/v1/people/${body.id}`;
    expect((await call("PATCH", path, { role: "auditor" })).body.role).toBe("auditor");
    expect((await call("PATCH", path, { name: "Eve" })).body.role).toBe("auditor");
    expect((await call("PATCH", path, { role: "king" })).status).toBe(400);
    expect((await call("POST", "/v1/people", { name: "Bob" })).body.role).toBe("employee");
  });

  test("page by id", async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => newPerson()));
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const path: string = `/v1/people?limit=2${cursor && `&cursor=${cursor}`}`;
      const { body } = await call("GET", path);
      seen.push(...body.data.map(({ id }) => id));
      cursor = body.nextCursor;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(ids));
    expect((await call("GET", "/v1/people?cursor=nonsense")).status).toBe(400);
  });

  test("are added once by one Idempotency-Key, also at the same time", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const add = () => call("POST", "/v1/people", { name: "Once" }, { headers });
    const answers = await Promise.all([add(), add(), add()]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const other = await call("POST", "/v1/people", { name: "Other" }, { headers });
    expect(other.status).toBe(422);
  });

  test.each([
    ["no name", { name: " " }],
    ["a long name", { name: "x".repeat(201) }],
    ["NUL", { name: "a\0b" }],
    ["an account that is claimed", { name: "A", telegramUserId: 5 }],
  ])("%s: 400", async (_, body) => {
    expect((await call("POST", "/v1/people", body)).status).toBe(400);
    const id = await newPerson();
    expect((await call("PATCH", `/v1/people/${id}`, body)).status).toBe(400);
  });
});

describe("a link", () => {
  test("is shown once, kept as a hash, and takes the place of the one before", async () => {
    const id = await newPerson();
    const { connectorId } = bot;
    const first = await call("POST", `/v1/people/${id}/link`, { connectorId });
    expect(first.status).toBe(201);
    const { url, token, expiresAt } = first.body;
    const { username } = await world.system.connectors
      .get(world.workspaceId, connectorId)
      .then((connector) => connector?.bot ?? { username: "" });
    expect(url).toBe(`https://t.me/${username}?start=${token}`);
    const hours = (Date.parse(expiresAt) - Date.now()) / 3_600_000;
    expect(Math.round(hours)).toBe(24);
    const second = await call("POST", `/v1/people/${id}/link`, { connectorId, expiresInHours: 1 });
    const rows = await world.system.db.query<{ row: string; same: boolean }>(
      `SELECT l::text AS row, token_hash = sha256($2::bytea) AS same FROM person_links l
       WHERE person_id = $1`,
      [id, Buffer.from(second.body.token)],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.same).toBe(true);
    expect(rows[0]?.row).not.toContain(second.body.token.slice(4));
    expect(await audited("person.link_created")).toEqual([
      { subject_id: id, details: { connectorId, expiresAt: second.body.expiresAt } },
    ]);
  });

  test.each([
    ["no connector", {}, 400],
    ["no time", { expiresInHours: 0 }, 400],
    ["more than a week", { expiresInHours: 169 }, 400],
    ["an unknown connector", { connectorId: randomUUID() }, 404],
  ])("%s", async (what, body, status) => {
    const id = await newPerson();
    const given = what === "no connector" ? body : { connectorId: bot.connectorId, ...body };
    expect((await call("POST", `/v1/people/${id}/link`, given)).status).toBe(status);
  });
});

describe("named people", () => {
  test("are named once, listed, and named no longer", async () => {
    const id = await newPerson("Grace");
    const path = `/v1/connectors/${bot.connectorId}/people`;
    for (const _ of [1, 2]) {
      expect(await call("PUT", `${path}/${id}`)).toEqual({ status: 200, body: { named: true } });
    }
    const entries = await world.system.db.query(
      "SELECT details FROM audit_entries WHERE action = 'connector.person_named'",
    );
    expect(entries).toEqual([{ details: { personId: id } }]);
    expect((await call("GET", path)).body.data).toMatchObject([{ id, name: "Grace" }]);
    expect((await call("DELETE", `${path}/${id}`)).body).toEqual({ named: false });
    expect((await call("DELETE", `${path}/${id}`)).status).toBe(404);
    expect((await call("GET", path)).body.data).toEqual([]);
    expect((await call("PUT", `${path}/${randomUUID()}`)).status).toBe(404);
  });
});

describe("a code", () => {
  test("is shown once, with the command to send, and kept as a hash", async () => {
    const path = `/v1/connectors/${bot.connectorId}/link-codes`;
    const { status, body } = await call("POST", path, { purpose: "support" });
    expect(status).toBe(201);
    expect(body.command).toBe(`/link ${body.code}`);
    expect(Math.round((Date.parse(body.expiresAt) - Date.now()) / 60_000)).toBe(30);
    const [row] = await world.system.db.query<{ row: string }>(
      "SELECT c::text AS row FROM chat_link_codes c WHERE workspace_id = $1",
      [world.workspaceId],
    );
    for (const form of [body.code, body.code.replaceAll("-", "")]) {
      expect(row?.row).not.toContain(form);
    }
    for (const wrong of [
      { purpose: "fun" },
      { expiresInMinutes: 0 },
      { expiresInMinutes: 1_441 },
    ]) {
      expect((await call("POST", path, wrong)).status).toBe(400);
    }
  });
});

describe("another workspace", () => {
  test("finds none of it, and changes nothing", async () => {
    const id = await newPerson();
    const connector = `/v1/connectors/${bot.connectorId}`;
    await call("PUT", `${connector}/people/${id}`);
    const theirs = (await call("POST", "/v1/people", { name: "T" }, { key: stranger.apiKey })).body
      .id;
    const calls: Array<[string, string, unknown?]> = [
      ["GET", `/v1/people/${id}`],
      ["PATCH", `/v1/people/${id}`, { name: "mine" }],
      ["DELETE", `/v1/people/${id}`],
      ["POST", `/v1/people/${id}/link`, { connectorId: bot.connectorId }],
      ["POST", `/v1/people/${theirs}/link`, { connectorId: bot.connectorId }],
      ["PUT", `${connector}/people/${id}`],
      ["PUT", `${connector}/people/${theirs}`],
      ["DELETE", `${connector}/people/${id}`],
      ["GET", `${connector}/people`],
      ["POST", `${connector}/link-codes`, {}],
    ];
    const before = (await call("GET", `${connector}/people`)).body;
    for (const [method, path, body] of calls) {
      const { status } = await call(method, path, body, { key: stranger.apiKey });
      expect([method, path, status]).toEqual([method, path, 404]);
    }
    const mine = await call("GET", "/v1/people", undefined, { key: stranger.apiKey });
    expect(mine.body.data.map((person) => person.id)).toEqual([theirs]);
    expect((await call("GET", `${connector}/people`)).body).toEqual(before);
  });
});
