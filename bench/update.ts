import type { Target } from "./load-run.ts";

/** An update as Telegram sends it, of about the usual size. */
export function textUpdate(updateId: number, chatId: number, messageId: number): string {
  const from = `{"id":${chatId},"is_bot":false,"first_name":"Ada","last_name":"Example","username":"ada_example","language_code":"en"}`;
  const text = `Message ${messageId}: the signed form of the third quarter is attached to the ticket; could you confirm that it has arrived and that nothing else is missing from our side this week?`;
  return `{"update_id":${updateId},"message":{"message_id":${messageId},"from":${from},"chat":{"id":${chatId},"first_name":"Ada","last_name":"Example","username":"ada_example","type":"private"},"date":1790000000,"text":"${text}"}}`;
}

/** A command that deserves an answer. */
export const startUpdate = (updateId: number, chatId: number): string =>
  commandUpdate({ updateId, chatId, text: "/start" });

/** A command in a private chat that was never written in before. */
export function commandUpdate(of: { updateId: number; chatId: number; text: string }): string {
  const { updateId, chatId, text } = of;
  const from = `{"id":${chatId},"is_bot":false,"first_name":"Ada"}`;
  const length = text.split(" ", 1)[0]?.length ?? 0;
  return `{"update_id":${updateId},"message":{"message_id":1,"from":${from},"chat":{"id":${chatId},"first_name":"Ada","type":"private"},"date":1790000000,"text":${JSON.stringify(text)},"entities":[{"type":"bot_command","offset":0,"length":${length}}]}}`;
}

/** The whole request, for a raw socket. */
export function webhookRequest({ path, secret }: Target, json: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Telegram-Bot-Api-Secret-Token: ${secret}\r\nContent-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`;
}
