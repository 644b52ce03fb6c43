import { z } from "zod";
import { getJob, type LedgerAction, listJobs } from "../../jobs/index.ts";
import { Problem } from "../../platform/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { defineRoute, pageOf, pageQuery } from "../route.ts";
import { filterOf, filterShape, requireFilter, scopeOf } from "./job-filter.ts";

/** Fewer digits than a bigint has: a sequence that begins at 1 does not get further. */
const JOB_ID_SHAPE = /^[0-9]{1,18}$/;
const idParams = z.object({ id: z.string().max(40) });
const jobSchema = z.looseObject({
  id: z.string(),
  queue: z.string(),
  lane: z.string(),
  kind: z.string(),
  state: z.string(),
  attempts: z.number(),
  maxAttempts: z.number(),
  runAt: z.string(),
  createdAt: z.string(),
  errorClass: z.string().nullable(),
  error: z.string().nullable(),
});

/** What people may do to jobs, as the paths name it. */
interface Action {
  action: LedgerAction;
  /** What is done to one job. */
  summary: string;
  /** Which jobs it is for, for whoever tries it on another. */
  from: string;
  /** The name of the figure of those that were changed. */
  done: string;
  /** What is to be known where it is done to many. */
  ofMany?: string;
}

const ACTIONS: Record<string, Action> = {
  retry: {
    action: "retry",
    summary: "Gives a dead letter its attempts back and makes it due.",
    from: "discarded or cancelled",
    done: "retried",
    ofMany: " Cancelled ones only where `state` names them.",
  },
  discard: {
    action: "discard",
    summary: "Makes a waiting job a dead letter.",
    from: "waiting",
    done: "discarded",
  },
  cancel: {
    action: "cancel",
    summary: "Cancels a waiting job.",
    from: "waiting",
    done: "cancelled",
  },
  "run-now": {
    action: "runNow",
    summary: "Makes a job due now that waits for its time or its retry.",
    from: "scheduled or retryable",
    done: "started",
  },
};

/** Jobs that one call changes at most; batches commit by themselves. */
const MAX_CHANGED = 10_000;
const countSchema = z.object({
  count: z.number(),
  capped: z.boolean().describe("true: there are more, and nobody has counted them"),
});

const noJob = () => new Problem(404, "Not found", "There is no such job.");

export const jobRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/jobs",
    auth: "either",
    scope: "read",
    summary: "Searches the ledger, newest first.",
    query: z.strictObject({ ...filterShape, ...pageQuery }),
    success: { status: 200, schema: pageOf(jobSchema) },
    handler: async ({ db, principal, query }) => {
      const { limit, cursor, ...filter } = query;
      const beforeId = decodeCursor(cursor, JOB_ID_SHAPE);
      const page = { limit: limit + 1, beforeId };
      const rows = await listJobs(db, filterOf(principal, filter), page);
      const data = rows.slice(0, limit);
      const last = data.at(-1);
      const more = rows.length > limit && last !== undefined;
      return { status: 200, body: { data, nextCursor: more ? encodeCursor(last.id) : null } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/jobs/:id",
    auth: "either",
    scope: "read",
    summary: "One job, with its failed attempts.",
    params: idParams,
    success: { status: 200, schema: jobSchema },
    handler: async ({ db, principal, params }) => {
      const job = await getJob(db, { id: params.id, ...scopeOf(principal) });
      if (job === null) throw noJob();
      return { status: 200, body: job };
    },
  }),
  ...Object.entries(ACTIONS).flatMap(([name, { action, summary, from, done, ofMany = "" }]) => [
    defineRoute({
      method: "post",
      path: `/v1/jobs/:id/${name}`,
      auth: "either",
      scope: "manage",
      summary,
      params: idParams,
      success: { status: 200, schema: jobSchema },
      handler: async ({ db, services, principal, params }) => {
        const which = { id: params.id, ...scopeOf(principal) };
        if ((await getJob(db, which)) === null) throw noJob();
        if ((await services.jobs.ledger[action](which)) === 0) {
          throw new Problem(409, "Not in that state", `Only a ${from} job can be changed so.`);
        }
        return { status: 200, body: await getJob(db, which) };
      },
    }),
    defineRoute({
      method: "post",
      path: `/v1/jobs/${name}`,
      auth: "either",
      scope: "manage",
      summary: `${summary} All that match, oldest first, up to a limit a call; running ones are left alone.${ofMany} With \`dryRun\` only says how many. Without a filter it wants \`all: true\`.`,
      body: z.strictObject({
        ...filterShape,
        all: z.boolean().default(false).describe("all jobs are meant: without a filter needed"),
        dryRun: z.boolean().default(false),
        limit: z.number().int().min(1).max(MAX_CHANGED).default(MAX_CHANGED),
      }),
      success: {
        status: 200,
        schema: z.union([
          z.object({
            [done]: z.number(),
            running: countSchema.describe("matching jobs that run now and were left alone"),
            left: countSchema.describe("what another call would change"),
          }),
          countSchema.extend({ running: countSchema }),
        ]),
      },
      handler: async ({ services, principal, body }) => {
        const { all, dryRun, limit, ...input } = body;
        const { ledger } = services.jobs;
        const filter = filterOf(principal, input);
        if (dryRun) {
          const count = await ledger.countMatching(filter, action);
          return { status: 200, body: { ...count, running: await ledger.countRunning(filter) } };
        }
        requireFilter(principal, input, all);
        const { changed, running, left } = await ledger.change(action, filter, { limit });
        return { status: 200, body: { [done]: changed, running, left } };
      },
    }),
  ]),
];
