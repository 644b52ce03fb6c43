import type { Server } from "node:http";
import type { Duplex } from "node:stream";

/**
 * A server has one time limit for all requests, seconds, and a large file takes longer. Node tells of a
 * request that took too long by `clientError`, once, before anything is done about it; a connection
 * whose body may take longer is let be then, and whoever reads the body has a limit of their own.
 */
const allowed = new WeakSet<Duplex>();

/** From now on, and until what it answers is called. */
export function allowSlowBody(socket: Duplex): () => void {
  allowed.add(socket);
  return () => void allowed.delete(socket);
}

/** What Node answers by itself where nobody listens to the event. */
const STATUS_LINES: Record<string, string> = {
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
};

/** Cuts off every other client whose request is broken or late, as Node would. */
export function boundSlowRequests(server: Server): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    const code = error.code ?? "";
    if (code === "ERR_HTTP_REQUEST_TIMEOUT" && allowed.has(socket)) return;
    if (socket.writable) {
      const status = STATUS_LINES[code] ?? "400 Bad Request";
      socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    }
    socket.destroy(error);
  });
}
