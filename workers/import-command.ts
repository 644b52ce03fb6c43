import { open } from "node:fs/promises";
import { type Connection, MAX_FILE_BYTES, readConnection } from "./connection-file.ts";
import type { Print } from "./jobs-command.ts";

/**
 * Reads the file of `connector import` and tells what of it is used, what is not, and why; never what
 * it says. `publicUrl`: where Telegram reaches this installation, null in polling mode. Throws an
 * `Error` in one line.
 */
export async function importedConnection(
  path: string,
  { name, publicUrl, print }: { name: string; publicUrl: string | null; print: Print },
): Promise<Connection["given"]> {
  const connection = readConnection(await bytesOf(path), name);
  for (const { key, as } of connection.taken) print(`taken    ${key}: ${as}`);
  for (const { key, why } of connection.ignored) print(`ignored  ${key}: ${why}`);
  const { webhookOrigin, given } = connection;
  if (webhookOrigin !== null) {
    print(`ignored  telegram_config.webhook_url: ${ofWebhook(webhookOrigin, publicUrl)}`);
  }
  if (given.debug) print(`note     debugging is over by itself, at ${given.debug.until}`);
  return given;
}

/** Each bot gets an address of its own, with a secret: an old one is not taken over. */
function ofWebhook(origin: string, publicUrl: string | null): string {
  if (publicUrl === null) return "in polling mode a bot has no webhook";
  if (new URL(publicUrl).origin === origin) {
    return "the bot is registered at an address of its own beneath the same PUBLIC_URL";
  }
  return `the bot is registered beneath PUBLIC_URL, ${publicUrl}, and Telegram sends nothing to ${origin} any more`;
}

/** One byte more than a file may have, however large it is, and whether it has an end or not. */
async function bytesOf(path: string): Promise<Uint8Array> {
  const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
  let length = 0;
  try {
    const file = await open(path, "r");
    try {
      while (length < buffer.length) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`the file cannot be read: ${REASONS[code ?? ""] ?? code ?? "unknown"}`);
  }
  return buffer.subarray(0, length);
}

const REASONS: Record<string, string> = {
  ENOENT: "there is none of that name",
  EISDIR: "it is a folder",
  EACCES: "this user may not",
};
