import { KINDS, type KindName } from "../../src/register/index.ts";
import type { TestSystem } from "./system.ts";

/** What answers of the register's calls hold, each some of it. */
export interface Body extends Record<string, unknown> {
  id: string;
  version: number;
  detail: string;
  errors: { path: string; message: string }[];
  data: Body[];
  nextCursor: string | null;
}
export interface Answer {
  status: number;
  body: Body;
}

export interface RegisterCalls {
  /** With the system's own workspace's key unless another is given. */
  call(
    method: string,
    path: string,
    body?: unknown,
    options?: { key?: string; headers?: Record<string, string> },
  ): Promise<Answer>;
  /** An entry with a code of its own, and nothing but what its kind must have and what is said. */
  make(
    name: KindName,
    more?: object,
    options?: { key: string },
  ): Promise<{ id: string; code: string }>;
}

export const pathOf = (name: KindName) => `/v1/${KINDS.find((kind) => kind.name === name)?.plural}`;

/** Calls of the API about the register of a workspace. */
export function registerCalls(world: TestSystem): RegisterCalls {
  let made = 0;
  const call: RegisterCalls["call"] = async (method, path, body, options = {}) => {
    const { key = world.apiKey, headers = {} } = options;
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
  };
  const make: RegisterCalls["make"] = async (name, more = {}, options) => {
    const code = `${name}-${++made}`;
    const given: Record<string, unknown> = { code, title: `A ${name}`, ...more };
    if (name === "finding") given.severity ??= "low";
    if (name === "requirement") given.framework ??= (await make("framework", {}, options)).id;
    const answer = await call("POST", pathOf(name), given, options);
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return { id: answer.body.id, code: String(answer.body.code) };
  };
  return { call, make };
}
