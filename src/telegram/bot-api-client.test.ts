import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "@jest/globals";
import { type BotApiClientOptions, createBotApiFactory } from "./bot-api-client.ts";
import { BotApiError, type BotApiErrorFields } from "./bot-api-error.ts";

const TOKEN = "123456789:AAHfakefakefakefakefakefakefakefakefak";
const SECRET_TEXT = "the patient's name is Mallory";

const cleanUps: Array<() => void> = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** A Bot API server of one answer, over a real socket. */
async function server(listener: RequestListener): Promise<string> {
  const http = createServer(listener);
  const port = await listening(http);
  cleanUps.push(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${port}`;
}

function api(apiRoot: string, options: Partial<BotApiClientOptions> = {}) {
  return createBotApiFactory({ apiRoot, ...options })(TOKEN);
}

/** Timers that keep this process alive: those of the servers and of the runner are among them. */
const activeTimers = () =>
  process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;

/** More calls than other timers come and go meanwhile: what each call leaks stands out. */
const MANY_CALLS = 20;

/** The same failing call many times over: all of them together leave no timers behind. */
async function failuresLeaveNoTimers(call: () => Promise<BotApiErrorFields>) {
  const timers = activeTimers();
  const errors = await Promise.all(Array.from({ length: MANY_CALLS }, call));
  expect(activeTimers()).toBeLessThan(timers + MANY_CALLS / 2);
  return errors;
}

/** The error of a send, checked for what must never be in one. */
async function failure(
  apiRoot: string,
  options: Partial<BotApiClientOptions> = {},
): Promise<BotApiErrorFields> {
  const params = { chat_id: 42, text: SECRET_TEXT };
  const error = await api(apiRoot, options)
    .call("sendMessage", params)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(BotApiError);
  const seen: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    seen.push(at.message, at.stack ?? "", JSON.stringify(at, Object.getOwnPropertyNames(at)));
  }
  for (const text of seen) {
    expect(text).not.toContain(TOKEN.slice(10));
    expect(text).not.toContain("Mallory");
  }
  return error as BotApiError;
}

const json = (status: number, body: unknown): RequestListener => {
  return (_, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
};

describe("a call", () => {
  test("gives the result, over one connection that stays open", async () => {
    const ports = new Set<number | undefined>();
    const paths: string[] = [];
    const bodies: string[] = [];
    const root = await server((request, response) => {
      ports.add(request.socket.remotePort);
      paths.push(request.url ?? "");
      request.setEncoding("utf8").on("data", (text) => bodies.push(text));
      request.on("end", () =>
        json(200, { ok: true, result: { message_id: 7 } })(request, response),
      );
    });
    const bot = api(root);
    for (let n = 0; n < 3; n++) {
      expect(await bot.call("sendMessage", { chat_id: 1, text: "hi" })).toEqual({ message_id: 7 });
    }
    expect(ports.size).toBe(1);
    expect(paths[0]).toBe(`/bot${TOKEN}/sendMessage`);
    expect(JSON.parse(bodies[0] ?? "")).toEqual({ chat_id: 1, text: "hi" });
  });

  test("does not share what it learned with another call on the same connections", async () => {
    let n = 0;
    const root = await server((request, response) => {
      n += 1;
      json(n === 1 ? 401 : 200, n === 1 ? unauthorized : { ok: true, result: true })(
        request,
        response,
      );
    });
    const bot = api(root);
    await expect(bot.call("getMe")).rejects.toMatchObject({ kind: "unauthorized" });
    await expect(bot.call("getMe")).resolves.toBe(true);
  });
});

const unauthorized = { ok: false, error_code: 401, description: "Unauthorized" };

describe("a call that fails", () => {
  test("429 says how long to wait", async () => {
    const root = await server(
      json(429, {
        ok: false,
        error_code: 429,
        description: "Too Many Requests: retry after 7",
        parameters: { retry_after: 7 },
      }),
    );
    expect(await failure(root)).toMatchObject({
      kind: "rate-limited",
      retryAfterSeconds: 7,
      sent: "no",
      status: 429,
    });
  });

  test("a port that nobody listens on: nothing was sent", async () => {
    const placeholder = createTcpServer();
    const port = await listening(placeholder);
    await new Promise((resolve) => placeholder.close(resolve));
    expect(await failure(`http://127.0.0.1:${port}`)).toMatchObject({
      kind: "not-sent",
      sent: "no",
      description: "no connection (ECONNREFUSED)",
    });
  });

  test("a name that does not exist: nothing was sent", async () => {
    expect(await failure("http://telegram.invalid")).toMatchObject({
      kind: "not-sent",
      sent: "no",
    });
  });

  test("TLS that does not come about: nothing was sent", async () => {
    const tcp = createTcpServer((socket) => socket.once("data", () => socket.destroy()));
    const port = await listening(tcp);
    cleanUps.push(() => tcp.close());
    expect(await failure(`https://127.0.0.1:${port}`)).toMatchObject({
      kind: "not-sent",
      sent: "no",
    });
  });

  test("a TLS handshake that hangs: the deadline passed, and nothing was sent", async () => {
    const sockets: Socket[] = [];
    const tcp = createTcpServer((socket) => sockets.push(socket));
    const port = await listening(tcp);
    cleanUps.push(() => {
      for (const socket of sockets) socket.destroy();
      tcp.close();
    });
    expect(await failure(`https://127.0.0.1:${port}`, { timeoutMs: 100 })).toMatchObject({
      kind: "timeout",
      sent: "no",
    });
  });

  test("no answer in time: unknown", async () => {
    const root = await server(() => {});
    expect(await failure(root, { timeoutMs: 100 })).toMatchObject({
      kind: "timeout",
      sent: "unknown",
      status: 0,
    });
  });

  test("a connection cut before the answer: unknown", async () => {
    const root = await server((request) => request.socket.destroy());
    expect(await failure(root)).toMatchObject({ kind: "connection-lost", sent: "unknown" });
  });

  test("a connection cut on a second call over a kept connection: unknown", async () => {
    let n = 0;
    const root = await server((request, response) => {
      n += 1;
      if (n === 2) request.socket.destroy();
      else json(200, { ok: true, result: true })(request, response);
    });
    const bot = api(root);
    await bot.call("sendMessage", { chat_id: 1, text: "one" });
    await expect(bot.call("sendMessage", { chat_id: 1, text: "two" })).rejects.toMatchObject({
      kind: "connection-lost",
      sent: "unknown",
    });
  });

  const cutInside: Array<[string, (response: ServerResponse) => void]> = [
    ["counted", (response) => response.writeHead(200, { "content-length": 1000 })],
    ["chunked", (response) => response.writeHead(200)],
  ];
  test.each(cutInside)(
    "a connection cut inside a 200 (%s): it was sent, only the id is lost",
    async (_name, head) => {
      const root = await server((_, response) => {
        head(response);
        response.write('{"ok":true,"result":{"mess', () => response.socket?.destroy());
      });
      for (const error of await failuresLeaveNoTimers(() => failure(root))) {
        expect(error).toMatchObject({ kind: "connection-lost", sent: "yes" });
      }
    },
  );

  test("an answer that stops inside its body: the deadline ends it", async () => {
    const root = await server((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"ok":true,"result":{"mess');
    });
    for (const error of await failuresLeaveNoTimers(() => failure(root, { timeoutMs: 500 }))) {
      expect(error).toMatchObject({ kind: "timeout", sent: "yes" });
    }
  });

  test.each([500, 502, 504])("HTTP %i: unknown, whatever the body is", async (status) => {
    const root = await server((_, response) => {
      response.writeHead(status, { "content-type": "text/html" });
      response.end("<html>Bad gateway</html>");
    });
    expect(await failure(root)).toMatchObject({ kind: "server-error", status, sent: "unknown" });
  });

  test("a 5xx with an endless body holds no connection", async () => {
    let closed = 0;
    const root = await server((request, response) => {
      request.socket.once("close", () => {
        closed += 1;
      });
      response.writeHead(502);
      const more = () => void (response.destroyed || response.write("x".repeat(65_536), more));
      more();
    });
    expect(await failure(root)).toMatchObject({ kind: "server-error", sent: "unknown" });
    for (let n = 0; closed === 0 && n < 500; n++) await new Promise(setImmediate);
    expect(closed).toBe(1);
  });

  test("a proxy's page instead of an answer", async () => {
    const page: (status: number) => RequestListener = (status) => (_, response) => {
      response.writeHead(status, { "content-type": "text/html" });
      response.end("<html>Access denied</html>");
    };
    expect(await failure(await server(page(403)))).toMatchObject({
      kind: "bad-answer",
      sent: "no",
    });
    expect(await failure(await server(page(404)))).toMatchObject({
      kind: "bad-answer",
      sent: "no",
    });
    expect(await failure(await server(page(200)))).toMatchObject({
      kind: "bad-answer",
      sent: "unknown",
    });
  });

  test("a huge answer is not read to its end", async () => {
    let written = 0;
    const root = await server((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const chunk = "x".repeat(100_000);
      const more = () => {
        if (response.destroyed || written > 50_000_000) return;
        written += chunk.length;
        response.write(chunk, more);
      };
      more();
    });
    expect(await failure(root, { maxAnswerBytes: 1_000_000 })).toMatchObject({
      kind: "bad-answer",
      description: "too large",
      sent: "yes",
    });
    expect(written).toBeLessThan(20_000_000);
  });

  test.each([301, 302, 307, 308])("a redirect (%i) is not followed", async (status) => {
    let elsewhere = 0;
    const other = await server((request, response) => {
      elsewhere += 1;
      json(200, { ok: true, result: true })(request, response);
    });
    const root = await server((request, response) => {
      response.writeHead(status, { location: `${other}${request.url}` });
      response.end();
    });
    expect(await failure(root)).toMatchObject({ kind: "bad-answer", sent: "no" });
    expect(elsewhere).toBe(0);
  });

  test("the caller's signal ends it", async () => {
    const controller = new AbortController();
    const root = await server(() => controller.abort());
    const call = api(root).call("sendMessage", { chat_id: 1 }, { signal: controller.signal });
    await expect(call).rejects.toMatchObject({ kind: "aborted", sent: "unknown" });
  });

  test("a signal that is aborted already: nothing is sent", async () => {
    let requests = 0;
    const root = await server(() => {
      requests += 1;
    });
    const call = api(root).call("sendMessage", { chat_id: 1 }, { signal: AbortSignal.abort() });
    await expect(call).rejects.toMatchObject({ kind: "aborted", sent: "no" });
    expect(requests).toBe(0);
  });
});

test("a connection that nobody uses is closed here, before its server does so under a call", async () => {
  let whenClosed = () => {};
  const closed = new Promise<void>((resolve) => {
    whenClosed = resolve;
  });
  const http = createServer((_request, response) => {
    setTimeout(() => response.end(JSON.stringify({ ok: true, result: true })), 150);
  });
  http.keepAliveTimeout = 60_000;
  http.on("connection", (socket) => socket.once("close", () => whenClosed()));
  const port = await listening(http);
  cleanUps.push(() => http.close());
  const bot = api(`http://127.0.0.1:${port}`, { idleMs: 50 });
  // However long an answer takes, it is waited for.
  expect(await bot.call("getMe")).toBe(true);
  await closed;
});
