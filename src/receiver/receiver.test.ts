import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import express from "express";
import {
  deliver,
  startTestSystem,
  type TestBot,
  type TestSystem,
  textUpdate,
} from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createWebhookDirectory } from "../connectors/index.ts";
import { createReceiver } from "./receiver.ts";

const PLACES = 20;
let world: TestSystem;
let server: Server;
let port: number;
let url: string;
const sockets: Socket[] = [];

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  const { db, jobs, metrics, log } = world.system;
  const receiver = createReceiver({
    db,
    directory: createWebhookDirectory(db),
    links: { linked: async () => true, move: async () => {} },
    seen: { note: () => {}, record: async () => {} },
    failures: { failed: async () => 0 },
    jobs,
    metrics,
    log,
    maxInFlight: PLACES,
  });
  server = createServer(express().use(receiver));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
  url = `http://127.0.0.1:${port}`;
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  server.close().closeAllConnections();
  await world.close();
});

/** A request whose body does not come; gives what was answered so far. */
function hold(bot: TestBot, secret = bot.secret): { answer: string; socket: Socket } {
  const socket = connect(port, "127.0.0.1");
  const held = { answer: "", socket };
  socket.on("data", (chunk) => {
    held.answer += chunk;
  });
  socket.on("error", () => {});
  socket.write(
    `POST ${bot.webhookPath} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
      `X-Telegram-Bot-Api-Secret-Token: ${secret}\r\nContent-Length: 1000\r\n\r\n`,
  );
  sockets.push(socket);
  return held;
}

const answered = (all: { answer: string }[], status: number) =>
  all.filter(({ answer }) => answer.startsWith(`HTTP/1.1 ${status} `)).length;

test("a bot that holds all it can get keeps no other out; neither do wrong secrets", async () => {
  const [greedy, quiet] = [await world.connectBot(), await world.connectBot()];
  const held = Array.from({ length: 2 * PLACES }, () => hold(greedy));
  await waitFor(() => answered(held, 503) === 2 * PLACES - PLACES / 2, {
    what: "what is too much to be refused",
  });
  expect(held.find(({ answer }) => answer !== "")?.answer).toMatch(/\r\nretry-after: 1\r\n/i);
  const wrong = Array.from({ length: 2 * PLACES }, () => hold(quiet, "wrong"));
  await waitFor(() => answered(wrong, 401) === wrong.length, { what: "the wrong to be refused" });
  expect(await deliver(url, quiet, textUpdate(1, 5, 1, "hello"))).toBe(200);
  expect(await deliver(url, greedy, textUpdate(1, 5, 1, "hello"))).toBe(503);
  for (const { socket } of held) socket.destroy();
  await waitFor(async () => (await deliver(url, greedy, textUpdate(1, 5, 1, "hello"))) === 200, {
    what: "its places to be given back",
  });
});
