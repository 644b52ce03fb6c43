import express, { type Request, type Response, Router } from "express";
import {
  isJobId,
  type JobFilter,
  type Jobs,
  type LedgerAction,
  listJobs,
  QUEUES,
} from "../jobs/index.ts";
import type { Database } from "../platform/index.ts";
import { readFilter } from "./job-filter.ts";
import { loadJobPage } from "./job-page.ts";
import type { Live } from "./live.ts";
import { sameOriginOnly } from "./sign-in.ts";

export interface ConsoleApiOptions {
  db: Database;
  jobs: Jobs;
  live: Live;
}

const PAGE_SIZE = 50;
const ACTIONS: Record<string, LedgerAction> = {
  retry: "retry",
  discard: "discard",
  cancel: "cancel",
  "run-now": "runNow",
};

/** What the pages ask for and change; errors are `{error}`, in words for the person at the page. */
export function consoleApi({ db, jobs, live }: ConsoleApiOptions): Router {
  const { ledger } = jobs;
  const router = Router();

  router.get("/jobs", async (request: Request, response: Response) => {
    const { before, ...query } = request.query;
    const filter = filterOf(query, response);
    if (filter === null) return;
    if (before !== undefined && !isJobId(String(before))) {
      return fault(response, 400, "before: is not a job's id");
    }
    const beforeId = before === undefined ? undefined : String(before);
    const rows = await listJobs(db, filter, { limit: PAGE_SIZE + 1, beforeId });
    const shown = rows.slice(0, PAGE_SIZE);
    const nextBefore = rows.length > PAGE_SIZE ? (shown.at(-1)?.id ?? null) : null;
    response.json({ jobs: shown.map(inBrief), nextBefore });
  });

  router.get("/jobs/:id", async (request: Request, response: Response) => {
    const page = await loadJobPage(db, String(request.params.id));
    if (page === null) return fault(response, 404, "There is no such job.");
    response.json(page);
  });

  router.use(sameOriginOnly, express.json({ limit: "16kb", strict: true }));

  for (const [name, action] of Object.entries(ACTIONS)) {
    router.post(`/jobs/:id/${name}`, async (request: Request, response: Response) => {
      const id = String(request.params.id);
      const changed = isJobId(id) ? await ledger[action]({ id }) : 0;
      if (changed === 0) {
        return fault(response, 409, "The job is not in a state for that any more.");
      }
      live.lookSoon();
      response.json({ changed });
    });

    // With `dryRun` how many there are; without, as many of them as one call may change.
    router.post(`/jobs/${name}`, async (request: Request, response: Response) => {
      const { filter: given, dryRun } = (request.body ?? {}) as Record<string, unknown>;
      const filter = filterOf(given, response, { mayBeEmpty: false });
      if (filter === null) return;
      if (dryRun === true) {
        const [matching, running] = await Promise.all([
          ledger.countMatching(filter, action),
          ledger.countRunning(filter),
        ]);
        response.json({ matching, running });
        return;
      }
      const changed = await ledger.change(action, filter);
      live.lookSoon();
      response.json(changed);
    });
  }

  for (const action of ["pause", "resume"] as const) {
    router.post(`/queues/:name/${action}`, async (request: Request, response: Response) => {
      const name = QUEUES.find((queue) => queue === request.params.name);
      if (name === undefined) return fault(response, 404, "There is no such queue.");
      const changed = await ledger[action === "pause" ? "pauseQueue" : "resumeQueue"](name);
      live.lookSoon();
      response.json({ changed });
    });
  }
  return router;
}

/** Null after having answered what is wrong with it. */
function filterOf(
  given: unknown,
  response: Response,
  { mayBeEmpty = true } = {},
): JobFilter | null {
  const read = readFilter(given);
  if (!read.ok) fault(response, 400, `${read.path}: ${read.message}`);
  else if (read.isEmpty && !mayBeEmpty) fault(response, 400, "Say first which jobs: search.");
  else return read.filter;
  return null;
}

/** In a list an error is a line; its whole text is on the job's page. */
const LINE = 300;
function inBrief<Row extends { error: string | null }>(job: Row): Row {
  const { error } = job;
  return error === null || error.length <= LINE
    ? job
    : { ...job, error: `${error.slice(0, LINE)}…` };
}

function fault(response: Response, status: number, error: string): void {
  response.status(status).json({ error });
}
