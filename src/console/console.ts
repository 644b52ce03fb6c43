import { randomUUID } from "node:crypto";
import { type NextFunction, type Request, type Response, Router } from "express";
import { actAs, INSTALLATION, recordAudit } from "../audit/index.ts";
import { type Jobs, listProcesses } from "../jobs/index.ts";
import { type Database, type FailureLimit, isUnavailable, type Logger } from "../platform/index.ts";
import { createBoard } from "./board.ts";
import { loadBots } from "./bots.ts";
import { consoleApi } from "./console-api.ts";
import { EventStreams } from "./event-streams.ts";
import { Live } from "./live.ts";
import { appPage, sendPage, servePageFiles } from "./page-files.ts";
import { loadQueues } from "./queues.ts";
import { createSignIn } from "./sign-in.ts";

export interface ConsoleOptions {
  db: Database;
  jobs: Jobs;
  log: Logger;
  /** Counts the sign-ins whose token is wrong. */
  failures: FailureLimit;
  /** Undefined: the console says how to set it, and nothing else. */
  adminToken?: string;
}

export interface Console {
  /** To be mounted at the root: it serves `/console` and what is below it. */
  router: Router;
  /** Ends the streams of the open pages, which a stopping server would wait for. */
  close(): void;
}

/** The pages that an operator of the whole installation looks at. */
export function createConsole({ db, jobs, log, failures, adminToken }: ConsoleOptions): Console {
  const asOperator = <Result>(work: () => Result) =>
    actAs({ kind: "admin", id: "console" }, randomUUID(), work);
  const signIn = createSignIn(adminToken, failures, log, (action) =>
    asOperator(() => recordAudit(db, { workspaceId: INSTALLATION, action })),
  );
  const live = new Live({
    sources: {
      queues: () => loadQueues(db),
      processes: async () => ({ processes: await listProcesses(db) }),
      bots: () => loadBots(db),
    },
  });
  const streams = new EventStreams(live);

  const pages = Router();
  servePageFiles(pages);
  // For a workspace's approvers, who sign in with a key of theirs: it asks the API alone, and holds no data.
  const approvals = appPage("approvals-app.js");
  for (const path of ["/approvals", "/approvals/:messageId"]) {
    pages.get(path, (_request, response) => sendPage(response, 200, approvals));
  }
  pages.use(signIn.router);
  // Asked by pages that want to know whether anybody is signed in: null when nobody is.
  pages.get("/api/session", noStore, (request, response) => {
    response.json({ endMs: signIn.endMs(request) });
  });
  pages.use((request, response, next) => signIn.guard(request, response, next));
  pages.get("/api/events", (request, response) => {
    streams.serve(request, response, signIn.endMs(request) ?? 0);
  });
  pages.use("/api", (_request, _response, next) => asOperator(next));
  pages.use("/api", noStore, consoleApi({ db, jobs, live }));
  pages.use("/api", (_request, response) => {
    response.status(404).json({ error: "There is nothing at this address." });
  });
  if (adminToken !== undefined) pages.use("/queues", createBoard(jobs));
  const app = appPage("app.js");
  for (const path of ["/", "/jobs", "/jobs/:id", "/processes", "/bots"]) {
    pages.get(path, (_request, response) => sendPage(response, 200, app));
  }
  pages.get(/.*/, (_request, response) => sendPage(response, 404, app));
  pages.use(explain(log));

  const router = Router();
  router.use("/console", pages);
  return {
    router,
    close: () => {
      streams.close();
      live.close();
    },
  };
}

function noStore(_request: Request, response: Response, next: NextFunction): void {
  response.set("cache-control", "no-store");
  next();
}

/** Faults in the page's own shape, for the person at the page. */
function explain(log: Logger) {
  return (error: unknown, _request: Request, response: Response, next: NextFunction): void => {
    if (response.headersSent) {
      next(error);
      return;
    }
    if (isUnavailable(error)) {
      const words = "The database does not answer. Try again in a moment.";
      response.status(503).set("retry-after", "2").json({ error: words });
      return;
    }
    const status = (error as { status?: unknown } | null)?.status;
    if (typeof status === "number" && status >= 400 && status < 500) {
      response.status(status).json({ error: "The request could not be read." });
      return;
    }
    log.error({ err: error }, "a call of the console failed");
    response.status(500).json({ error: "Something went wrong here; it has been logged." });
  };
}
