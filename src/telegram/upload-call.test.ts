import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterEach, describe, expect, test } from "@jest/globals";
import { createBotApiFactory } from "./bot-api-client.ts";
import { BotApiError } from "./bot-api-error.ts";
import { UploadFile } from "./types.ts";

const TOKEN = "123456789:AAHfakefakefakefakefakefakefakefakefak";
const cleanUps: Array<() => void> = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

async function server(listener: RequestListener): Promise<string> {
  const http = createServer(listener);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  cleanUps.push(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

const api = (apiRoot: string) => createBotApiFactory({ apiRoot })(TOKEN);
/** Of what breaks off: nothing. */
const readAll = async (request: IncomingMessage) =>
  Buffer.concat(await request.toArray().catch(() => []));

const ok: RequestListener = async (request, response) => {
  await readAll(request);
  response.end(JSON.stringify({ ok: true, result: { message_id: 7 } }));
};

const fileOf = (content: Buffer, name = "a.txt") =>
  new UploadFile({ name, sizeBytes: content.length, open: () => Readable.from([content]) });

/** A file whose pieces come for as long as somebody takes them; counts what was taken. */
function hugeFile(sizeBytes: number) {
  const piece = Buffer.alloc(65_536, "x");
  let taken = 0;
  const pieces = function* () {
    for (let left = sizeBytes; left > 0; left -= piece.length) {
      taken += piece.length;
      yield piece.subarray(0, Math.min(left, piece.length));
    }
  };
  const open = () => Readable.from(pieces(), { objectMode: false });
  return { file: new UploadFile({ name: "huge", sizeBytes, open }), taken: () => taken };
}

const failureOf = (call: Promise<unknown>): Promise<BotApiError> =>
  call.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(BotApiError);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(TOKEN);
      return error as BotApiError;
    },
  );

describe("a call with files", () => {
  test("is a form: the file's bytes as they are, everything else as the Bot API reads it", async () => {
    let form: FormData | undefined;
    const root = await server(async (request, response) => {
      const body = await readAll(request);
      expect(request.headers["content-length"]).toBe(String(body.length));
      const headers = { "content-type": request.headers["content-type"] ?? "" };
      form = await new Response(new Uint8Array(body), { headers }).formData();
      response.end(JSON.stringify({ ok: true, result: true }));
    });
    const content = Buffer.from([0, 13, 10, 255, 45, 45]);
    const params = {
      chat_id: -5,
      caption: "ä",
      disable_notification: true,
      reply_parameters: { message_id: 3 },
      message_thread_id: undefined,
      document: fileOf(content, 'x"\r\nevil: 1\r\n\r\n/../ünï.pdf'),
    };
    expect(await api(root).call("sendDocument", params)).toBe(true);
    const file = form?.get("document");
    if (typeof file !== "object" || file === null) throw new Error("no file");
    expect(Buffer.from(await file.arrayBuffer())).toEqual(content);
    // Nothing of a name ends its line or its quotes, or names a folder.
    expect(file.name).toBe("x_evil: 1_.._ünï.pdf");
    form?.delete("document");
    expect(Object.fromEntries([...(form ?? [])])).toEqual({
      chat_id: "-5",
      caption: "ä",
      disable_notification: "true",
      reply_parameters: '{"message_id":3}',
    });
  });

  test("a file's type is said where it is one, and breaks out of nothing where it is none", async () => {
    let body = "";
    const root = await server(async (request, response) => {
      body = (await readAll(request)).toString("latin1");
      response.end(JSON.stringify({ ok: true, result: true }));
    });
    const typesOf = async (contentType: string) => {
      const open = () => Readable.from([Buffer.from("a")]);
      const document = new UploadFile({ name: "a", sizeBytes: 1, contentType, open });
      await api(root).call("sendDocument", { document });
      return [...body.matchAll(/^content-type: (.*)\r$/gm)].map(([, type]) => type);
    };
    expect(await typesOf("application/pdf")).toEqual(["application/pdf"]);
    expect(await typesOf("a/b\r\nevil: 1")).toEqual(["application/octet-stream"]);
  });

  test("an album's items refer to their files", async () => {
    let body = "";
    const root = await server(async (request, response) => {
      body = (await readAll(request)).toString("latin1");
      response.end(JSON.stringify({ ok: true, result: [] }));
    });
    const media = [
      { type: "photo", media: fileOf(Buffer.from("first")) },
      { type: "photo", media: "known-id" },
      { type: "photo", media: fileOf(Buffer.from("second")) },
    ];
    await api(root).call("sendMediaGroup", { media });
    expect(body).toContain('"media":"attach://file0"},{"type":"photo","media":"known-id"}');
    expect(body).toContain('name="file1"; filename="a.txt"');
  });

  test("a server that takes nothing is handed no more than fits on the way", async () => {
    const root = await server(() => {});
    const { file, taken } = hugeFile(50_000_000);
    const call = api(root).call("sendDocument", { document: file }, { timeoutMs: 300 });
    expect(await failureOf(call)).toMatchObject({ kind: "timeout", sent: "no" });
    expect(taken()).toBeLessThan(20_000_000);
  });

  test("what was not uploaded to its last byte was not sent; after it, nobody knows", async () => {
    const cut = await server((request) => {
      request.once("data", () => request.socket.destroy());
    });
    const { file } = hugeFile(50_000_000);
    const half = await failureOf(api(cut).call("sendDocument", { document: file }));
    expect(half).toMatchObject({ kind: "connection-lost", sent: "no" });

    const silent = await server(async (request) => {
      await readAll(request);
      request.socket.destroy();
    });
    const document = fileOf(Buffer.from("small"));
    const whole = await failureOf(api(silent).call("sendDocument", { document }));
    expect(whole).toMatchObject({ kind: "connection-lost", sent: "unknown" });
  });

  test("a file that breaks off, or is not as long as it was said, ends its call and nothing else", async () => {
    const root = await server(ok);
    const broken = () =>
      Readable.from(
        (async function* () {
          yield Buffer.from("ab");
          throw new Error("disk");
        })(),
      );
    const short = () => Readable.from([Buffer.from("ab")]);
    for (const open of [broken, short]) {
      const document = new UploadFile({ name: "f", sizeBytes: 1_000, open });
      const call = api(root).call("sendDocument", { document });
      expect(await failureOf(call)).toMatchObject({ sent: "no" });
    }
    const document = fileOf(Buffer.from("fine"));
    await expect(api(root).call("sendDocument", { document })).resolves.toEqual({ message_id: 7 });
  });

  test("a file is not read before there is a connection: one that breaks off is no outage of Telegram", async () => {
    let opened = 0;
    const open = () => {
      opened++;
      return new Readable({ read: () => {} }).destroy(new Error("store"));
    };
    const document = new UploadFile({ name: "f", sizeBytes: 10, open });
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const closed = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    await new Promise((resolve) => http.close(resolve));
    const away = await failureOf(api(closed).call("sendDocument", { document }));
    expect(away).toMatchObject({ kind: "not-sent", sent: "no" });
    expect(opened).toBe(0);
    const root = await server(ok);
    const broken = await failureOf(api(root).call("sendDocument", { document }));
    expect(broken).toMatchObject({ kind: "connection-lost", sent: "no" });
  });

  test("an answer that comes before the upload is over is heeded", async () => {
    const answer = { ok: false, error_code: 429, parameters: { retry_after: 3 } };
    const root = await server((_, response) => {
      response.writeHead(429).end(JSON.stringify(answer));
    });
    const { file } = hugeFile(50_000_000);
    const early = await failureOf(api(root).call("sendDocument", { document: file }));
    expect(early).toMatchObject({ kind: "rate-limited", retryAfterSeconds: 3, sent: "no" });
    for (const [status, kind] of [
      [502, "server-error"],
      [408, "bad-answer"],
    ] as const) {
      const impatient = await server((_, response) => {
        response.writeHead(status, { "content-type": "text/html" }).end("<html>No</html>");
      });
      const call = api(impatient).call("sendDocument", { document: hugeFile(50_000_000).file });
      expect(await failureOf(call)).toMatchObject({ kind, sent: "no" });
    }

    const proxy = await server(async (request, response) => {
      await readAll(request);
      response.writeHead(413, { "content-type": "text/html" }).end("<html>Too large</html>");
    });
    const document = fileOf(Buffer.from("small"));
    const refused = await failureOf(api(proxy).call("sendDocument", { document }));
    expect(refused).toMatchObject({ kind: "bad-request", sent: "no" });
  });
});
