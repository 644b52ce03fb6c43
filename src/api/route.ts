import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import type { KeyScope } from "../connectors/index.ts";
import type { Transactor } from "../platform/index.ts";
import type { BodyStreamLimits } from "./body-stream.ts";
import type { RawBody, RawBodyLimits } from "./raw-body.ts";
import type { Services } from "./services.ts";

/** A workspace by one of its keys. */
export interface WorkspacePrincipal {
  kind: "workspace";
  workspaceId: string;
  keyId: string;
  scopes: readonly KeyScope[];
}

/** Who calls: a workspace by its key, or the administrator of the installation. */
export type Principal = WorkspacePrincipal | { kind: "admin" };

/**
 * Whose call it is, and what their key must be allowed. `either`: a workspace sees its own, an
 * administrator sees all.
 */
export type Access = { auth: "workspace" | "either"; scope: KeyScope } | { auth: "admin" };

export interface Answer {
  status: number;
  body: unknown;
  /**
   * Sent instead of `body`, piece by piece, as fast as it is read (streamed-answer.ts); `headers`, with
   * names in lower case, say what it is.
   */
  stream?: AsyncIterable<Uint8Array>;
  headers?: Record<string, string>;
}

/** What a handler gets: everything checked already. */
export interface Call<Params, Query, Body> {
  /**
   * Sees what the caller may see: a workspace's own rows, by row-level security, or all of them for
   * an administrator. What several statements do together goes into one transaction.
   */
  db: Transactor;
  services: Omit<Services, "db">;
  principal: Principal;
  params: Params;
  query: Query;
  body: Body;
  /** Of a route with `rawBody`; empty otherwise. */
  raw: RawBody;
  /** Of a route with `bodyStream`: the body, piece by piece; empty otherwise. */
  incoming: AsyncIterable<Uint8Array>;
  /** As they came: nothing of them is checked. */
  headers: Readonly<IncomingHttpHeaders>;
  /** The client's Idempotency-Key, for handlers that keep it in their own transaction. */
  idempotency: { key: string; call: string; bodyHash: Buffer } | null;
}

/** One call of the API, as data: served by http-routes.ts, described by openapi.ts. */
export type Route<Params = unknown, Query = unknown, Body = unknown> = Access &
  RouteParts<Params, Query, Body>;

interface RouteParts<Params, Query, Body> {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** With `:name` parameters. */
  path: string;
  summary: string;
  params?: z.ZodType<Params>;
  query?: z.ZodType<Query>;
  body?: z.ZodType<Body>;
  /** Of the body, as it comes. Default: 1 MB. */
  maxBodyBytes?: number;
  /** The body is a file, in the place of JSON. Of routes that workspaces call. */
  rawBody?: RawBodyLimits;
  /** The body is a file that is taken piece by piece, in the place of JSON. */
  bodyStream?: BodyStreamLimits;
  /** The answer's status when all is well, and its shape; its types, where it is not JSON alone. */
  success: { status: number; schema: z.ZodType; contentTypes?: readonly string[] };
  /** `stored`: the answer is kept for an Idempotency-Key once the handler is done. */
  idempotent?: "stored";
  handler(call: Call<Params, Query, Body>): Promise<Answer>;
}

/** Keeps the types of a route's parts together; the list of routes need not know them. */
export function defineRoute<Params = unknown, Query = unknown, Body = unknown>(
  route: Route<Params, Query, Body>,
): Route {
  return route as unknown as Route;
}

/** The workspace of a call that only workspaces may make. */
export function workspaceOf(principal: Principal): string {
  if (principal.kind !== "workspace") throw new Error("the route admits workspaces only");
  return principal.workspaceId;
}

/** Who submits and approves messages, as outbound and approvals name them. */
export function authorOf(principal: Principal): string {
  if (principal.kind !== "workspace") throw new Error("the route admits workspaces only");
  return `key:${principal.keyId}`;
}

export const uuid = z.guid({
  error: "is an id (a UUID), e.g. 0191e4a2-7c1d-4e0f-9b3a-5d2c8f6e1a70",
});
/** Text that Postgres can store and JSON can carry as it is. */
export const text = () =>
  z.string().refine((value) => !/[\0\p{Surrogate}]/u.test(value), {
    message: "has no NUL and no half of a character",
  });
/** A chat's id: a signed decimal of at most 52 bits, as text. */
export const chatIdText = z
  .string()
  .regex(/^-?[1-9][0-9]{0,15}$/, "a chat id is a number, e.g. -1001234567890");
export const pageQuery = {
  limit: z
    .string()
    .regex(/^[0-9]{1,3}$/, "a number from 1 to 200")
    .transform(Number)
    .pipe(z.number().min(1).max(200))
    .default(50),
  cursor: z.string().max(500).optional(),
};

/** A page of a list, as every list is answered. */
export const pageOf = (item: z.ZodType) =>
  z.object({ data: z.array(item), nextCursor: z.string().nullable() });
