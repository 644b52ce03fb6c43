import type { Request, Response } from "express";
import type { Live, Topic } from "./live.ts";

/** What a reader may be behind: then it is cut off, and begins anew with a whole picture. */
const BACKLOG_LIMIT_BYTES = 2 * 1024 * 1024;
const HEARTBEAT_MS = 15_000;
const MAX_STREAMS = 200;
const TOPICS: readonly Topic[] = ["queues", "processes", "bots"];

/** Server-sent events to the open pages of this process (HTML: EventSource). */
export class EventStreams {
  private readonly live: Live;
  private readonly open = new Set<() => void>();

  constructor(live: Live) {
    this.live = live;
  }

  /** Streams the topic named in the query until the reader goes or `endMs` has come. */
  serve(request: Request, response: Response, endMs: number): void {
    const topic = TOPICS.find((known) => known === request.query.topic);
    if (topic === undefined) {
      response.status(400).json({ error: "There is no such topic." });
      return;
    }
    if (this.open.size >= MAX_STREAMS) {
      response.set("retry-after", "10");
      response.status(503).json({ error: "Too many pages of the console are open." });
      return;
    }
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    response.write("retry: 1000\n\n");
    const stop = this.live.listen(topic, (event, data) => {
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      if (response.writableLength > BACKLOG_LIMIT_BYTES) response.destroy();
    });
    const heartbeat = setInterval(() => response.write(": still here\n\n"), HEARTBEAT_MS);
    const end = () => void response.end();
    // The session's end; the page's next try is refused, and it asks for the token.
    const expiry = setTimeout(end, Math.max(0, endMs - Date.now()));
    this.open.add(end);
    response.on("close", () => {
      clearInterval(heartbeat);
      clearTimeout(expiry);
      this.open.delete(end);
      stop();
    });
  }

  /** Ends all of them: a server that stops waits for its answers. */
  close(): void {
    for (const end of this.open) end();
  }
}
