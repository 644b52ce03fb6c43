import type { IncomingMessage } from "node:http";
import type { WebhookDirectory, WebhookOwner } from "../connectors/index.ts";
import { matchesAnyHash } from "../platform/index.ts";
import { Unproven } from "./refusal.ts";

export const WEBHOOK_PATH = "/webhooks/telegram/";
/** What follows: one segment of plain characters, and perhaps a slash and a query. */
const KEY = /^([^/?#%\\\s]+)\/?(?:[?#]|$)/;
/** What a key that we made may look like: nothing else is looked up. */
const KEY_SHAPE = /^[A-Za-z0-9_-]{16,128}$/;
const SECRET_HEADER = "x-telegram-bot-api-secret-token";

/**
 * The key in the address of a webhook; undefined for any other address. What is spelled in an unusual
 * way (escapes, other letters of the path) is left to Express, which knows all of them.
 */
export function keyOfUrl(url: string | undefined): string | undefined {
  if (url === undefined || !url.startsWith(WEBHOOK_PATH)) return undefined;
  return KEY.exec(url.slice(WEBHOOK_PATH.length))?.[1];
}

/**
 * Whose a request is, proven by its secret, or why it is nobody's. A promise only when the key has to
 * be looked up; that one rejects when the database is away, or too much waits for it.
 */
export function proofOf(
  directory: WebhookDirectory,
  request: IncomingMessage,
  key: string,
): WebhookOwner | Unproven | Promise<WebhookOwner | Unproven> {
  const secret = request.headers[SECRET_HEADER];
  if (typeof secret !== "string" || secret === "") return new Unproven(401, "secret missing");
  if (!KEY_SHAPE.test(key)) return new Unproven(404, "key unknown");
  const owner = directory.remembered(key);
  if (owner !== undefined) return proven(secret, owner);
  return directory.find(key).then((found) => proven(secret, found));
}

function proven(secret: string, owner: WebhookOwner | undefined): WebhookOwner | Unproven {
  if (owner === undefined) return new Unproven(404, "key unknown");
  return matchesAnyHash(secret, owner.secretHashes)
    ? owner
    : new Unproven(401, "secret wrong", owner.connectorId);
}
