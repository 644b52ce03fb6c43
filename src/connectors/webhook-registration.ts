import { UPDATE_KINDS } from "../conversations/index.ts";
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

/**
 * Registers a bot's webhook, reads it back, and sets its commands. Answers warnings; throws when
 * the webhook is not what was asked for.
 */
export async function registerWebhook(
  api: BotApi,
  options: { webhookUrl: string; secret: string; commands: BotCommand[] },
): Promise<string[]> {
  const { webhookUrl, secret, commands } = options;
  await api.call(
    "setWebhook",
    { url: webhookUrl, secret_token: secret, allowed_updates: UPDATE_KINDS, max_connections: 100 },
    TIMEOUT,
  );
  const info = await api.call<WebhookInfo>("getWebhookInfo", {}, TIMEOUT);
  if (info.url !== webhookUrl) {
    throw new Error("Telegram reports another webhook address than the one just registered");
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
  await api.call("deleteWebhook", {}, TIMEOUT);
}
