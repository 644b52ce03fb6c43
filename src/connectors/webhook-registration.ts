import { setTimeout as sleep } from "node:timers/promises";
import { UPDATE_KINDS } from "../conversations/index.ts";
import { Problem } from "../platform/index.ts";
import { type BotApi, BotApiError } from "../telegram/index.ts";

export interface BotCommand {
  command: string;
  description: string;
}

interface WebhookInfo {
  url: string;
  allowed_updates?: string[];
  last_error_message?: string;
}

const TIMEOUT = { timeoutMs: 15_000 };
/** Telegram lets a bot's webhook be set about once a second; a person who tries again waits that long. */
const MAX_WAIT_S = 5;

/**
 * Registers a bot's webhook, reads it back, and sets its commands. Answers warnings; throws when
 * the webhook is not what was asked for.
 */
export async function registerWebhook(
  api: BotApi,
  options: { webhookUrl: string; secret: string; commands: BotCommand[] },
): Promise<string[]> {
  const { webhookUrl, secret, commands } = options;
  await callPatiently(api, "setWebhook", {
    url: webhookUrl,
    secret_token: secret,
    allowed_updates: UPDATE_KINDS,
    max_connections: 100,
  });
  const info = await api.call<WebhookInfo>("getWebhookInfo", {}, TIMEOUT);
  if (info.url !== webhookUrl) {
    throw new Problem(
      502,
      "Telegram did not do it",
      "Telegram reports another webhook address than the one just registered: does something else set this bot's webhook?",
    );
  }
  const warnings: string[] = [];
  const missing = UPDATE_KINDS.filter((kind) => info.allowed_updates?.includes(kind) !== true);
  if (missing.length > 0) warnings.push(`Telegram will not deliver: ${missing.join(", ")}.`);
  try {
    await api.call("setMyCommands", { commands }, TIMEOUT);
  } catch (error) {
    if (!(error instanceof BotApiError)) throw error;
    warnings.push(`The command menu could not be set: ${error.description}.`);
  }
  return warnings;
}

/** Bot API: deleteWebhook. Updates that wait at Telegram stay there. */
export async function removeWebhook(api: BotApi): Promise<void> {
  await callPatiently(api, "deleteWebhook", {});
}

/** Waits once as long as Telegram asks for, if that is a moment. */
async function callPatiently(
  api: BotApi,
  method: string,
  params: Record<string, unknown>,
): Promise<void> {
  try {
    await api.call(method, params, TIMEOUT);
  } catch (error) {
    const waitS = error instanceof BotApiError ? error.retryAfterSeconds : undefined;
    if (waitS === undefined || waitS > MAX_WAIT_S) throw error;
    await sleep(waitS * 1_000);
    await api.call(method, params, TIMEOUT);
  }
}
