import { type LinkedChat, listLinkedChats, UPDATE_KINDS } from "../conversations/index.ts";
import { type Queryable, SealError, systemClock } from "../platform/index.ts";
import { type BotApi, BotApiError } from "../telegram/index.ts";
import { type BotApis, ConnectorRemoved } from "./bot-apis.ts";
import {
  type Check,
  chatTrouble,
  messageVerdict,
  noDefaultChat,
  notChecked,
  type OwnMembership,
  pollingVerdict,
  reachabilityVerdict,
  rightsVerdict,
  tokenVerdict,
  trouble,
  webhookVerdict,
} from "./connection-verdicts.ts";
import type { ConnectorRow } from "./connector-row.ts";
import type { Me } from "./prove-token.ts";
import type { WebhookInfo } from "./webhook-state.ts";

/** The whole test ends within this time, whatever Telegram does. */
const WITHIN_MS = 25_000;
const CALL_MS = 10_000;
/** Chats that are looked at; a bot may be in thousands. */
const MAX_CHATS = 20;
const CHATS_AT_ONCE = 4;
const MESSAGE = "Heliograph: a test of this connection. Nothing needs to be done.";

export interface ConnectionTest {
  /** Every check is. */
  ok: boolean;
  checks: Check[];
}

/** Calls a method of a bot within its pace and holds. Throws `BotApiError`. */
export type CallNow = (
  call: {
    workspaceId: string;
    connectorId: string;
    chatId: string | null;
    method: string;
    params: Record<string, unknown>;
  },
  limits: Limits,
) => Promise<unknown>;

/** Tests a connector as it is at Telegram. Throws `ConnectorRemoved` when it is removed meanwhile. */
export async function testConnection(
  of: { db: Queryable; botApis: BotApis; isPolling: boolean; callNow?: CallNow },
  connector: ConnectorRow,
): Promise<ConnectionTest> {
  const { db, botApis, isPolling } = of;
  const signal = AbortSignal.timeout(WITHIN_MS);
  const limits = { timeoutMs: CALL_MS, signal };
  const test = (checks: Check[]) => ({ ok: checks.every(({ ok }) => ok), checks });
  let api: BotApi;
  let me: Me;
  try {
    api = await botApis.forConnector(connector.id);
    me = await api.call<Me>("getMe", {}, limits);
  } catch (error) {
    if (error instanceof ConnectorRemoved) throw error;
    return test([tokenTrouble(error), ...["webhook", "reachability", "message"].map(notChecked)]);
  }
  const seesAll = me.can_read_all_group_messages ?? false;
  const [webhook, rights, message] = await Promise.all([
    isPolling ? pollingChecks(api, limits) : webhookChecks(api, connector, limits),
    rightsChecks(api, { db, connector, botId: me.id, seesAll }, limits),
    messageCheck(connector, of.callNow ?? callOf(api), limits),
  ]);
  return test([tokenVerdict(me, connector.bot_id), ...webhook, ...rights, message]);
}

interface Limits {
  timeoutMs: number;
  signal: AbortSignal;
}

/** A key that is missing is the operator's to bring back. */
function tokenTrouble(error: unknown): Check {
  if (error instanceof BotApiError) return trouble("token", error);
  if (!(error instanceof SealError)) throw error;
  const detail =
    "The stored token cannot be opened: the key it was sealed with is not in ENCRYPTION_KEYS. Put the key back, or replace the token.";
  return { name: "token", ok: false, detail };
}

/** What `ask` makes of its answer, or of the failure of its call. */
async function checked<Result>(
  ask: () => Promise<Result>,
  failed: (error: BotApiError) => Result,
): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof BotApiError) return failed(error);
    throw error;
  }
}

const webhookChecks = (api: BotApi, { webhook_url }: ConnectorRow, limits: Limits) =>
  checked(
    async () => {
      const info = await api.call<WebhookInfo>("getWebhookInfo", {}, limits);
      return [
        webhookVerdict(info, webhook_url, UPDATE_KINDS),
        reachabilityVerdict(info, systemClock()),
      ];
    },
    (error) => [trouble("webhook", error), trouble("reachability", error)],
  );

/** In polling mode Telegram need not reach this installation. */
const pollingChecks = (api: BotApi, limits: Limits) =>
  checked(
    async () => [pollingVerdict(await api.call<WebhookInfo>("getWebhookInfo", {}, limits))],
    (error) => [trouble("webhook", error)],
  );

async function rightsChecks(
  api: BotApi,
  of: { db: Queryable; connector: ConnectorRow; botId: number; seesAll: boolean },
  limits: Limits,
): Promise<Check[]> {
  const { workspace_id: workspaceId, id: connectorId } = of.connector;
  const scope = { workspaceId, connectorId };
  const { chats, more } = await listLinkedChats(of.db, scope, MAX_CHATS);
  const checkOf = (chat: LinkedChat) =>
    checked(
      async () => {
        const params = { chat_id: Number(chat.chatId), user_id: of.botId };
        const own = await api.call<OwnMembership>("getChatMember", params, limits);
        return rightsVerdict(chat, own, of.seesAll);
      },
      (error) => chatTrouble(chat, error),
    );
  const checks: Check[] = [];
  for (let at = 0; at < chats.length; at += CHATS_AT_ONCE) {
    checks.push(...(await Promise.all(chats.slice(at, at + CHATS_AT_ONCE).map(checkOf))));
  }
  if (more) {
    const detail = `Only the ${MAX_CHATS} linked chats that were heard of last are looked at.`;
    checks.push({ name: "chats", ok: true, detail });
  }
  return checks;
}

const callOf =
  (api: BotApi): CallNow =>
  ({ method, params }, limits) =>
    api.call(method, params, limits);

const messageCheck = (connector: ConnectorRow, callNow: CallNow, limits: Limits) =>
  checked(
    async () => {
      const { workspace_id: workspaceId, id: connectorId, default_chat_id: chatId } = connector;
      if (chatId === null) return noDefaultChat;
      const startedMs = performance.now();
      const to = /^-?[0-9]+$/.test(chatId) ? Number(chatId) : chatId;
      const params = { chat_id: to, text: MESSAGE };
      const call = { workspaceId, connectorId, chatId, method: "sendMessage", params };
      await callNow(call, limits);
      return messageVerdict(chatId, performance.now() - startedMs);
    },
    (error) => trouble("message", error),
  );
