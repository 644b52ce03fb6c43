import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { WebServer } from "../src/api/index.ts";
import { webServer } from "../workers/web.ts";
import { type OwnRedis, startRedis } from "./support/redis.ts";
import { backends, needs } from "./support/requirements.ts";
import {
  deliver,
  rawRequest,
  startTestSystem,
  type TestBot,
  type TestSystem,
  textUpdate,
} from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/** Who cannot prove who they are, beside those who can, over HTTP. */

const UNKNOWN = `/webhooks/telegram/${"n".repeat(43)}`;
/** Not even looked up. */
const NO_KEY = "/webhooks/telegram/x";
const BUDGET = 60;
let nextId = 1;

/** A request with a wrong secret; its status, and in how many seconds another may come. */
async function wrong(url: string, path: string, forwardedFor?: string) {
  const headers = {
    "content-type": "application/json",
    "x-telegram-bot-api-secret-token": "wrong",
    ...(forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }),
  };
  const answer = await rawRequest(url + path, { headers }, "{}");
  return { status: answer.status, retryAfter: answer.headers["retry-after"] };
}

async function statuses(most: number, send: (n: number) => Promise<{ status: number }>) {
  const seen: number[] = [];
  for (let n = 0; n < most; n++) seen.push((await send(n)).status);
  return seen;
}

const count = (seen: number[], status: number) => seen.filter((each) => each === status).length;
const honest = (url: string, bot: TestBot) =>
  deliver(url, bot, textUpdate(nextId++, 77, nextId, "hello"));

describe.each(backends)("a flood on $name", ({ redisUrl }) => {
  let world: TestSystem;
  let bot: TestBot;
  let other: { server: WebServer; url: string };
  /** A web process that believes the proxy before it. */
  let proxied: { server: WebServer; url: string };
  beforeAll(async () => {
    world = await startTestSystem({ redisUrl, pools: false });
    bot = await world.connectBot();
    other = await startWeb([]);
    proxied = await startWeb(["loopback"]);
  });
  afterAll(async () => {
    await Promise.all([other.server.close(500), proxied.server.close(500)]);
    await world.close();
  });

  async function startWeb(trustedProxies: string[]) {
    const config = { ...world.system.config, trustedProxies };
    const server = webServer({ ...world.system, config }, { watch: false });
    return { server, url: `http://127.0.0.1:${await server.listen(0, "127.0.0.1")}` };
  }

  test("wrong secrets are told so, then to wait, by whichever process; the right one never is", async () => {
    const seen = await statuses(BUDGET + 20, async (n) => {
      const url = n % 2 === 0 ? world.url : other.url;
      if (n % 10 === 0) expect(await honest(url, bot)).toBe(200);
      return wrong(url, bot.webhookPath);
    });
    expect(count(seen, 401)).toBe(BUDGET);
    expect(count(seen, 429)).toBe(20);
    const { status, retryAfter } = await wrong(other.url, bot.webhookPath);
    expect(status).toBe(429);
    expect(retryAfter).toMatch(/^([1-9]|[1-5]\d|60)$/);
    for (const url of [world.url, other.url]) expect(await honest(url, bot)).toBe(200);
  });

  test("who is told to wait is told so for unknown keys, too, and whatever it says of its address", async () => {
    await waitFor(async () => (await wrong(world.url, NO_KEY)).status === 429, {
      intervalMs: 0,
      what: "the budget to be used up",
    });
    expect((await wrong(world.url, UNKNOWN)).status).toBe(429);
    const spoofed = await statuses(5, (n) => wrong(world.url, UNKNOWN, `203.0.113.${n}`));
    expect(count(spoofed, 429)).toBe(5);
  });

  test("a connector that was never looked up here is found for its own bot", async () => {
    const fresh = await world.connectBot();
    expect(await honest(other.url, fresh)).toBe(200);
  });

  test("a refusal does not wait for the body", async () => {
    const { hostname, port } = new URL(world.url);
    const socket = connect(Number(port), hostname);
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    socket.write(`POST ${UNKNOWN} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{`);
    await waitFor(() => answer.startsWith("HTTP/1.1 429"), { what: "the refusal" });
    socket.destroy();
  });

  test("behind a trusted proxy it is the client that is counted, and not what the client claims", async () => {
    // The proxy's own address has used up its budget; its clients have not.
    const seen = await statuses(BUDGET + 5, (n) =>
      wrong(proxied.url, NO_KEY, `198.51.100.${n}, 203.0.113.7`),
    );
    expect(count(seen, 404)).toBe(BUDGET);
    expect(count(seen, 429)).toBe(5);
    expect((await wrong(proxied.url, UNKNOWN, "203.0.113.8")).status).toBe(404);
  });

  test("a connector's budget is used up from many addresses; its own bot does not notice", async () => {
    const target = await world.connectBot();
    const from = (n: number) => wrong(proxied.url, target.webhookPath, `192.0.2.${n}`);
    const seen = await statuses(125, from);
    expect(count(seen, 401)).toBe(120);
    expect(count(seen, 429)).toBe(5);
    expect(await honest(proxied.url, target)).toBe(200);
    const { webhookPath } = await world.connectBot();
    expect((await wrong(proxied.url, webhookPath, "192.0.2.200")).status).toBe(401);
  });

  test("metrics tell of it", async () => {
    const text = await world.system.metrics.text();
    expect(text).toMatch(/webhook_requests_total\{result="too many failures"\} [1-9]/);
    expect(text).toMatch(/failures_limited_total\{entrance="webhook",budget="network"\} [1-9]/);
    expect(text).toMatch(/failures_limited_total\{entrance="webhook",budget="target"\} [1-9]/);
  });
});

needs("redis-server")("a flood while Redis is away", () => {
  let redis: OwnRedis;
  let world: TestSystem;
  beforeAll(async () => {
    redis = await startRedis();
    world = await startTestSystem({ redisUrl: redis.url, pools: false });
  });
  afterAll(async () => {
    await world.close();
    await redis.stop();
  });

  test("wrong secrets are limited by each process; updates are accepted", async () => {
    const bot = await world.connectBot();
    await redis.stop();
    const seen = await statuses(BUDGET + 5, () => wrong(world.url, NO_KEY));
    expect(count(seen, 404)).toBe(BUDGET);
    expect(count(seen, 429)).toBe(5);
    expect(await honest(world.url, bot)).toBe(200);
  });
});

describe("at the API", () => {
  let world: TestSystem;
  beforeAll(async () => {
    world = await startTestSystem({ pools: false });
  });
  afterAll(() => world.close());

  test("wrong API keys are told to wait; the right one works from the same address meanwhile", async () => {
    const call = (key: string) =>
      fetch(`${world.url}/v1/queues`, { headers: { authorization: `Bearer ${key}` } });
    const seen = await statuses(305, (n) => call(`hgk_${n}`));
    expect(count(seen, 401)).toBe(300);
    const refused = await call("hgk_x");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("content-type")).toContain("application/problem+json");
    expect((await call(world.apiKey)).status).toBe(200);
    expect((await fetch(`${world.url}/v1/queues`)).status).toBe(401);
  });
});
