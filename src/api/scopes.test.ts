import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { type ApiKeyView, KEY_SCOPES, type KeyScope } from "../connectors/index.ts";
import { routes } from "./web-server.ts";

const ADMIN = "the-administrator";
const NOBODY = "00000000-0000-4000-8000-000000000000";

let world: TestSystem;
const keys = new Map<KeyScope, string>();

/** What answers of these calls hold, each some of it. */
interface Body {
  id: string;
  apiKey: string;
  detail: string;
  data: Array<Pick<ApiKeyView, "id" | "name" | "lastUsedAt">>;
}

async function call(
  method: string,
  path: string,
  key: string,
  body?: unknown,
): Promise<{ status: number; body: Body }> {
  const response = await fetch(world.url + path, {
    method: method.toUpperCase(),
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

const make = (key: string, more: object) => call("post", "/v1/keys", key, { name: "A", ...more });

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  for (const scope of KEY_SCOPES) {
    const { status, body } = await make(world.apiKey, { scopes: [scope] });
    expect(status).toBe(201);
    keys.set(scope, body.apiKey);
  }
});
afterAll(() => world.close());

/** A call with nothing in it: whoever may make it is told what is wrong with it, or that there is no such thing. */
const emptyCall = (route: (typeof routes)[number], key: string) => {
  const path = route.path.replace(":chatId", "-1").replace(/:\w+/g, NOBODY);
  return call(route.method, path, key, route.body === undefined ? undefined : { nonsense: true });
};

describe("a key may do what its scopes say, on every route there is", () => {
  test.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    "%s",
    async (_, route) => {
      if (route.auth !== "admin") expect(KEY_SCOPES).toContain(route.scope);
      for (const scope of KEY_SCOPES) {
        const { status, body } = await emptyCall(route, keys.get(scope) ?? "");
        if (route.auth === "admin") {
          expect([status, body.detail]).toEqual([
            403,
            "This call needs the administrator's token.",
          ]);
        } else if (scope === route.scope) {
          expect(status).not.toBe(403);
          expect(status).not.toBe(401);
        } else {
          const missing = `This call needs a key with the scope ${route.scope}; this one has ${scope}.`;
          expect([status, body.detail]).toEqual([403, missing]);
        }
      }
    },
  );

  test("what changes something needs another scope than reading, and OpenAPI says which", async () => {
    const description = await (await fetch(`${world.url}/openapi.json`)).json();
    const { paths } = description as {
      paths: Record<string, Record<string, { security: Array<{ bearer: string[] }> }>>;
    };
    for (const route of routes) {
      const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
      const needed = route.auth === "admin" ? "admin" : route.scope;
      expect(paths[path]?.[route.method]?.security).toEqual([{ bearer: [needed] }]);
      if (route.method !== "get") expect(needed).toMatch(/^(send|manage|approve|admin)$/);
    }
  });

  test("the health of the bots is for keys that read", async () => {
    const health = (scope: KeyScope) =>
      call("get", "/api/integrations/telegram/health", keys.get(scope) ?? "");
    expect((await health("send")).body).toEqual({ status: expect.any(String) });
    expect((await health("read")).body).toMatchObject({ connectors: [] });
  });
});

describe("keys", () => {
  test("the first key of a workspace has every scope and no end", async () => {
    const { body } = await call("get", "/v1/keys", world.apiKey);
    const first = body.data.find(({ name }) => name === "first key");
    expect(first).toMatchObject({ scopes: [...KEY_SCOPES], expiresAt: null });
    expect(first?.lastUsedAt).toMatch(/^20/);
    expect(JSON.stringify(body)).not.toContain("hgk_");
  });

  test("a key grants no more than it has: no scope, no longer life", async () => {
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const later = new Date(Date.now() + 7_200_000).toISOString();
    const { body } = await make(world.apiKey, { scopes: ["manage", "read"], expiresAt: soon });
    const { apiKey } = body;
    const lacks = await make(apiKey, { scopes: ["read", "send", "audit"], expiresAt: soon });
    expect([lacks.status, lacks.body.detail]).toEqual([
      403,
      "A key can only grant what it has; this one lacks send, audit.",
    ]);
    for (const more of [{}, { expiresAt: later }]) {
      const { status, body: told } = await make(apiKey, { scopes: ["read"], ...more });
      expect([status, told.detail]).toEqual([403, expect.stringContaining("cannot outlive")]);
    }
    expect((await make(apiKey, { scopes: ["read"], expiresAt: soon })).status).toBe(201);
  });

  test.each([
    ["no scope", { scopes: [] }],
    ["a scope that is none", { scopes: ["admin"] }],
    ["a scope twice", { scopes: ["read", "read"] }],
    ["an end that has passed", { scopes: ["read"], expiresAt: "2020-01-01T00:00:00Z" }],
    ["no name", { scopes: ["read"], name: "" }],
  ])("%s: 400", async (_, more) => {
    expect((await make(world.apiKey, more)).status).toBe(400);
  });

  test("a key that was revoked, or has expired, is refused within a second", async () => {
    const { body } = await make(world.apiKey, { scopes: ["read", "manage"] });
    const { id, apiKey } = body;
    const read = () => call("get", "/v1/connectors", apiKey);
    expect((await read()).status).toBe(200);
    expect((await call("delete", `/v1/keys/${id}`, world.apiKey)).body).toEqual({ revoked: true });
    // Before the processes have forgotten it, it grants nothing any more.
    expect([401, 403]).toContain((await make(apiKey, { scopes: ["read"] })).status);
    await waitFor(async () => (await read()).status === 401, { what: "the key to be refused" });
    expect((await call("delete", `/v1/keys/${id}`, world.apiKey)).status).toBe(404);

    const ends = (await make(world.apiKey, { scopes: ["read"] })).body;
    await world.system.db.query("UPDATE api_keys SET expires_at = now() WHERE id = $1", [ends.id]);
    expect((await call("get", "/v1/connectors", ends.apiKey)).status).toBe(401);
  });

  test("another workspace's keys: none to be seen, made or revoked", async () => {
    const made = await call("post", "/v1/workspaces", ADMIN, { name: "Other" });
    const other = made.body;
    const theirs = (await call("get", "/v1/keys", other.apiKey)).body.data[0]?.id;
    expect((await call("delete", `/v1/keys/${theirs}`, world.apiKey)).status).toBe(404);
    expect((await make(world.apiKey, { scopes: ["read"], workspaceId: other.id })).status).toBe(
      404,
    );
    expect((await call("get", `/v1/keys?workspaceId=${other.id}`, world.apiKey)).status).toBe(404);
    expect((await call("get", `/v1/audit?workspaceId=${other.id}`, world.apiKey)).status).toBe(404);
  });

  test("the administrator names the workspace", async () => {
    expect((await make(ADMIN, { scopes: ["audit"] })).status).toBe(400);
    expect((await make(ADMIN, { scopes: ["audit"], workspaceId: NOBODY })).status).toBe(404);
    const { workspaceId } = world;
    const { status, body } = await make(ADMIN, { scopes: ["audit"], workspaceId });
    expect(status).toBe(201);
    expect((await call("get", "/v1/audit", body.apiKey)).status).toBe(200);
    expect((await call("delete", `/v1/keys/${body.id}`, ADMIN)).status).toBe(200);
  });
});
