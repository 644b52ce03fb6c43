import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { pageOf, post, sessionCookie, TOKEN } from "../../test/support/console.ts";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { webServer } from "../../workers/web.ts";
import { SESSION_COOKIE, SESSION_MS } from "./session.ts";

describe("the console's door", () => {
  let world: TestSystem;
  beforeAll(async () => {
    world = await startTestSystem({ pools: false });
  });
  afterAll(() => world.close());
  const signIn = (token: string, more: Record<string, string> = {}, headers = {}) =>
    pageOf(world.url, "")("/console/sign-in", {
      method: "POST",
      body: new URLSearchParams({ token, ...more }),
      headers,
    });

  test("without a session there is the sign-in page, and no data", async () => {
    const page = pageOf(world.url, "");
    for (const path of ["/console", "/console/jobs/1?x=1", "/console/queues"]) {
      const answer = await page(path);
      expect(answer.status).toBe(303);
      expect(answer.headers.get("location")).toBe(
        `/console/sign-in?next=${encodeURIComponent(path)}`,
      );
    }
    for (const path of ["/console/api/jobs", "/console/api/events?topic=queues"]) {
      expect((await page(path, { headers: { accept: "*/*" } })).status).toBe(303);
      const asData = await page(path, { headers: { accept: "application/json" } });
      expect(asData.status).toBe(401);
    }
    expect(await (await page("/console/api/session")).json()).toEqual({ endMs: null });
    expect((await post(page, "/console/api/jobs/1/retry")).status).toBe(401);
    expect((await page("/console/queues/api/queues", { headers: { accept: "*/*" } })).status).toBe(
      303,
    );
  });

  test("the token opens it; what the browser keeps is a session, not the token", async () => {
    const answer = await signIn(` ${TOKEN}\n`, { next: "/console/jobs?queue=ingest" });
    expect(answer.status).toBe(303);
    expect(answer.headers.get("location")).toBe("/console/jobs?queue=ingest");
    const cookie = answer.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/; Path=\/console; Max-Age=28800; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(TOKEN);
    const page = pageOf(world.url, cookie.split(";")[0]);
    const opened = await page("/console");
    expect(opened.status).toBe(200);
    const policy = opened.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self' 'sha256-");
    expect(policy).not.toContain("unsafe");
    const left = await page("/console/sign-out", { method: "POST" });
    expect(left.headers.get("set-cookie")).toMatch(/^heliograph_console=; .*Max-Age=0/);
  });

  test("behind TLS the cookie is for TLS only", async () => {
    const answer = await signIn(TOKEN, {}, { "x-forwarded-proto": "https" });
    expect(answer.headers.get("set-cookie")).toMatch(/; Secure$/);
  });

  test("nobody is sent elsewhere after signing in", async () => {
    for (const next of [
      "https://evil.example",
      "//evil.example",
      "/\\evil",
      "/v1/jobs",
      "/console/../x\r\ny:1",
    ]) {
      const answer = await signIn(TOKEN, { next });
      expect(answer.headers.get("location")).toBe("/console");
    }
  });

  test("a session that ended, of another token, or made up is none; nor is a workspace's key", async () => {
    const bad = [
      sessionCookie(TOKEN, Date.now() - SESSION_MS),
      sessionCookie("another token"),
      `${SESSION_COOKIE}=${TOKEN}`,
      `${SESSION_COOKIE}=${world.apiKey}`,
    ];
    for (const cookie of bad) {
      const page = pageOf(world.url, cookie);
      expect((await page("/console")).status).toBe(303);
      expect(
        (await page("/console/api/jobs", { headers: { accept: "application/json" } })).status,
      ).toBe(401);
    }
    const withKey = await pageOf(world.url, "")("/console/api/jobs", {
      headers: { accept: "application/json", authorization: `Bearer ${world.apiKey}` },
    });
    expect(withKey.status).toBe(401);
    expect((await signIn(world.apiKey)).status).toBe(401);
  });

  test("what changes something is taken from the console's own pages only", async () => {
    const page = pageOf(world.url);
    const foreign: Record<string, string>[] = [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "none" },
    ];
    for (const headers of foreign) {
      expect((await post(page, "/console/api/jobs/1/retry", {}, headers)).status).toBe(403);
      expect((await page("/console/sign-out", { method: "POST", headers })).status).toBe(403);
      expect((await signIn(TOKEN, {}, headers)).status).toBe(403);
    }
    expect((await post(page, "/console/api/jobs/1/retry")).status).toBe(409);
  });

  test("a session outlives the process that gave it, and holds in another", async () => {
    const page = pageOf(world.url);
    const second = webServer(world.system);
    const port = await second.listen(0, "127.0.0.1");
    expect((await pageOf(`http://127.0.0.1:${port}`)("/console")).status).toBe(200);
    expect((await page("/console")).status).toBe(200);
    await second.close(500);
  });

  test("a server that stops does not wait for the pages that are open", async () => {
    const second = webServer(world.system);
    const port = await second.listen(0, "127.0.0.1");
    const page = pageOf(`http://127.0.0.1:${port}`);
    const stream = await page("/console/api/events?topic=queues");
    const closed = second.close(60_000);
    await stream.text();
    await closed;
  });

  test("without an administrator's token it says how to set one, and lets nobody in", async () => {
    const { adminToken: _none, ...config } = world.system.config;
    const second = webServer({ ...world.system, config });
    const port = await second.listen(0, "127.0.0.1");
    const page = pageOf(`http://127.0.0.1:${port}`, sessionCookie(""));
    for (const path of ["/console", "/console/sign-in", "/console/queues"]) {
      const answer = await page(path);
      expect(answer.status).toBe(503);
      expect(await answer.text()).toContain("ADMIN_TOKEN");
    }
    const tried = await page("/console/sign-in", {
      method: "POST",
      body: new URLSearchParams({ token: "" }),
    });
    expect(tried.status).toBe(503);
    expect(
      (await page("/console/api/jobs", { headers: { accept: "application/json" } })).status,
    ).toBe(401);
    await second.close(500);
  });

  test("a hundred wrong tokens: ten are told so, the others to wait; the right one is let in meanwhile", async () => {
    // Behind a proxy, which tells of an address that nobody else here has.
    const config = { ...world.system.config, trustedProxies: ["loopback"] };
    const second = webServer({ ...world.system, config });
    const port = await second.listen(0, "127.0.0.1");
    const page = pageOf(`http://127.0.0.1:${port}`, "");
    const attempt = (token: string) =>
      page("/console/sign-in", {
        method: "POST",
        body: new URLSearchParams({ token }),
        headers: { "x-forwarded-for": "192.0.2.7" },
      });
    const statuses: number[] = [];
    for (let n = 0; n < 100; n++) statuses.push((await attempt(`guess-${n}`)).status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(90);
    const refused = await attempt("guess-100");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    // From the same address.
    const operator = await attempt(TOKEN);
    expect(operator.status).toBe(303);
    expect(operator.headers.get("set-cookie")).toContain(SESSION_COOKIE);
    expect((await attempt("guess-101")).status).toBe(429);
    // Who is in stays in.
    expect((await pageOf(`http://127.0.0.1:${port}`)("/console")).status).toBe(200);
    await second.close(500);
  });
});
