import { randomUUID } from "node:crypto";
import express, { type NextFunction, type Request, type Response, Router } from "express";
import type { z } from "zod";
import { type Actor, actAs } from "../audit/index.ts";
import {
  clientNetwork,
  type Database,
  isUnavailable,
  type Logger,
  Overloaded,
  Problem,
  scrub,
  sha256,
  shownSize,
  sqlState,
  type Transactor,
} from "../platform/index.ts";
import { createAuthentication } from "./authentication.ts";
import { NO_STREAM, openBodyStream, uploadsInHand } from "./body-stream.ts";
import { withStoredAnswer } from "./idempotency.ts";
import { bodiesInHand, NO_BODY, type RawBody, readRawBody } from "./raw-body.ts";
import { type Principal, type Route, workspaceOf } from "./route.ts";
import type { Services } from "./services.ts";
import { sendStream } from "./streamed-answer.ts";

const MAX_BODY_BYTES = 1_048_576;
const MAX_KEY_LENGTH = 200;
/** What is said of a fault, which may quote the request. */
const MAX_FAULT_LENGTH = 300;

/** Serves routes that are described as data: authorize, check, run, answer. */
export function serveRoutes(routes: Route[], services: Services): Router {
  const router = Router();
  const authentication = createAuthentication(services);
  for (const route of routes) {
    const limit = route.maxBodyBytes ?? MAX_BODY_BYTES;
    const parseJson = express.json({ limit, strict: true });
    router[route.method](route.path, async (request: Request, response: Response) => {
      const requestId = randomUUID();
      response.setHeader("x-request-id", requestId);
      const network = clientNetwork(request);
      const principal = await authentication.authorize(
        route,
        request.headers.authorization,
        network,
      );
      let leave = route.rawBody && bodiesInHand.enter(workspaceOf(principal));
      let incoming = NO_STREAM;
      try {
        if (route.body !== undefined) await readJson(parseJson, request, response);
        const params = check(route.params, request.params, "path");
        const query = check(route.query, request.query, "query");
        const raw = route.rawBody ? await readRawBody(request, response, route.rawBody) : NO_BODY;
        if (route.bodyStream) {
          incoming = openBodyStream(request, response, route.bodyStream);
          leave = uploadsInHand.enter(workspaceOf(principal));
        }
        const db = databaseOf(principal, services.db);
        const call = {
          db,
          services,
          principal,
          params,
          query,
          body: check(route.body, request.body, "body"),
          raw,
          incoming: incoming.content,
          headers: request.headers,
          idempotency: idempotencyOf(request, route, raw),
        };
        const run = () => actAs(actorOf(principal), requestId, () => route.handler(call));
        const key =
          route.idempotent === "stored" && call.idempotency && principal.kind === "workspace"
            ? { workspaceId: principal.workspaceId, ...call.idempotency }
            : null;
        const answer = await withStoredAnswer({ db, log: services.log }, key, run);
        const { stream } = answer;
        if (stream === undefined) response.status(answer.status).json(answer.body);
        else await sendStream(response, { ...answer, stream }, services.log);
      } finally {
        incoming.close();
        leave?.();
      }
    });
  }
  return router;
}

/** The one place where a call gets its rows: by who calls, and by nothing that the call says. */
const databaseOf = (principal: Principal, db: Database): Transactor =>
  principal.kind === "workspace" ? db.asTenant(principal.workspaceId) : db;

/** As the audit log names them. */
const actorOf = (principal: Principal): Actor =>
  principal.kind === "admin"
    ? { kind: "admin", id: "api" }
    : { kind: "api_key", id: principal.keyId };

type JsonParser = (request: Request, response: Response, next: NextFunction) => void;

async function readJson(parse: JsonParser, request: Request, response: Response): Promise<void> {
  if (!request.is("application/json")) {
    throw new Problem(
      415,
      "Unsupported content type",
      "Send JSON: Content-Type: application/json.",
    );
  }
  await new Promise<void>((resolve, reject) => {
    parse(request, response, (error?: unknown) => (error ? reject(error) : resolve()));
  });
}

/**
 * Throws `Problem` 400 with one entry a fault: where it is and what is wrong. Names that are not known
 * are told, and a token may stand where a name should.
 */
function check(schema: z.ZodType | undefined, value: unknown, place: string): unknown {
  if (schema === undefined) return value;
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  throw new Problem(400, "Invalid request", `The ${place} is not what this call takes.`, {
    errors: result.error.issues.slice(0, 50).map((issue) => ({
      path: scrub(issue.path.join(".")).slice(0, MAX_FAULT_LENGTH),
      message: scrub(issue.message).slice(0, MAX_FAULT_LENGTH),
    })),
  });
}

function idempotencyOf(request: Request, route: Route, raw: RawBody) {
  const key = request.headers["idempotency-key"];
  if (route.method !== "post" || typeof key !== "string") return null;
  if (key === "" || key.length > MAX_KEY_LENGTH) {
    throw new Problem(400, "Invalid request", "Idempotency-Key has 1 to 200 characters.");
  }
  const bodyHash = sha256(
    route.rawBody === undefined
      ? JSON.stringify(request.body ?? null)
      : // What is asked besides is part of what the key stands for.
        Buffer.concat([Buffer.from(JSON.stringify(request.query)), raw.content]),
  );
  // With the ids of this call: the same key may stand for each of many. Not the path as it was sent,
  // which may be spelt in several ways.
  const path = route.path.replace(/:(\w+)/g, (_, name) => String(request.params[name]));
  return { key, call: `POST ${path}`, bodyHash };
}

/** Answers every error as application/problem+json, never with a stack or content. */
export function problemHandler(log: Logger) {
  return (error: unknown, _request: Request, response: Response, next: NextFunction): void => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const problem = problemOf(error);
    if (problem.status >= 500) {
      const requestId = response.getHeader("x-request-id");
      log.error({ err: error, status: problem.status, requestId }, "a call failed");
    }
    for (const [name, value] of Object.entries(problem.headers ?? {})) {
      response.setHeader(name, value);
    }
    response.status(problem.status).type("application/problem+json").send(JSON.stringify(problem));
  };
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isUnavailable(error) || error instanceof Overloaded) {
    const detail = "The service cannot do this right now; try again shortly.";
    return new Problem(503, "Unavailable", detail, { headers: { "retry-after": "2" } });
  }
  // Class 22: a value that Postgres cannot hold, and that no check here knew of.
  if (sqlState(error)?.startsWith("22")) {
    return new Problem(400, "Invalid request", "A value of the request cannot be stored.");
  }
  // What body-parser and Express throw carries a status, and a message that may quote the body.
  const { status, limit } = (error ?? {}) as { status?: unknown; limit?: unknown };
  if (status === 413) {
    const most = shownSize(Number(limit ?? MAX_BODY_BYTES));
    return new Problem(413, "Body too large", `A body has at most ${most} here.`);
  }
  if (status === 415) return new Problem(415, "Unsupported encoding", "Send the body as it is.");
  if (typeof status === "number" && status >= 400 && status < 500) {
    return new Problem(400, "Invalid request", "The request could not be read: is it JSON?");
  }
  return new Problem(500, "Internal error", "Something went wrong here; it has been logged.");
}
