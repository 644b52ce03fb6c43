import { z } from "zod";
import {
  getJob,
  JOB_STATES,
  type JobFilter,
  listJobs,
  QUEUES,
  queueStats,
} from "../../jobs/index.ts";
import { Problem } from "../../platform/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { defineRoute, type Principal, pageOf, pageQuery, text } from "../route.ts";

const filterShape = {
  queue: z.enum(QUEUES).optional(),
  state: z.enum([...JOB_STATES, "scheduled"]).optional(),
  lane: text().max(300).optional(),
  q: text().max(200).optional(),
};
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
const percentiles = z.object({
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
});

/** A workspace sees and changes its own jobs; an administrator those of all. */
const scopeOf = (principal: Principal): { workspaceId?: string } =>
  principal.kind === "workspace" ? { workspaceId: principal.workspaceId } : {};

function filterOf(
  principal: Principal,
  { queue, state, lane, q }: { [Key in keyof typeof filterShape]?: unknown },
): JobFilter {
  const states = state === undefined ? undefined : [state];
  return { ...scopeOf(principal), queue, states, lane, text: q } as JobFilter;
}

const noJob = () => new Problem(404, "Not found", "There is no such job.");

export const jobRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/jobs",
    auth: "either",
    summary: "Searches the ledger, newest first. `q` is an id, or part of kind, lane or error.",
    query: z.strictObject({ ...filterShape, ...pageQuery }),
    success: { status: 200, schema: pageOf(jobSchema) },
    handler: async ({ services, principal, query }) => {
      const beforeId = decodeCursor(query.cursor, JOB_ID_SHAPE);
      const page = { limit: query.limit + 1, beforeId };
      const rows = await listJobs(services.db, filterOf(principal, query), page);
      const data = rows.slice(0, query.limit);
      const last = data.at(-1);
      const more = rows.length > query.limit && last !== undefined;
      return { status: 200, body: { data, nextCursor: more ? encodeCursor(last.id) : null } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/jobs/:id",
    auth: "either",
    summary: "One job, with its failed attempts.",
    params: idParams,
    success: { status: 200, schema: jobSchema },
    handler: async ({ services, principal, params }) => {
      const job = await getJob(services.db, { id: params.id, ...scopeOf(principal) });
      if (job === null) throw noJob();
      return { status: 200, body: job };
    },
  }),
  ...(["retry", "discard"] as const).map((action) =>
    defineRoute({
      method: "post",
      path: `/v1/jobs/:id/${action}`,
      auth: "either",
      summary:
        action === "retry"
          ? "Gives a dead letter its attempts back and makes it due."
          : "Makes a waiting job a dead letter.",
      params: idParams,
      success: { status: 200, schema: jobSchema },
      handler: async ({ services, principal, params }) => {
        const which = { id: params.id, ...scopeOf(principal) };
        if ((await getJob(services.db, which)) === null) throw noJob();
        if ((await services.jobs.ledger[action](which)) === 0) {
          const state = action === "retry" ? "discarded or cancelled" : "waiting";
          throw new Problem(409, "Not in that state", `Only a ${state} job can be changed so.`);
        }
        return { status: 200, body: await getJob(services.db, which) };
      },
    }),
  ),
  defineRoute({
    method: "post",
    path: "/v1/jobs/retry",
    auth: "either",
    summary: "Retries the dead letters that match, at most 1,000 a call.",
    body: z.strictObject(filterShape),
    success: { status: 200, schema: z.object({ retried: z.number() }) },
    handler: async ({ services, principal, body }) => {
      const retried = await services.jobs.ledger.retry(filterOf(principal, body));
      return { status: 200, body: { retried } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/queues",
    auth: "either",
    summary: "Every queue's counts, the age of its oldest waiting job, rates and latencies.",
    success: {
      status: 200,
      schema: z.object({
        data: z.array(
          z.object({
            name: z.enum(QUEUES),
            paused: z.boolean(),
            counts: z.record(z.string(), z.number()),
            oldestWaitingMs: z.number().nullable(),
            perSecond: z.number(),
            waitMs: percentiles,
            runMs: percentiles,
          }),
        ),
      }),
    },
    handler: async ({ services, principal }) => ({
      status: 200,
      body: { data: await queueStats(services.db, scopeOf(principal).workspaceId) },
    }),
  }),
];
