import { afterAll, beforeAll, expect } from "@jest/globals";
import { createWorkspace, type NewWorkspace } from "../../src/connectors/index.ts";
import { deliver, startTestSystem, type TestSystem, textUpdate } from "./system.ts";
import { waitFor } from "./wait-for.ts";

/** What answers hold, each some of it. */
export interface ApiBody extends Record<string, unknown> {
  id: string;
  state: string;
  detail: string;
  apiKey: string;
  errors: { path: string; message: string }[];
  data: ApiBody[];
  connectors: ApiBody[];
  nextCursor: string | null;
}

export interface ApiAnswer {
  status: number;
  type: string;
  headers: Headers;
  text: string;
  /** Empty where the answer is no JSON. */
  body: ApiBody;
}

export interface ApiCall {
  key?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Every error has the one shape, says nothing of the inside, and its status is the answer's. */
export function expectProblem(answer: ApiAnswer, status: number): void {
  expect({ status: answer.status, type: answer.type, text: answer.text }).toEqual({
    status,
    type: expect.stringMatching(/^application\/problem\+json/),
    text: answer.text,
  });
  expect(answer.body).toMatchObject({
    type: expect.any(String),
    title: expect.any(String),
    status,
    detail: expect.any(String),
  });
  expect(answer.text).not.toMatch(/\bat .+:\d+:\d+|node_modules|SELECT |postgres/);
}

/**
 * A system with all its pools, whose workspace has a bot, a conversation and a message that waits; made
 * before a file's tests, closed after them. Another workspace looks on.
 */
export function apiWorld() {
  let world: TestSystem | undefined;
  let stranger: NewWorkspace | undefined;
  /** What the first workspace has: ids that the stranger must not reach. */
  const owned = { connector: "", conversation: "", message: "", job: "" };
  const made = <Made>(what: Made | undefined): Made => {
    if (what === undefined) throw new Error("the world is made before the first test");
    return what;
  };

  /** With a key (default: the first workspace's). A body that is a string is sent as it is. */
  async function call(method: string, path: string, options: ApiCall = {}): Promise<ApiAnswer> {
    const { key = made(world).apiKey, body, headers = {} } = options;
    const response = await fetch(made(world).url + path, {
      method: method.toUpperCase(),
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const type = response.headers.get("content-type") ?? "";
    return {
      status: response.status,
      type,
      headers: response.headers,
      text,
      body: (type.includes("json") ? JSON.parse(text) : {}) as ApiBody,
    };
  }

  beforeAll(async () => {
    world = await startTestSystem();
    const bot = await world.connectBot();
    stranger = await createWorkspace(world.system.db, "Stranger");
    const chatId = 7_001;
    world.sandbox.createUser({ firstName: "Ada" });
    expect(await deliver(world.url, bot, textUpdate(1, chatId, 1, "hello"))).toBe(200);
    const conversations = async () => (await call("get", "/v1/conversations")).body.data;
    await waitFor(async () => (await conversations()).length > 0);
    owned.connector = bot.connectorId;
    owned.conversation = (await conversations())[0]?.id ?? "";
    const body = { connectorId: bot.connectorId, chatId, text: "hi", sendAt: inAnHour() };
    owned.message = (await call("post", "/v1/messages", { body })).body.id;
    const jobs = await call("get", "/v1/jobs?queue=outbound&state=scheduled");
    owned.job = jobs.body.data[0]?.id ?? "";
  });
  afterAll(() => world?.close());

  return {
    call,
    owned,
    system: () => made(world),
    stranger: () => made(stranger),
  };
}

export const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();
