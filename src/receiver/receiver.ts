import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { type Request, type Response, Router } from "express";
import type { WebhookDirectory, WebhookOwner } from "../connectors/index.ts";
import {
  clientAddress,
  clientNetwork,
  type FailureLimit,
  isUnavailable,
  type Logger,
  type Metrics,
  Overloaded,
  type TrustsProxy,
} from "../platform/index.ts";
import { InFlight } from "./in-flight.ts";
import type { Intake } from "./intake.ts";
import { keyOfUrl, proofOf, WEBHOOK_PATH } from "./proof.ts";
import { NotAnUpdate, readUpdate } from "./raw-update.ts";
import { Refusal, refuse, Unproven } from "./refusal.ts";
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

/**
 * `POST /webhooks/telegram/:key`. The order matters: the secret before a byte of the body is read,
 * and before anything is counted, so that a bot that has it never meets a limit that others used up;
 * the size while it is read, then its shape; 200 with an empty body (Telegram would execute a JSON
 * body) only once the update is committed, or known to have been. Telegram delivers again whatever
 * is answered otherwise.
 */
export interface Receiver {
  /** The route. */
  router: Router;
  /**
   * The server's listener: refuses webhook requests that prove nothing, by itself, and hands
   * everything else to `next`, which has the route. Anybody may send such requests, thousands a
   * second, and Express would cost each several times what its refusal does.
   */
  before(next: RequestListener, trusts: TrustsProxy): RequestListener;
}

const BODY_LIMIT_BYTES = 1_048_576;
/** More are shed, and Telegram delivers again. */
const MAX_IN_FLIGHT = 2_000;

/** A request, its answer, and where it came from. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  /** For counting; asked only when it fails. */
  network(): string;
  startedMs: number;
}

export function createReceiver(options: ReceiverOptions): Receiver {
  const { directory, intake, failures, metrics, log } = options;
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
  /** Proven before Express, so that they are not proven twice. */
  const admitted = new WeakMap<IncomingMessage, { owner: WebhookOwner; startedMs: number }>();

  /** Lets a request go on once it is proven whose it is, or answers it. In the same turn where it can. */
  function admit(exchange: Exchange, key: string, goOn: (owner: WebhookOwner) => void): void {
    const settle = (proof: WebhookOwner | Unproven) => {
      if (proof instanceof Unproven) turnAway(exchange, proof);
      else goOn(proof);
    };
    const proof = proofOf(directory, exchange.request, key);
    if ("then" in proof) {
      void proof.then(settle, (error: unknown) => end(exchange, refusalOf(error, log)));
    } else {
      settle(proof);
    }
  }

  /** Answers the refusal itself, or 429 when there were too many of its kind. */
  function turnAway(exchange: Exchange, refusal: Unproven): void {
    const answer = (waitS: number) =>
      end(exchange, waitS === 0 ? refusal : new Refusal(429, "too many failures", waitS));
    const waitS = failures.failed({ network: exchange.network(), target: refusal.target });
    if (typeof waitS === "number") answer(waitS);
    else void waitS.then(answer);
  }

  function end({ request, response, startedMs }: Exchange, refusal: Refusal): void {
    received.inc({ result: refusal.reason });
    refuse(request, response, refusal);
    observe(startedMs);
  }

  const observe = (startedMs: number) => seconds.observe((performance.now() - startedMs) / 1_000);

  async function accept(exchange: Exchange, owner: WebhookOwner): Promise<void> {
    const { request, response, startedMs } = exchange;
    if (!inFlight.enter(owner)) {
      end(exchange, new Refusal(503, "overloaded", 1));
      return;
    }
    try {
      checkHeaders(request);
      const update = readUpdate(await readBody(request, BODY_LIMIT_BYTES));
      const result = await intake.take(owner, update);
      count[result]?.inc();
      response.statusCode = 200;
      response.end();
      observe(startedMs);
    } catch (error) {
      end(exchange, refusalOf(error, log));
    } finally {
      inFlight.leave(owner);
    }
  }

  /** What came past `before`, or was not of its spelling. */
  function receive(request: Request, response: Response): void {
    const network = () => clientNetwork(request);
    const before = admitted.get(request);
    const startedMs = before?.startedMs ?? performance.now();
    const exchange = { request, response, network, startedMs };
    const goOn = (owner: WebhookOwner) => void accept(exchange, owner);
    if (before === undefined) admit(exchange, String(request.params.key), goOn);
    else goOn(before.owner);
  }

  const router = Router();
  router.post(`${WEBHOOK_PATH}:key`, receive);
  return {
    router,
    before: (next, trusts) => (request, response) => {
      const key = request.method === "POST" ? keyOfUrl(request.url) : undefined;
      if (key === undefined) {
        next(request, response);
        return;
      }
      const network = () =>
        clientNetwork({ ip: clientAddress(request, trusts), socket: request.socket });
      const startedMs = performance.now();
      admit({ request, response, network, startedMs }, key, (owner) => {
        admitted.set(request, { owner, startedMs });
        next(request, response);
      });
    },
  };
}

function checkHeaders(request: IncomingMessage): void {
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
