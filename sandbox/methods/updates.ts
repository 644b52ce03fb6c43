import { isUpdateKind } from "../bot-api-schema.ts";
import type { BotUpdates } from "../bot-updates.ts";
import { badRequest, TooManyRequests } from "../errors.ts";
import type { WebhookInfo } from "../sandbox-types.ts";
import type { Bot } from "../world.ts";
import {
  flagParam,
  type Method,
  type MethodCall,
  numberParam,
  objectParam,
  stringParam,
} from "./call.ts";

/** Methods about how a bot hears things (Bot API: Getting updates). */

/** Leaving `allowed_updates` out keeps the old choice. */
function chooseUpdates(call: MethodCall): void {
  const allowed = objectParam<string[]>(call, "allowed_updates");
  if (allowed === undefined) return;
  // Names that no kind has are ignored, whatever their case; a list of nothing else means the default.
  const names = allowed.map((name) => String(name).toLowerCase());
  call.bot.allowedUpdates = [...new Set(names.filter(isUpdateKind))];
  call.core.changed();
}

export const getUpdates: Method = (call) => {
  const limit = numberParam(call, "limit") ?? 100;
  const timeoutS = numberParam(call, "timeout") ?? 0;
  chooseUpdates(call);
  return call.core.updatesOf(call.bot.id).poll({
    offset: numberParam(call, "offset"),
    limit: Math.min(100, Math.max(1, limit)),
    timeoutS: Math.min(50, Math.max(0, timeoutS)),
    onStart: call.onGone,
  });
};

/** More than one call a second is refused. */
const oneASecond = [{ limit: 1, windowMs: 1000 }];

export const setWebhook: Method = (call) => {
  const { core, bot } = call;
  const url = stringParam(call, "url") ?? "";
  if (url === "") return deleteWebhook(call);
  checkUrl(url);
  const secretToken = stringParam(call, "secret_token");
  if (secretToken !== undefined && !/^[A-Za-z0-9_-]{1,256}$/.test(secretToken))
    throw badRequest(
      secretToken.length > 256
        ? "secret token is too long"
        : "secret token contains unallowed characters",
    );
  const decision = core.rates.take(core.clock.now(), 1, [
    { key: `setWebhook:${bot.id}`, windows: oneASecond },
  ]);
  if (!decision.allowed) throw new TooManyRequests(decision.retryAfterS, decision.violation);
  chooseUpdates(call);
  bot.webhook = {
    url,
    maxConnections: Math.min(100, Math.max(1, numberParam(call, "max_connections") ?? 40)),
    ...(secretToken !== undefined && { secretToken }),
  };
  delete bot.webhookAddress;
  delete bot.lastErrorAt;
  delete bot.lastErrorMessage;
  const updates = core.updatesOf(bot.id);
  if (flagParam(call, "drop_pending_updates")) updates.dropPending();
  updates.startWebhook(bot.webhook);
  core.changed();
  core.record.add({ kind: "changed", what: "bots", botId: bot.id });
  return true;
};

/** As with a local Bot API server: http, any port and loopback addresses will do. */
function checkUrl(text: string): void {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw badRequest("bad webhook: Failed to resolve host: Name or service not known");
  }
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw badRequest("bad webhook: An HTTPS URL must be provided for webhook");
}

export const deleteWebhook: Method = (call) => {
  const { core, bot } = call;
  const updates = core.updatesOf(bot.id);
  updates.stopWebhook();
  bot.webhook = null;
  if (flagParam(call, "drop_pending_updates")) updates.dropPending();
  core.changed();
  core.record.add({ kind: "changed", what: "bots", botId: bot.id });
  return true;
};

export const getWebhookInfo: Method = (call) =>
  webhookInfo(call.bot, call.core.updatesOf(call.bot.id));

export function webhookInfo(bot: Bot, updates: BotUpdates): WebhookInfo {
  return {
    url: bot.webhook?.url ?? "",
    has_custom_certificate: false,
    pending_update_count: updates.pendingCount(),
    ...(bot.webhook !== null &&
      bot.lastErrorAt !== undefined && {
        last_error_date: bot.lastErrorAt,
        last_error_message: bot.lastErrorMessage ?? "",
      }),
    ...(bot.webhook !== null &&
      bot.webhookAddress !== undefined && { ip_address: bot.webhookAddress }),
    ...(bot.webhook !== null && { max_connections: bot.webhook.maxConnections }),
    ...(bot.allowedUpdates !== null &&
      bot.allowedUpdates.length > 0 && {
        allowed_updates: bot.allowedUpdates,
      }),
  };
}
