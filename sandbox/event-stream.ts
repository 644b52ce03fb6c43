import type { ServerResponse } from "node:http";
import type { RecordEntry, SandboxRecord } from "./record.ts";

/** A reader that is this far behind is cut off; it comes back and reads on from where it was. */
const backlogLimitBytes = 8 * 1024 * 1024;

/**
 * The record as server-sent events, one entry each, from now on or from after `afterSeq` (what a
 * browser sends as Last-Event-ID when it comes back).
 */
export function streamEvents(
  record: SandboxRecord,
  response: ServerResponse,
  options: { kinds: RecordEntry["kind"][] | undefined; afterSeq: number | undefined },
): void {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  const kinds = options.kinds === undefined ? undefined : new Set(options.kinds);
  const write = (entry: RecordEntry) => {
    if (kinds !== undefined && !kinds.has(entry.kind)) return;
    response.write(`id: ${entry.seq}\ndata: ${JSON.stringify(entry)}\n\n`);
    if (response.writableLength > backlogLimitBytes) response.destroy();
  };
  response.write("retry: 500\n\n");
  if (options.afterSeq !== undefined)
    for (const entry of record.after(options.afterSeq)) write(entry);
  const stop = record.listen(write);
  const heartbeat = setInterval(() => response.write(": still here\n\n"), 15_000);
  heartbeat.unref();
  response.on("close", () => {
    clearInterval(heartbeat);
    stop();
  });
}
