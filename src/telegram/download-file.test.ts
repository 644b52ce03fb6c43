import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "@jest/globals";
import { createBotApiFactory } from "./bot-api-client.ts";
import { BotApiError } from "./bot-api-error.ts";
import type { DownloadOptions } from "./types.ts";

const TOKEN = "123456789:AAHfakefakefakefakefakefakefakefakefak";
const CONTENT = Buffer.alloc(300_000, "evidence ");
const PATH = "documents/file_7 é?#.pdf";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function take(apiRoot: string, options: DownloadOptions = {}, path = PATH) {
  const download = await createBotApiFactory({ apiRoot })(TOKEN).download(path, options);
  const chunks: Buffer[] = [];
  for await (const chunk of download.content) chunks.push(chunk);
  return { ...download, content: Buffer.concat(chunks) };
}

async function failure(apiRoot: string, options: DownloadOptions = {}, path = PATH) {
  const error = await take(apiRoot, options, path).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof BotApiError)) throw new Error(`no BotApiError: ${String(error)}`);
  const told = `${error.stack} ${JSON.stringify(error)}`;
  expect(told).not.toContain(TOKEN);
  expect(told).not.toContain("file_7");
  return error;
}

test("a file comes by the path that getFile named, whatever characters it holds", async () => {
  let asked = "";
  const root = await serve((request, response) => {
    asked = decodeURIComponent(request.url ?? "");
    response.end(CONTENT);
  });
  const { content, from } = await take(root);
  expect(asked).toBe(`/file/bot${TOKEN}/${PATH}`);
  expect(from).toBe(0);
  expect(content.equals(CONTENT)).toBe(true);
});

test("goes on where it is asked to, and says so where the server begins anew", async () => {
  let knowsRanges = true;
  const root = await serve((request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1]);
    if (!knowsRanges) {
      response.setHeader("content-length", CONTENT.length);
      response.end(CONTENT);
      return;
    }
    const range = `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}`;
    response.writeHead(206, { "content-range": range });
    response.end(CONTENT.subarray(from));
  });
  const rest = await take(root, { from: 123_456 });
  expect([rest.from, rest.sizeBytes]).toEqual([123_456, CONTENT.length]);
  expect(rest.content.equals(CONTENT.subarray(123_456))).toBe(true);
  knowsRanges = false;
  const whole = await take(root, { from: 123_456 });
  expect([whole.from, whole.sizeBytes, whole.content.length]).toEqual([
    0,
    CONTENT.length,
    CONTENT.length,
  ]);
});

describe("what is no file", () => {
  const answer = (status: number, body: string, headers: Record<string, string> = {}) =>
    serve((_request, response) => response.writeHead(status, headers).end(body));

  test.each([
    [404, '{"ok":false,"error_code":404,"description":"Not Found"}', "not-found"],
    [404, "<html>not here</html>", "not-found"],
    [401, '{"ok":false,"error_code":401,"description":"Unauthorized"}', "unauthorized"],
    [416, "", "bad-request"],
    [429, '{"ok":false,"parameters":{"retry_after":7}}', "rate-limited"],
    [502, "<html>", "server-error"],
  ])("status %i: %s", async (status, body, kind) => {
    const error = await failure(await answer(status, body));
    expect(error).toMatchObject({ kind, status });
    if (kind === "rate-limited") expect(error.retryAfterSeconds).toBe(7);
  });

  test("redirects are not followed, parts of another place and encoded content not taken", async () => {
    const elsewhere = await answer(302, "", { location: "http://127.0.0.1:1/" });
    expect((await failure(elsewhere)).kind).toBe("bad-answer");
    const misplaced = await answer(206, "x", { "content-range": "bytes 5-5/9" });
    expect((await failure(misplaced, { from: 4 })).kind).toBe("bad-answer");
    const encoded = await answer(200, "x", { "content-encoding": "gzip" });
    expect((await failure(encoded)).kind).toBe("bad-answer");
  });

  test("a path that leads elsewhere is not asked for", async () => {
    const root = "http://127.0.0.1:1";
    for (const path of ["", "documents/../../bot1/getMe", "..", `file_7\ud800`]) {
      expect((await failure(root, {}, path)).kind).toBe("bad-answer");
    }
  });
});

test("a connection that breaks off, stalls, takes too long, or is ended by the caller fails", async () => {
  const half: RequestListener = (_request, response) => {
    response.writeHead(200, { "content-length": CONTENT.length });
    response.write(CONTENT.subarray(0, 1_000));
  };
  const breaking = await serve((request, response) => {
    half(request, response);
    setImmediate(() => response.destroy());
  });
  expect((await failure(breaking)).kind).toBe("connection-lost");
  const hanging = await serve(half);
  expect((await failure(hanging, { stallMs: 30 })).kind).toBe("timeout");
  expect((await failure(hanging, { timeoutMs: 30 })).kind).toBe("timeout");
  expect((await failure(hanging, { signal: AbortSignal.timeout(30) })).kind).toBe("aborted");
  const silent = await serve(() => {});
  expect((await failure(silent, { stallMs: 30 })).kind).toBe("timeout");
  expect((await failure("http://127.0.0.1:1")).kind).toBe("not-sent");
});
