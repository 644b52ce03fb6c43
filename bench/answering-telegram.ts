import http from "node:http";
import type { AddressInfo } from "node:net";

/** A Bot API that answers every send at once and notes when it came: the sandbox would cost a core. */
export interface AnsweringTelegram {
  url: string;
  /** When the first send to a chat arrived, in ms since the epoch. */
  arrivals: Map<number, number>;
  close(): void;
}

export async function startAnsweringTelegram(): Promise<AnsweringTelegram> {
  const arrivals = new Map<number, number>();
  const server = http.createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      const { chat_id: chatId } = JSON.parse(text || "{}") as { chat_id?: number };
      if (chatId !== undefined && !arrivals.has(chatId)) arrivals.set(chatId, preciseNow());
      const chat = { id: chatId ?? 1, type: "private", first_name: "A" };
      const from = { id: 9, is_bot: true, first_name: "B" };
      const result = { message_id: arrivals.size + 1_000_000, date: 1_790_000_000, chat, from };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ ok: true, result }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

export const preciseNow = () => performance.timeOrigin + performance.now();
