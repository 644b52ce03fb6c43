import { connect } from "node:net";

/**
 * The load, in a process of its own: keep-alive connections, one request in flight on each, bodies
 * as Telegram sends them. `load.js PORT PATH SECRET CONNECTIONS CHATS (--seconds S | --count N)`.
 * Prints a line when it begins, and one JSON line with what was answered 200 and in what time.
 * Raw sockets, because the load shares two cores with what it measures.
 */
const [port, path, secret, connections, chats, unit, amount] = process.argv.slice(2);
const limit = Number(amount);
const endsAtMs =
  unit === "--seconds" ? performance.now() + limit * 1_000 : Number.POSITIVE_INFINITY;
const total = unit === "--count" ? limit : Number.POSITIVE_INFINITY;
const firstId = Number(process.env.FIRST_UPDATE_ID ?? 1);

let sent = 0;
let accepted = 0;
let refused = 0;

function body(n: number): string {
  const chat = 10_000_000 + (n % Number(chats));
  const from = `{"id":${chat},"is_bot":false,"first_name":"Ada","last_name":"Example","username":"ada_example","language_code":"en"}`;
  const text = `Message ${n}: the signed form of the third quarter is attached to the ticket; could you confirm that it has arrived and that nothing else is missing from our side this week?`;
  return `{"update_id":${firstId + n},"message":{"message_id":${n + 1},"from":${from},"chat":{"id":${chat},"first_name":"Ada","last_name":"Example","username":"ada_example","type":"private"},"date":1790000000,"text":"${text}"}}`;
}

function request(n: number): string {
  const json = body(n);
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Telegram-Bot-Api-Secret-Token: ${secret}\r\nContent-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`;
}

const startedMs = performance.now();
process.stdout.write("begun\n");

await Promise.all(
  Array.from(
    { length: Number(connections) },
    () =>
      new Promise<void>((resolve) => {
        const socket = connect(Number(port), "127.0.0.1");
        socket.setNoDelay(true);
        const next = () => {
          if (sent >= total || performance.now() >= endsAtMs) {
            socket.end();
            resolve();
            return;
          }
          socket.write(request(sent++));
        };
        socket.on("connect", next);
        socket.on("data", (chunk) => {
          // An answer without a body fits one packet.
          if (chunk.subarray(0, 12).toString("latin1") === "HTTP/1.1 200") accepted++;
          else refused++;
          next();
        });
        socket.on("error", () => {
          refused++;
          resolve();
        });
      }),
  ),
);
const seconds = (performance.now() - startedMs) / 1_000;
process.stdout.write(`${JSON.stringify({ accepted, refused, seconds })}\n`);
