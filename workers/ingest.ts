import { createPressSink } from "../src/approvals/index.ts";
import {
  createDialogs,
  createHandlers,
  createRequestSink,
  gatherJobs,
} from "../src/compliance/index.ts";
import { createIngestHandler } from "../src/conversations/index.ts";
import { createReplySink } from "../src/outbound/index.ts";
import type { System } from "./system.ts";

/** The pool that turns updates into conversations. */
export async function startIngest({ jobs, log }: System): Promise<void> {
  const presses = createPressSink({ jobs });
  const downloads = gatherJobs(jobs);
  const dialogs = createDialogs({ jobs: downloads.sink });
  const requests = createRequestSink(createHandlers({ dialogs }), downloads.flush);
  const replies = createReplySink({ jobs });
  const handler = createIngestHandler({ replies, presses, requests, log });
  await jobs.startPool("ingest", handler, { slots: 100 });
}
