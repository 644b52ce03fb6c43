import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import express from "express";
import {
  deliver,
  rawRequest,
  startTestSystem,
  type TestBot,
  type TestSystem,
  textUpdate,
} from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createWebhookDirectory } from "../connectors/index.ts";
import type { Failure } from "../platform/index.ts";
import { createIntake } from "./intake.ts";
import { type Chat, linkKeyOf } from "./linked-chats.ts";
import { createReceiver } from "./receiver.ts";

const PLACES = 30;
let world: TestSystem;
let server: Server;
let port: number;
let url: string;
const sockets: Socket[] = [];
const failures: Failure[] = [];
let waitS = 0;

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  const { db, jobs, metrics, log } = world.system;
  const seen = { note: () => {}, record: async () => {} };
  const links = {
    linked: async (chats: readonly Chat[]) => new Set(chats.map(linkKeyOf)),
    move: async () => {},
  };
  const receiver = createReceiver({
    directory: createWebhookDirectory(db),
    intake: createIntake({ db, links, seen, jobs }),
    failures: {
      failed: async (failure) => {
        failures.push(failure);
        return waitS;
      },
    },
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
  await waitFor(() => answered(held, 503) === 2 * PLACES - PLACES / 3, {
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

test("only what fails is counted: by its network, and by its connector where there is one", async () => {
  const bot = await world.connectBot();
  failures.length = 0;
  const send = (path: string, secret: string) =>
    rawRequest(url + path, { headers: { "x-telegram-bot-api-secret-token": secret } }, "{}");
  const unknown = `/webhooks/telegram/${"n".repeat(43)}`;
  expect(await deliver(url, bot, textUpdate(1, 5, 1, "hello"))).toBe(200);
  // Proven, and refused for what it says: a fault of the sender's, and no failure to prove itself.
  expect((await send(bot.webhookPath, bot.secret)).status).toBe(415);
  expect(failures).toEqual([]);
  expect((await send(bot.webhookPath, "wrong")).status).toBe(401);
  expect((await send(bot.webhookPath, "")).status).toBe(401);
  expect((await send(unknown, bot.secret)).status).toBe(404);
  const network = "127.0.0.1";
  expect(failures).toEqual([{ network, target: bot.connectorId }, { network }, { network }]);

  waitS = 17;
  const refused = await send(bot.webhookPath, "wrong");
  expect(refused).toMatchObject({ status: 429, headers: { "retry-after": "17" } });
  expect(refused.body).not.toContain(bot.connectorId);
  expect(await deliver(url, bot, textUpdate(2, 5, 2, "hello"))).toBe(200);
  expect(failures).toHaveLength(4);
});
