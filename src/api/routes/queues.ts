import { z } from "zod";
import { QUEUES, queueStats } from "../../jobs/index.ts";
import { defineRoute } from "../route.ts";
import { scopeOf } from "./job-filter.ts";

const percentiles = z.object({
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
});
const nameParams = z.object({ name: z.enum(QUEUES) });
const pausedSchema = z.object({ name: z.enum(QUEUES), paused: z.boolean() });

export const queueRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/queues",
    auth: "either",
    scope: "read",
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
    handler: async ({ db, principal }) => ({
      status: 200,
      body: { data: await queueStats(db, scopeOf(principal).workspaceId) },
    }),
  }),
  defineRoute({
    method: "post",
    path: "/v1/queues/:name/pause",
    auth: "admin",
    summary: "Stops a queue: what runs is finished, nothing is begun, jobs are accepted and wait.",
    params: nameParams,
    success: { status: 200, schema: pausedSchema },
    handler: async ({ services, params: { name } }) => {
      await services.jobs.ledger.pauseQueue(name);
      return { status: 200, body: { name, paused: true } };
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/queues/:name/resume",
    auth: "admin",
    summary: "Lets a paused queue go on.",
    params: nameParams,
    success: { status: 200, schema: pausedSchema },
    handler: async ({ services, params: { name } }) => {
      await services.jobs.ledger.resumeQueue(name);
      return { status: 200, body: { name, paused: false } };
    },
  }),
];
