import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { BodyAborted, BodyTooLarge, readBody } from "./request-body.ts";

const closers: Array<() => void> = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Sends `head`, hangs up if told so, and answers what the server made of the request. */
async function received<Result>(
  head: string,
  { hangUp, read }: { hangUp: boolean; read: (request: IncomingMessage) => Promise<Result> },
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const server = createServer((request, response) => {
      const waiting = hangUp
        ? new Promise((gone) => {
            request.once("close", gone);
            socket.destroy();
          })
        : Promise.resolve();
      waiting
        .then(() => read(request))
        .then(resolve, reject)
        .finally(() => response.destroy());
    });
    closers.push(() => server.close());
    let socket: ReturnType<typeof connect>;
    server.listen(0, "127.0.0.1", () => {
      socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(head);
    });
  });
}

const post = (body: string, length = body.length) =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${body}`;

test("a whole body is read", async () => {
  const read = async (request: IncomingMessage) => (await readBody(request, 10)).toString("utf8");
  expect(await received(post("hello"), { hangUp: false, read })).toBe("hello");
});

test("a client that left while something else was waited for: told so, not waited for", async () => {
  const read = (request: IncomingMessage) => readBody(request, 10);
  await expect(received(post("he", 5), { hangUp: true, read })).rejects.toThrow(BodyAborted);
  await expect(received(post("hello"), { hangUp: true, read })).rejects.toThrow(BodyAborted);
});

test("too much is refused before all of it is there", async () => {
  const read = (request: IncomingMessage) => readBody(request, 10);
  await expect(received(post("x".repeat(11), 1_000_000), { hangUp: false, read })).rejects.toThrow(
    BodyTooLarge,
  );
});
