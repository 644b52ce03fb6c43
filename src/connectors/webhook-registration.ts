import { setTimeout as sleep } from "node:timers/promises";
import { UPDATE_KINDS } from "../conversations/index.ts";
import { Problem } from "../platform/index.ts";
import { type BotApi, BotApiError } from "../telegram/index.ts";
import { type CommandList, setCommandLists } from "./command-lists.ts";

interface WebhookInfo {
  url: string;
  allowed_updates?: string[];
  last_error_message?: string;
}

const CALL_TIMEOUT_MS = 15_000;
/** Telegram lets a bot's webhook be set about once a second; a person who tries again waits that long. */
const MAX_WAIT_S = 5;

/** How long the calls may go on. */
export interface RegistrationLimits {
  /** By the monotonic clock, in ms: what Telegram is told of the webhook leaves before, or never. */
  tellUntilMs?: number;
  signal?: AbortSignal;
}

export interface Registered {
  warnings: string[];
  /** Telegram has the command lists. */
  hasCommands: boolean;
}

/**
 * Registers a bot's webhook, reads it back, and sets its commands. Throws when the webhook is not
 * what was asked for.
 */
export async function registerWebhook(
  api: BotApi,
  options: { webhookUrl: string; secret: string; commands: readonly CommandList[] },
  limits: RegistrationLimits = {},
): Promise<Registered> {
  const { webhookUrl, secret, commands } = options;
  const params = {
    url: webhookUrl,
    secret_token: secret,
    allowed_updates: UPDATE_KINDS,
    max_connections: 100,
  };
  await callPatiently(api, "setWebhook", params, limits);
  const within = { timeoutMs: CALL_TIMEOUT_MS, signal: limits.signal };
  const info = await api.call<WebhookInfo>("getWebhookInfo", {}, within);
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
  return withCommands(warnings, await setCommandLists(api, commands, limits));
}

/**
 * Readies a bot whose updates are asked for: no webhook, so that getUpdates is answered, and its
 * commands. What waits at Telegram stays there.
 */
export async function preparePolling(
  api: BotApi,
  { commands }: { commands: readonly CommandList[] },
  limits: RegistrationLimits = {},
): Promise<Registered> {
  await removeWebhook(api, limits);
  return withCommands([], await setCommandLists(api, commands, limits));
}

const withCommands = (warnings: string[], ofCommands: string[]): Registered => ({
  warnings: [...warnings, ...ofCommands],
  hasCommands: ofCommands.length === 0,
});

/** Bot API: deleteWebhook. Updates that wait at Telegram stay there. */
export async function removeWebhook(api: BotApi, limits: RegistrationLimits = {}): Promise<void> {
  await callPatiently(api, "deleteWebhook", {}, limits);
}

/** Waits once as long as Telegram asks for, if that is a moment. */
async function callPatiently(
  api: BotApi,
  method: string,
  params: Record<string, unknown>,
  { tellUntilMs = Number.POSITIVE_INFINITY, signal }: RegistrationLimits,
): Promise<void> {
  const call = async () => {
    if (performance.now() > tellUntilMs) {
      throw new Problem(503, "Too late", "This took too long to be told to Telegram; try again.");
    }
    await api.call(method, params, { timeoutMs: CALL_TIMEOUT_MS, signal });
  };
  try {
    await call();
  } catch (error) {
    const waitS = error instanceof BotApiError ? error.retryAfterSeconds : undefined;
    if (waitS === undefined || waitS > MAX_WAIT_S) throw error;
    await sleep(waitS * 1_000, undefined, { signal });
    await call();
  }
}
