import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { rawRequest, startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { webServer } from "../../workers/web.ts";
import type { WebServer } from "./web-server.ts";

/** What becomes of connections that nobody uses. */

const MOST = 3;
/** As long as telegram-bot-api keeps a connection to a webhook, and the slowest of common proxies. */
const TELEGRAM_KEEPS_S = 60;
const PROXIES_KEEP_S = 600;
let world: TestSystem;
let server: WebServer;
let port: number;
const sockets: Socket[] = [];

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  server = webServer(world.system, { watch: false, maxConnections: MOST });
  port = await server.listen(0, "127.0.0.1");
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close(100);
  await world.close();
});

interface Connection {
  socket: Socket;
  answer: string;
  closed: boolean;
}

function open(): Connection {
  const socket = connect(port, "127.0.0.1");
  const connection = { socket, answer: "", closed: false };
  socket.on("data", (chunk) => {
    connection.answer += chunk;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    connection.closed = true;
  });
  sockets.push(socket);
  return connection;
}

/** A connection that had its answer, and is idle now. */
async function openIdle(): Promise<Connection> {
  const connection = open();
  connection.socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  await waitFor(() => connection.answer.startsWith("HTTP/1.1 200 "), { what: "the answer" });
  return connection;
}

test("an idle connection is kept longer than those who send keep theirs, refused or not", async () => {
  const wrong = {
    path: `/webhooks/telegram/${"n".repeat(43)}`,
    headers: { "x-telegram-bot-api-secret-token": "wrong" },
  };
  for (const options of [{ method: "GET", path: "/healthz" }, wrong]) {
    const { headers } = await rawRequest(world.url, options);
    const keptS = Number(/^timeout=(\d+)$/.exec(String(headers["keep-alive"]))?.[1]);
    expect(keptS).toBeGreaterThan(TELEGRAM_KEEPS_S);
    expect(keptS).toBeGreaterThan(PROXIES_KEEP_S);
  }
});

test("more connections than there may be: those that are idle make room, one at work stays", async () => {
  const working = open();
  working.socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n");
  await once(working.socket, "connect");
  const idle = [await openIdle(), await openIdle()];
  const tooMany = open();
  await waitFor(() => tooMany.closed && idle.every(({ closed }) => closed), {
    what: "idle connections to be closed",
  });
  await openIdle();
  working.socket.write("\r\n");
  await waitFor(() => working.answer.startsWith("HTTP/1.1 200 "), { what: "its answer" });
});

const answersOf = ({ answer }: Connection) => answer.split("HTTP/1.1 200 ").length - 1;
const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

test("requests sent ahead are answered; who sends hundreds ahead is cut off, and costs as many answers as anybody", async () => {
  const other = webServer(world.system, { watch: false });
  port = await other.listen(0, "127.0.0.1");
  const ahead = open();
  ahead.socket.write(GET("/healthz").repeat(10));
  await waitFor(() => answersOf(ahead) === 10, {
    what: "ten answers",
  });
  const flood = open();
  flood.socket.write(GET("/openapi.json").repeat(500));
  await waitFor(() => flood.closed, { what: "it to be cut off" });
  expect(answersOf(flood)).toBeLessThan(20);
  ahead.socket.write(GET("/healthz"));
  await waitFor(() => answersOf(ahead) === 11, {
    what: "another answer",
  });
  await other.close(100);
});

test("who asks and reads no answer is cut off", async () => {
  const other = webServer(world.system, { watch: false, stalledMs: 200 });
  port = await other.listen(0, "127.0.0.1");
  const deaf = open();
  deaf.socket.pause();
  await waitFor(
    () => {
      // What the system takes for it has to be full first.
      if (!deaf.closed) deaf.socket.write(GET("/openapi.json"));
      return deaf.closed;
    },
    { what: "it to be cut off" },
  );
  await other.close(100);
});

test("a server that closes does not wait for idle connections", async () => {
  const other = webServer(world.system, { watch: false });
  port = await other.listen(0, "127.0.0.1");
  const idle = await openIdle();
  // Longer than a test may take.
  await other.close(600_000);
  await waitFor(() => idle.closed, { what: "it to be closed" });
});
