import type { Target } from "./load-run.ts";

/** An update as Telegram sends it, of about the usual size. */
export function textUpdate(updateId: number, chatId: number, messageId: number): string {
  const from = `{"id":${chatId},"is_bot":false,"first_name":"Ada","last_name":"Example","username":"ada_example","language_code":"en"}`;
  const text = `Message ${messageId}: the signed form of the third quarter is attached to the ticket; could you confirm that it has arrived and that nothing else is missing from our side this week?`;
  return `{"update_id":${updateId},"message":{"message_id":${messageId},"from":${from},"chat":{"id":${chatId},"first_name":"Ada","last_name":"Example","username":"ada_example","type":"private"},"date":1790000000,"text":"${text}"}}`;
}

/** A command that deserves an answer. */
export function startUpdate(updateId: number, chatId: number): string {
  const from = `{"id":${chatId},"is_bot":false,"first_name":"Ada"}`;
  return `{"update_id":${updateId},"message":{"message_id":1,"from":${from},"chat":{"id":${chatId},"first_name":"Ada","type":"private"},"date":1790000000,"text":"/start","entities":[{"type":"bot_command","offset":0,"length":6}]}}`;
}

/** The whole request, for a raw socket. */
export function webhookRequest({ path, secret }: Target, json: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Telegram-Bot-Api-Secret-Token: ${secret}\r\nContent-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`;
}
