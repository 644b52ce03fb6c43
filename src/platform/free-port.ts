import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Where no system takes the ports of outgoing connections from: one that is free now is not taken by
 * somebody's connection a moment later, before its server listens.
 */
const FIRST_PORT = 10_240;
const LAST_PORT = 32_767;
const TRIES = 100;

/** A port of the loopback interface that nobody listens on at this moment, chosen at random. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (await isFree(port)) return port;
  }
  throw new Error(`${TRIES} ports of 127.0.0.1 were tried, and none is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
