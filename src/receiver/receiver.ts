import { isUtf8 } from "node:buffer";
import { type Request, type Response, Router } from "express";
import type { SeenUpdates, WebhookDirectory, WebhookOwner } from "../connectors/index.ts";
import type { Enqueued, NewJob } from "../jobs/index.ts";
import {
  clientNetwork,
  type Database,
  type FailureLimit,
  isUnavailable,
  type Logger,
  type Metrics,
  matchesHash,
  Overloaded,
  type Transaction,
} from "../platform/index.ts";
import { InFlight } from "./in-flight.ts";
import type { ChatLinks } from "./linked-chats.ts";
import { BodyAborted, BodyTooLarge, readBody } from "./request-body.ts";
import {
  nestsDeeperThan,
  type RoutedUpdate,
  reducedForLinking,
  routeUpdate,
} from "./route-update.ts";

export interface ReceiverOptions {
  db: Database;
  directory: WebhookDirectory;
  links: ChatLinks<Transaction>;
  /** Told the number of every update that is answered 200. */
  seen: Pick<SeenUpdates, "note" | "record">;
  /** Counts the requests that do not prove whose they are. */
  failures: FailureLimit;
  jobs: {
    enqueue(job: NewJob): Promise<Enqueued>;
    enqueueIn(tx: Transaction, jobs: NewJob[]): Promise<Enqueued[]>;
  };
  metrics: Metrics;
  log: Logger;
  /** Requests of proven bots under way at once, shared between them. Default 2 000. */
  maxInFlight?: number;
}

const BODY_LIMIT_BYTES = 1_048_576;
const MAX_DEPTH = 200;
/** Bot API: ids fit 52 bits. */
const MAX_UPDATE_ID = 2 ** 52;
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
  const { directory, metrics, log, seen } = options;
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
    const body = await readBody(request, BODY_LIMIT_BYTES);
    const update = parseUpdate(body);
    const { connectorId, username } = owner;
    const result = await store(owner, update, routeUpdate(update, connectorId, username), body);
    // What is not stored leaves its number and nothing else: without it a gap would be seen there.
    if (result === "unlinked") await seen.record(connectorId, update.update_id);
    else seen.note(connectorId, update.update_id);
    return result;
  }

  async function store(
    owner: WebhookOwner,
    update: { update_id: number } & Record<string, unknown>,
    routed: RoutedUpdate,
    body: Buffer,
  ): Promise<string> {
    const { workspaceId, connectorId } = owner;
    const updateId = update.update_id;
    const job: NewJob = {
      queue: "ingest",
      lane: routed.lane,
      workspaceId,
      kind: "update",
      urgent: routed.urgent,
      payload: { connectorId, updateId, updateKind: routed.kind },
      body,
      uniqueKey: `${connectorId}/${updateId}`,
    };
    if (routed.groupId !== null) {
      const chat = { workspaceId, connectorId, chatId: routed.groupId };
      const linked = await options.links.linked(chat);
      if (!linked && !routed.neededForLinking) return "unlinked";
      if (!linked) job.body = Buffer.from(JSON.stringify(reducedForLinking(update)));
    }
    if (routed.migration !== null) return storeMigration(owner, job, routed.migration);
    const { duplicate } = await options.jobs.enqueue(job);
    return duplicate ? "duplicate" : "accepted";
  }

  /** Rare, so in a transaction of its own: the link moves together with the insert. */
  async function storeMigration(
    { workspaceId, connectorId }: WebhookOwner,
    job: NewJob,
    migration: { fromChatId: string; toChatId: string },
  ): Promise<string> {
    return options.db.transaction(async (tx) => {
      // Chats first, then the lane: the order in which ingest takes them.
      await options.links.move(tx, { workspaceId, connectorId, ...migration });
      const [result] = await options.jobs.enqueueIn(tx, [job]);
      return result?.duplicate ? "duplicate" : "accepted";
    });
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

function parseUpdate(body: Buffer): { update_id: number } & Record<string, unknown> {
  if (nestsDeeperThan(body, MAX_DEPTH)) throw new Refusal(400, "nested too deeply");
  if (!isUtf8(body)) throw new Refusal(400, "not JSON");
  let update: unknown;
  try {
    update = JSON.parse(body.toString("utf8"));
  } catch {
    throw new Refusal(400, "not JSON");
  }
  const id = (update as { update_id?: unknown } | null)?.update_id;
  if (!Number.isSafeInteger(id) || (id as number) < 0 || (id as number) > MAX_UPDATE_ID) {
    throw new Refusal(400, "no update_id");
  }
  return update as { update_id: number } & Record<string, unknown>;
}

function refusalOf(error: unknown, log: Logger): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof BodyTooLarge) return new Refusal(413, "too large");
  if (error instanceof BodyAborted) return new Refusal(400, "aborted");
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
