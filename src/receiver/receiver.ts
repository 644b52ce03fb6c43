import { type Request, type Response, Router } from "express";
import type { WebhookDirectory, WebhookOwner } from "../connectors/index.ts";
import {
  clientNetwork,
  type FailureLimit,
  isUnavailable,
  type Logger,
  type Metrics,
  matchesHash,
  Overloaded,
} from "../platform/index.ts";
import { InFlight } from "./in-flight.ts";
import type { Intake } from "./intake.ts";
import { NotAnUpdate, readUpdate } from "./raw-update.ts";
import { BodyAborted, BodyTooLarge, readBody } from "./request-body.ts";

export interface ReceiverOptions {
  directory: WebhookDirectory;
  intake: Intake;
  /** Counts the requests that do not prove whose they are. */
  failures: FailureLimit;
  metrics: Metrics;
  log: Logger;
  /** Requests of proven bots under way at once, shared between them. Default 2 000. */
  maxInFlight?: number;
}

const BODY_LIMIT_BYTES = 1_048_576;
/** What a key that we made may look like: nothing else is looked up. */
const KEY_SHAPE = /^[A-Za-z0-9_-]{16,128}$/;
const SECRET_HEADER = "x-telegram-bot-api-secret-token";
/** More are shed, and Telegram delivers again. */
const MAX_IN_FLIGHT = 2_000;

/**
 * A refused request without a body, or with a small one, keeps its connection: another would cost
 * several times what it takes to let so much pass unread.
 */
const MAX_PASSED_BYTES = 16_384;

/**
 * A refusal: its status, and its name in the metrics. Bodies are short and hold nothing of the
 * request. No Error, whose stack would be a good part of what a flood of them costs.
 */
class Refusal {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterS: number | undefined;
  constructor(status: number, reason: string, retryAfterS?: number) {
    this.status = status;
    this.reason = reason;
    this.retryAfterS = retryAfterS;
  }
}

/** Nothing proves whose the request is. `target`: the connector it names, where there is one. */
class Unproven extends Refusal {
  readonly target: string | undefined;
  constructor(status: 401 | 404, reason: string, target?: string) {
    super(status, reason);
    this.target = target;
  }
}

/**
 * `POST /webhooks/telegram/:key`. The order matters: the secret before a byte of the body is read,
 * and before anything is counted, so that a bot that has it never meets a limit that others used up;
 * the size while it is read, then its shape; 200 with an empty body (Telegram would execute a JSON
 * body) only once the update is committed, or known to have been. Telegram delivers again whatever
 * is answered otherwise.
 */
export function createReceiver(options: ReceiverOptions): Router {
  const { directory, intake, metrics, log } = options;
  const received = metrics.counter({
    name: "heliograph_webhook_requests_total",
    help: "Webhook requests by what became of them.",
    labels: ["result"],
  });
  const seconds = metrics.histogram({
    name: "heliograph_webhook_seconds",
    help: "From the request's headers to its answer.",
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5],
  });
  const count = Object.fromEntries(
    ["accepted", "duplicate", "unlinked"].map((result) => [result, received.labels(result)]),
  );
  const inFlight = new InFlight(options.maxInFlight ?? MAX_IN_FLIGHT);

  async function accept(request: Request): Promise<string> {
    const owner = await ownerOf(request);
    if (!inFlight.enter(owner)) throw new Refusal(503, "overloaded", 1);
    try {
      return await take(request, owner);
    } finally {
      inFlight.leave(owner);
    }
  }

  /** Whose the request is, proven by its secret; throws `Unproven`. */
  async function ownerOf(request: Request): Promise<WebhookOwner> {
    const secret = request.headers[SECRET_HEADER];
    if (typeof secret !== "string" || secret === "") throw new Unproven(401, "secret missing");
    const key = String(request.params.key);
    if (!KEY_SHAPE.test(key)) throw new Unproven(404, "key unknown");
    const owner = await directory.find(key);
    if (owner === undefined) throw new Unproven(404, "key unknown");
    if (!owner.secretHashes.some((hash) => matchesHash(secret, hash))) {
      throw new Unproven(401, "secret wrong", owner.connectorId);
    }
    return owner;
  }

  async function take(request: Request, owner: WebhookOwner): Promise<string> {
    checkHeaders(request);
    return intake.take(owner, readUpdate(await readBody(request, BODY_LIMIT_BYTES)));
  }

  /** The refusal itself, or 429 when there were too many of its kind. */
  async function limited(request: Request, refusal: Unproven): Promise<Refusal> {
    const network = clientNetwork(request);
    const waitS = await options.failures.failed({ network, target: refusal.target });
    return waitS === 0 ? refusal : new Refusal(429, "too many failures", waitS);
  }

  async function answer(request: Request, response: Response): Promise<void> {
    const startedMs = performance.now();
    try {
      const result = await accept(request);
      count[result]?.inc();
      response.statusCode = 200;
      response.end();
    } catch (error) {
      const refusal =
        error instanceof Unproven ? await limited(request, error) : refusalOf(error, log);
      received.inc({ result: refusal.reason });
      refuse(response, refusal);
    } finally {
      seconds.observe((performance.now() - startedMs) / 1_000);
    }
  }

  const router = Router();
  router.post("/webhooks/telegram/:key", answer);
  return router;
}

function checkHeaders(request: Request): void {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) throw new Refusal(415, "content type");
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new Refusal(415, "content encoding");
  }
  if (Number(request.headers["content-length"] ?? 0) > BODY_LIMIT_BYTES) {
    throw new Refusal(413, "too large");
  }
}

function refusalOf(error: unknown, log: Logger): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof BodyTooLarge) return new Refusal(413, "too large");
  if (error instanceof BodyAborted) return new Refusal(400, "aborted");
  if (error instanceof NotAnUpdate) return new Refusal(400, error.message);
  if (error instanceof Overloaded) return new Refusal(503, "overloaded", 1);
  if (isUnavailable(error)) return new Refusal(503, "database away", 2);
  log.error({ err: error }, "an update could not be stored");
  return new Refusal(503, "not stored", 5);
}

function refuse(response: Response, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) return;
  if (refusal.retryAfterS !== undefined) {
    response.setHeader("retry-after", String(refusal.retryAfterS));
  }
  const { headers } = response.req;
  const passes =
    headers["transfer-encoding"] === undefined &&
    Number(headers["content-length"] ?? 0) <= MAX_PASSED_BYTES;
  // What is left of the body is not read.
  if (!passes) response.setHeader("connection", "close");
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.statusCode = refusal.status;
  response.end(`${refusal.reason}\n`);
}
