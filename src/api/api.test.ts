import { randomUUID } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { apiWorld, expectProblem } from "../../test/support/api-world.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createWorkspace } from "../connectors/index.ts";

const ADMIN = "the-administrator";
const world = apiWorld();
const { call, owned } = world;

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
    const { id, apiKey } = await createWorkspace(world.system().system.db, "Leaves");
    expect((await call("get", "/v1/connectors", { key: apiKey })).status).toBe(200);
    await world
      .system()
      .system.db.query("UPDATE api_keys SET revoked_at = now() WHERE workspace_id = $1", [id]);
    await waitFor(
      async () => (await call("get", "/v1/connectors", { key: apiKey })).status === 401,
      { timeoutMs: 1_000, what: "the refusal" },
    );
  });
});

describe("another workspace's ids", () => {
  const asStranger = (method: string, path: string, body?: unknown) =>
    call(method, path, { key: world.stranger().apiKey, body });

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

describe("lists", () => {
  test("page through everything once, by cursors", async () => {
    const { db } = world.system().system;
    await db.query(
      `INSERT INTO chats (workspace_id, connector_id, chat_id, type)
       SELECT $1, $2, 8000 + n, 'private' FROM generate_series(1, 25) n`,
      [world.system().workspaceId, owned.connector],
    );
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const page = await call("get", `/v1/connectors/${owned.connector}/chats?limit=10${from}`);
      expect(page.status).toBe(200);
      seen.push(...page.body.data.map(({ chatId }) => String(chatId)));
      cursor = page.body.nextCursor;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThanOrEqual(25);
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
    expect(own.connectors.map(({ id }) => id)).toContain(owned.connector);
    const theirs = (await call("get", path, { key: world.stranger().apiKey })).body;
    expect(theirs.connectors).toEqual([]);
  });

  test("answers carry no traces of the framework, and may not be framed or sniffed", async () => {
    const { headers } = await call("get", "/v1/connectors");
    expect(headers.get("x-powered-by")).toBeNull();
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });
});
