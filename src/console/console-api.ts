import express, { type Request, type Response, Router } from "express";
import type { Jobs } from "../jobs/index.ts";
import { isJobId, listJobs } from "../jobs/index.ts";
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
const ACTIONS = ["retry", "discard"] as const;

/** What the pages ask for and change; errors are `{error}`, in words for the person at the page. */
export function consoleApi({ db, jobs, live }: ConsoleApiOptions): Router {
  const router = Router();

  router.get("/jobs", async (request: Request, response: Response) => {
    const { before, ...query } = request.query;
    const read = readFilter(query);
    if (!read.ok) return fault(response, 400, `${read.path}: ${read.message}`);
    if (before !== undefined && !isJobId(String(before))) {
      return fault(response, 400, "before: is not a job's id");
    }
    const beforeId = before === undefined ? undefined : String(before);
    const rows = await listJobs(db, read.filter, { limit: PAGE_SIZE + 1, beforeId });
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

  for (const action of ACTIONS) {
    router.post(`/jobs/:id/${action}`, async (request: Request, response: Response) => {
      const id = String(request.params.id);
      const changed = await jobs.ledger[action]({ id });
      if (changed === 0) {
        return fault(response, 409, "The job is not in a state for that any more.");
      }
      live.lookSoon();
      response.json({ changed });
    });
  }
  return router;
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
