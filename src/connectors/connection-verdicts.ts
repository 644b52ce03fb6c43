import type { BotApiError } from "../telegram/index.ts";
import { ERROR_IS_NEWS_MS, kindsMissing, safeError, type WebhookInfo } from "./webhook-state.ts";

/**
 * What the answers of Telegram mean for a connector that is tested, in words for a team lead: what
 * is so, and what to do where it is not as it should be. Pure.
 */

export interface Check {
  name: string;
  ok: boolean;
  detail: string;
}

/** Bot API: ChatMember, the bot's own. */
export interface OwnMembership {
  status: string;
  can_post_messages?: boolean;
  can_send_messages?: boolean;
  is_member?: boolean;
}

export interface TestedChat {
  chatId: string;
  type: string | null;
  title: string | null;
}

const good = (name: string, detail: string): Check => ({ name, ok: true, detail });
const bad = (name: string, detail: string): Check => ({ name, ok: false, detail });

export function tokenVerdict(me: { id: number; username?: string }, botId: string): Check {
  return String(me.id) === botId
    ? good("token", `Telegram knows the token: it is @${me.username ?? ""}'s.`)
    : bad("token", "The token belongs to another bot than when it was connected. Replace it.");
}

/** `registered`: the address Telegram confirmed; `kinds`: those that are asked for. */
export function webhookVerdict(
  info: WebhookInfo,
  registered: string | null,
  kinds: readonly string[],
): Check {
  const mended = "It is registered again by itself within two minutes; test again then.";
  const fault = (what: string) => bad("webhook", `${what} ${mended}`);
  if (registered === null) return fault("The webhook is not registered at the moment.");
  if (!info.url) return fault("Telegram has no webhook for this bot: something else removed it.");
  if (info.url !== registered) {
    return fault(
      "Telegram sends this bot's updates to another address: something else set its webhook. See that no other system uses this bot's token.",
    );
  }
  const missing = kindsMissing(info, kinds);
  if (missing.length > 0) return fault(`Telegram does not deliver: ${missing.join(", ")}.`);
  const pending = info.pending_update_count ?? 0;
  const waiting = pending === 0 ? "no updates wait" : `${pending} updates wait`;
  return good("webhook", `Telegram has the webhook as it was registered; ${waiting} there.`);
}

/** In polling mode: nothing may keep Telegram from being asked. */
export function pollingVerdict(info: WebhookInfo): Check {
  if (info.url) {
    return bad(
      "webhook",
      "Telegram sends this bot's updates to a webhook, so they cannot be asked for. It is taken back by itself within seconds; should it come again, something else uses this bot's token.",
    );
  }
  const pending = info.pending_update_count ?? 0;
  const waiting = pending === 0 ? "no updates wait" : `${pending} updates wait`;
  return good(
    "webhook",
    `Updates are asked for (polling), and no webhook is set; ${waiting} there.`,
  );
}

/** What Telegram says when it cannot deliver, and what then helps. In the order they are tried. */
const DELIVERY_FAULTS: Array<[RegExp, string]> = [
  [/ssl|certificate|tls/i, "The certificate of PUBLIC_URL is not one that Telegram trusts."],
  [/resolve|resolution|unknown host/i, "The name in PUBLIC_URL leads nowhere: see to its DNS."],
  [/timed? ?out|timeout/i, "Nothing answers there in time: see to firewalls and load."],
  [/refused|reset|unreachable/i, "Nothing listens there, or a firewall refuses it."],
  [/\b(401|403)\b/, "Something before this installation refuses Telegram, or its secret is old."],
  [/\b404\b/, "Something else answers at PUBLIC_URL: see to the proxy's paths."],
  [/\b30\d\b/, "Something redirects there, which Telegram does not follow."],
  [/\b5\d\d\b/, "It answers with errors: see to the web process and its database."],
];

/** Whether Telegram reaches this installation, by what it says of its last failure. */
export function reachabilityVerdict(info: WebhookInfo, nowMs: number): Check {
  const { last_error_date: date, last_error_message: message } = info;
  if (date === undefined || message === undefined) {
    return good("reachability", "Telegram reports no failed delivery.");
  }
  const ageMs = Math.max(0, nowMs - date * 1_000);
  const said = `${safeError(message)} (${ago(ageMs)})`;
  if (ageMs >= ERROR_IS_NEWS_MS) {
    return good("reachability", `Telegram's last failed delivery is over: ${said}.`);
  }
  const hint =
    DELIVERY_FAULTS.find(([pattern]) => pattern.test(message))?.[1] ??
    "See whether PUBLIC_URL can be opened from the internet.";
  return bad("reachability", `Telegram could not deliver: ${said}. ${hint}`);
}

function ago(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return "a moment ago";
  if (minutes < 120) return `${minutes} minutes ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours ago` : `${Math.round(hours / 24)} days ago`;
}

const nameOfChat = ({ chatId }: TestedChat) => `chat ${chatId}`;

/** Whether the bot sees and says in a linked chat what it is linked for. */
export function rightsVerdict(chat: TestedChat, own: OwnMembership, seesAll: boolean): Check {
  const name = nameOfChat(chat);
  const where = chat.title === null ? "this chat" : `“${chat.title}”`;
  switch (own.status) {
    case "creator":
    case "administrator":
      return chat.type === "channel" && own.can_post_messages !== true
        ? bad(name, `The bot may not post in ${where}: give it that right as an administrator.`)
        : good(name, `The bot is an administrator of ${where}.`);
    case "member":
      if (chat.type === "channel") {
        return bad(name, `The bot is no administrator of ${where}: only those may post there.`);
      }
      return seesAll
        ? good(name, `The bot is a member of ${where} and sees every message.`)
        : bad(
            name,
            `The bot is in privacy mode and sees only some messages of ${where}: make it an administrator there, or turn privacy off with @BotFather (/setprivacy), then remove it from the group and add it again.`,
          );
    case "restricted":
      return own.is_member === false || own.can_send_messages !== true
        ? bad(name, `The bot may not write in ${where}: an administrator there must allow it.`)
        : good(name, `The bot may write in ${where}, with restrictions.`);
    default:
      return bad(name, `The bot is not in ${where}: add it again, or end the link.`);
  }
}

export const chatTrouble = (chat: TestedChat, error: BotApiError): Check =>
  bad(nameOfChat(chat), wordsOf(error));

/** The message to the default chat: `tookMs` until Telegram answered. */
export const messageVerdict = (chatId: string, tookMs: number): Check =>
  good(
    "message",
    `A message to ${chatId} was sent; Telegram answered after ${Math.round(tookMs)} ms.`,
  );

export const noDefaultChat: Check = good(
  "message",
  "No message was sent: there is no default chat. Set defaultChatId to have this tried too.",
);

export const notChecked = (name: string): Check =>
  bad(name, "Not checked, because Telegram could not be asked with this token.");

export const trouble = (name: string, error: BotApiError): Check => bad(name, wordsOf(error));

/** What a failed call means, and what to do. */
function wordsOf(error: BotApiError): string {
  switch (error.kind) {
    case "unauthorized":
    case "not-found":
      return "Telegram refuses the token: it was revoked, or the bot is gone. Copy the current one from @BotFather and replace it here.";
    case "rate-limited":
      return `Telegram asks to wait ${error.retryAfterSeconds ?? "some"} seconds; test again then.`;
    case "chat-unreachable":
      return `The bot cannot write there (${error.reason ?? "forbidden"}): add it to the chat, or have the person write to it first.`;
    case "chat-migrated":
      return `The group has another id now: ${error.migrateToChatId ?? "see its chats"}. Use that one.`;
    case "timeout":
    case "aborted":
      return "Telegram did not answer in time; test again in a minute.";
    case "not-sent":
      return `Telegram cannot be reached from here: ${error.description}. See to this installation's network.`;
    case "bad-answer":
      return "What answered is not Telegram: see to proxies, and to TELEGRAM_API_ROOT.";
    case "server-error":
    case "connection-lost":
      return "Telegram has a trouble of its own at the moment; test again in a minute.";
    default:
      return `Telegram refuses it: ${error.description}.`;
  }
}
