import { createIngestHandler } from "../src/conversations/index.ts";
import { createReplySink } from "../src/outbound/index.ts";
import type { System } from "./system.ts";

/** The pool that turns updates into conversations. */
export async function startIngest({ jobs, log }: System): Promise<void> {
  const handler = createIngestHandler({ replies: createReplySink({ jobs }), log });
  await jobs.startPool("ingest", handler, { slots: 100 });
}
