import { createServer, type RequestListener, type Server } from "node:http";
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
/** Requests that came as far as Express. */
let letIn = 0;

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
  const app = express().use(receiver.router);
  const counted: RequestListener = (request, response) => {
    letIn++;
    app(request, response);
  };
  server = createServer(receiver.before(counted, () => false));
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

test("what proves nothing is refused before Express, with the same words however it is spelled", async () => {
  waitS = 0;
  const bot = await world.connectBot();
  expect(await deliver(url, bot, textUpdate(1, 5, 1, "hello"))).toBe(200);
  const send = async (path: string, secret: string) => {
    const headers = {
      "content-type": "application/json",
      "x-telegram-bot-api-secret-token": secret,
    };
    const body = JSON.stringify(textUpdate(2, 5, 2, "hello"));
    const answer = await rawRequest(url + path, { headers }, body);
    return [answer.status, answer.body];
  };
  const unknown = `/webhooks/telegram/${"n".repeat(43)}`;
  letIn = 0;
  for (const end of ["", "/", "?a=b", "/?a=b"]) {
    expect(await send(bot.webhookPath + end, "wrong")).toEqual([401, "secret wrong\n"]);
    expect(await send(bot.webhookPath + end, "")).toEqual([401, "secret missing\n"]);
    expect(await send(unknown + end, bot.secret)).toEqual([404, "key unknown\n"]);
  }
  expect(await send("/webhooks/telegram/x", "wrong")).toEqual([404, "key unknown\n"]);
  expect(letIn).toBe(0);

  const unusual = [
    bot.webhookPath.replace("webhooks", "Webhooks"),
    bot.webhookPath.replace("telegram/", "telegram/%").replace(/%(.)/, escaped),
    `${bot.webhookPath}/?a=b`,
  ];
  for (const path of unusual) {
    expect(await send(path, "wrong")).toEqual([401, "secret wrong\n"]);
    expect(await send(path, bot.secret)).toEqual([200, ""]);
  }
});

const escaped = (_all: string, character: string) =>
  `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`;

test("what a refused request says is never taken for the next one", async () => {
  waitS = 0;
  const bot = await world.connectBot();
  const request = (secret: string, body: string) =>
    `POST ${bot.webhookPath} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
    `X-Telegram-Bot-Api-Secret-Token: ${secret}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const smuggled = request(bot.secret, JSON.stringify(textUpdate(1, 5, 1, "smuggled")));
  const next = request(bot.secret, JSON.stringify(textUpdate(2, 5, 2, "hello")));
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  socket.on("error", () => {});
  socket.write(request("wrong", smuggled) + next);
  await waitFor(() => answer.includes("HTTP/1.1 200 "), { what: "the next to be accepted" });
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 401", "HTTP/1.1 200"]);
  const stored = await world.system.db.query<{ id: string }>(
    "SELECT payload->>'updateId' AS id FROM jobs WHERE payload->>'connectorId' = $1",
    [bot.connectorId],
  );
  expect(stored).toEqual([{ id: "2" }]);
});

test("of a refused request whose body is large or of no known size, the connection is closed", async () => {
  waitS = 0;
  const bot = await world.connectBot();
  const send = (headers: Record<string, string>) =>
    rawRequest(
      url + bot.webhookPath,
      { headers: { "x-telegram-bot-api-secret-token": "wrong", ...headers } },
      "{}",
    );
  expect((await send({})).headers.connection).toBe("keep-alive");
  const chunked = await send({ "transfer-encoding": "chunked" });
  expect(chunked).toMatchObject({ status: 401, headers: { connection: "close" } });
  const { answer } = await announced(bot, 100_000);
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
});

/** A wrong secret, and a body that never comes; what is answered until the server closes. */
async function announced(bot: TestBot, sizeBytes: number): Promise<{ answer: string }> {
  const socket = connect(port, "127.0.0.1");
  const held = { answer: "" };
  let closed = false;
  socket.on("data", (chunk) => {
    held.answer += chunk;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    closed = true;
  });
  socket.write(
    `POST ${bot.webhookPath} HTTP/1.1\r\nHost: x\r\n` +
      `X-Telegram-Bot-Api-Secret-Token: wrong\r\nContent-Length: ${sizeBytes}\r\n\r\n{`,
  );
  sockets.push(socket);
  await waitFor(() => closed, { what: "the connection to be closed" });
  return held;
}
