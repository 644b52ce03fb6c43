import http from "node:http";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import express, { type Request, type Response } from "express";
import { rawRequest } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Problem } from "../platform/index.ts";
import { openBodyStream } from "./body-stream.ts";
import { readRawBody } from "./raw-body.ts";

const MEGABYTE = 1_048_576;
const MAX_BYTES = MEGABYTE;
const LIMITS = { contentTypes: [], deadlineMs: 200, maxBytes: MAX_BYTES };

let server: http.Server;
let url = "";
/** What became of each body, in turn. */
const outcomes: number[] = [];

/** Answers with the length of the body, or with what is wrong with it. */
async function answer(request: Request, response: Response): Promise<void> {
  const outcome = await readRawBody(request, response, LIMITS).then(
    ({ content }) => ({ status: 200, text: String(content.length) }),
    (error: Problem) => ({ status: error.status, text: error.detail }),
  );
  outcomes.push(outcome.status);
  response.status(outcome.status).send(outcome.text);
}

const collect = () => {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
};

/** Answers with how much came, and whether what was read of it is let go of before it has ended. */
async function read(request: Request, response: Response): Promise<void> {
  const { content, close } = openBodyStream(request, response, { deadlineMs: 60_000 });
  collect();
  const before = process.memoryUsage().arrayBuffers;
  let isLetGo: boolean | undefined;
  let sizeBytes = 0;
  for await (const piece of content) {
    sizeBytes += piece.length;
    if (sizeBytes < 32 * MEGABYTE || isLetGo !== undefined) continue;
    const isFreed = () => {
      collect();
      return process.memoryUsage().arrayBuffers - before < 8 * MEGABYTE;
    };
    isLetGo = await waitFor(isFreed, { timeoutMs: 3_000 }).catch(() => false);
  }
  close();
  response.json({ sizeBytes, isLetGo });
}

beforeAll(async () => {
  const app = express();
  app.post("/whole", answer);
  app.post("/streamed", read);
  server = app.listen(0, "127.0.0.1");
  await waitFor(() => server.listening);
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const send = (body: Buffer, headers: http.OutgoingHttpHeaders = {}) =>
  rawRequest(`${url}/whole`, { headers }, body);

test("a body is read as it came", async () => {
  expect(await send(Buffer.alloc(MAX_BYTES))).toMatchObject({
    status: 200,
    body: String(MAX_BYTES),
  });
});

test.each([
  ["says so", { "content-length": MAX_BYTES + 1 }],
  ["turns out to be", { "transfer-encoding": "chunked" }],
])("one that is too large is refused where it %s, in words that arrive", async (_, headers) => {
  const refused = await send(Buffer.alloc(MAX_BYTES + 1), headers);
  expect(refused).toMatchObject({ status: 413, headers: { connection: "close" } });
  expect(refused.body).toBe("A body has at most 1 MB here.");
});

test("one that takes too long is refused, and its connection is closed", async () => {
  const late = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const request = http.request(`${url}/whole`, { method: "POST" }, resolve);
    request.on("error", reject);
    request.write("a");
  });
  expect([late.statusCode, late.headers.connection]).toEqual([408, "close"]);
  late.resume();
});

test("one that breaks off is none", async () => {
  const before = outcomes.length;
  const request = http.request(`${url}/whole`, {
    method: "POST",
    headers: { "content-length": 1_000 },
  });
  request.on("error", () => {});
  request.write("a", () => request.destroy());
  await waitFor(() => outcomes.length > before, { what: "it to be given up" });
  expect(outcomes.at(-1)).toBe(400);
});

test("nothing is held of pieces that were read, however long the time for all of them", async () => {
  const { body } = await rawRequest(`${url}/streamed`, {}, Buffer.alloc(40 * MEGABYTE));
  // As it is sent it stands in this process, too, but it stood there before.
  expect(JSON.parse(body)).toEqual({ sizeBytes: 40 * MEGABYTE, isLetGo: true });
});
