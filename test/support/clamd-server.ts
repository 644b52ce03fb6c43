import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";

/** A scanner that speaks clamd's INSTREAM, over a real socket: what holds `EICAR` is harmful to it. */
export interface ClamdServer {
  port: number;
  /** Files that were sent to it whole. */
  readonly seen: Buffer[];
  /** How it meets who comes next. Default `answers`. */
  mode: "answers" | "hangs-up" | "is-silent" | "fails";
  /** Larger files it answers before their end. */
  maxBytes: number;
  close(): Promise<void>;
}

const COMMAND = Buffer.from("zINSTREAM\0");

export async function startClamd(): Promise<ClamdServer> {
  const seen: Buffer[] = [];
  const sockets = new Set<Socket>();
  const clamd: ClamdServer = {
    port: 0,
    seen,
    mode: "answers",
    maxBytes: Number.POSITIVE_INFINITY,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    if (clamd.mode === "hangs-up") {
      socket.destroy();
      return;
    }
    let heard = Buffer.alloc(0);
    const file: Buffer[] = [];
    let bytes = 0;
    const answer = (words: string) => void socket.end(`${words}\0`);
    socket.on("data", (chunk: Buffer) => {
      if (socket.writableEnded || clamd.mode === "is-silent") return;
      heard = Buffer.concat([heard, chunk]);
      if (file.length === 0 && bytes === 0 && heard.subarray(0, 10).equals(COMMAND)) {
        heard = heard.subarray(10);
      }
      while (heard.length >= 4) {
        const length = heard.readUInt32BE();
        if (heard.length < 4 + length) return;
        file.push(heard.subarray(4, 4 + length));
        bytes += length;
        heard = heard.subarray(4 + length);
        if (bytes > clamd.maxBytes) return answer("INSTREAM size limit exceeded. ERROR");
        if (length > 0) continue;
        const content = Buffer.concat(file);
        seen.push(content);
        if (clamd.mode === "fails") return answer("stream: Can't allocate memory ERROR");
        const isHarmful = content.includes("EICAR");
        return answer(isHarmful ? "stream: Win.Test.EICAR_HDB-1 FOUND" : "stream: OK");
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  clamd.port = (server.address() as AddressInfo).port;
  return clamd;
}
