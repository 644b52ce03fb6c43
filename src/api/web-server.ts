import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import helmet from "helmet";
import type { Console } from "../console/index.ts";
import { Problem, type TrustsProxy } from "../platform/index.ts";
import type { Receiver } from "../receiver/index.ts";
import { boundPipelining } from "./bound-pipelining.ts";
import { docsPage } from "./docs-page.ts";
import { healthRoutes } from "./health.ts";
import { problemHandler, serveRoutes } from "./http-routes.ts";
import { describeRoutes } from "./openapi.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { approvalRuleRoutes } from "./routes/approval-rules.ts";
import { approvalRoutes } from "./routes/approvals.ts";
import { auditRoutes } from "./routes/audit.ts";
import { broadcastRoutes } from "./routes/broadcasts.ts";
import { chatFactRoutes } from "./routes/chat-facts.ts";
import { complianceRoutes } from "./routes/compliance.ts";
import { connectorCareRoutes } from "./routes/connector-care.ts";
import { connectorRoutes } from "./routes/connectors.ts";
import { contactRoutes } from "./routes/contacts.ts";
import { conversationRoutes } from "./routes/conversations.ts";
import { evidenceRoutes } from "./routes/evidence.ts";
import { evidenceFileRoutes } from "./routes/evidence-files.ts";
import { evidencePackRoutes } from "./routes/evidence-packs.ts";
import { evidenceReviewRoutes } from "./routes/evidence-review.ts";
import { evidenceSettingsRoutes } from "./routes/evidence-settings.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { keyRoutes } from "./routes/keys.ts";
import { linkCodeRoutes } from "./routes/link-codes.ts";
import { messageFileRoutes } from "./routes/message-file.ts";
import { messageWaitingRoutes } from "./routes/message-waiting.ts";
import { messageRoutes } from "./routes/messages.ts";
import { peopleRoutes } from "./routes/people.ts";
import { queueRoutes } from "./routes/queues.ts";
import { registerEntryRoutes } from "./routes/register-entries.ts";
import { registerExchangeRoutes } from "./routes/register-exchange.ts";
import { searchRoutes } from "./routes/search.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { supportQueueRoutes } from "./routes/support-queue.ts";
import { templateRoutes } from "./routes/templates.ts";
import { workspaceRoutes } from "./routes/workspaces.ts";
import type { Services } from "./services.ts";
import { boundSlowRequests } from "./slow-bodies.ts";

export interface WebServerOptions {
  services: Services;
  /**
   * Refuses before Express what proves nothing; its route is mounted before everything else, so that
   * a webhook passes nothing it does not need.
   */
  receiver: Receiver;
  console: Console;
  /** Whose X-Forwarded-For and X-Forwarded-Proto are believed (Express: `trust proxy`). Default: nobody's. */
  trustedProxies?: string[];
  /** How long a client may take to send a request. Default 10 000. */
  requestTimeoutMs?: number;
  /** How long a client may take nothing of its answer, or wait for one. Default 120 000. */
  stalledMs?: number;
  /** Connections at once. Default 10 000. */
  maxConnections?: number;
}

export interface WebServer {
  /** Listens and answers the port. */
  listen(port: number, host?: string): Promise<number>;
  /** Takes no new requests and waits for those under way, at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const IDLE_CHECK_MS = 50;
/**
 * Connections that wait to be taken. Where there is no room for another the client tries again a
 * second later, and then three: under a flood of connections Telegram's own must not be among those.
 */
const BACKLOG = 4_096;
/**
 * A connection without a request is kept longer than those who send keep theirs, or a request would
 * meet a connection that was just closed and get no answer: Telegram's own server gives them up after
 * 60 s (telegram-bot-api: WebhookActor), proxies after up to ten minutes. It is slow to open others.
 */
const KEEP_ALIVE_MS = 620_000;
/** Each holds memory and one of the process's descriptors. */
const MAX_CONNECTIONS = 10_000;

/** Of one connection, ahead of their answers. */
const MAX_PIPELINED = 16;
/**
 * Who reads nothing of an answer holds it in memory, and a connection with it. Longer than any call
 * takes; a console's stream of events says something several times meanwhile.
 */
const STALLED_MS = 120_000;

/** Every call there is. */
export const routes = [
  ...workspaceRoutes,
  ...keyRoutes,
  ...connectorRoutes,
  ...connectorCareRoutes,
  ...peopleRoutes,
  ...linkCodeRoutes,
  ...messageRoutes,
  ...messageFileRoutes,
  ...messageWaitingRoutes,
  ...approvalRuleRoutes,
  ...approvalRoutes,
  ...broadcastRoutes,
  ...chatFactRoutes,
  ...conversationRoutes,
  ...supportQueueRoutes,
  ...templateRoutes,
  ...contactRoutes,
  ...accountRoutes,
  ...registerExchangeRoutes,
  ...sessionRoutes,
  ...evidenceRoutes,
  ...evidenceReviewRoutes,
  ...evidenceFileRoutes,
  ...evidenceSettingsRoutes,
  ...evidencePackRoutes,
  ...jobRoutes,
  ...queueRoutes,
  ...searchRoutes,
  ...auditRoutes,
  ...registerEntryRoutes,
  ...complianceRoutes,
];

export function createWebServer({
  services,
  receiver,
  console,
  trustedProxies = [],
  requestTimeoutMs = 10_000,
  stalledMs = STALLED_MS,
  maxConnections = MAX_CONNECTIONS,
}: WebServerOptions): WebServer {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.set("trust proxy", trustedProxies);
  const trusts: TrustsProxy = app.get("trust proxy fn");
  app.use(receiver.router);
  app.use(helmet());
  app.use(healthRoutes(services));
  app.use(console.router);
  // One copy for everybody: whoever asks often and reads nothing must not fill the memory with more.
  const description = Buffer.from(JSON.stringify(describeRoutes(routes)));
  const page = Buffer.from(docsPage(routes));
  app.get("/openapi.json", (_request, response) => void response.type("json").send(description));
  app.get("/docs", (_request, response) => void response.type("html").send(page));
  app.use(serveRoutes(routes, services));
  app.use((request) => {
    throw new Problem(404, "Not found", `There is nothing at ${request.method} of this address.`);
  });
  app.use(problemHandler(services.log));

  // A client that sends a byte a second is answered 408 and cut off. The time for its headers begins
  // with their first byte, or with the connection, so it may be shorter than what an idle one is kept.
  const server: Server = createServer(
    {
      requestTimeout: requestTimeoutMs,
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, requestTimeoutMs / 2),
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    boundPipelining(MAX_PIPELINED, receiver.before(app, trusts)),
  );
  boundSlowRequests(server);
  server.timeout = stalledMs;
  server.maxRequestsPerSocket = 0;
  server.maxConnections = maxConnections;
  // One too many is turned away; those that nobody uses make room for the next.
  server.on("drop", () => server.closeIdleConnections());

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, host, backlog: BACKLOG }, () => {
          server.off("error", reject);
          resolve((server.address() as AddressInfo).port);
        });
      }),
    close: async (graceMs) => {
      console.close();
      // Those that are idle are closed at once.
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Connections that are kept alive become idle one by one, as their answers go out.
      const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearInterval(idle);
      clearTimeout(cut);
    },
  };
}
