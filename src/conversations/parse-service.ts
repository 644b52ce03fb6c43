import { asFields, asList, asWording, type Fields } from "./fields.ts";
import type { Service, ServiceFact } from "./telegram-types.ts";

/**
 * What Telegram reports in the form of a message (Bot API: Message), and what is kept of each kind:
 * the name to keep a plain value under, or the fields to keep of an object. An allow-list, so that
 * what a kind may gain (a phone number, a document) does not slip in: the rest stays in the raw
 * update. Payments and passports are told by their kind alone.
 */
const SERVICE_KINDS: Readonly<Record<string, string | readonly string[]>> = {
  new_chat_members: "user_ids",
  left_chat_member: "user_id",
  chat_owner_left: ["new_owner"],
  chat_owner_changed: ["new_owner"],
  new_chat_title: "title",
  new_chat_photo: [],
  delete_chat_photo: [],
  group_chat_created: [],
  supergroup_chat_created: [],
  channel_chat_created: [],
  message_auto_delete_timer_changed: ["message_auto_delete_time"],
  migrate_to_chat_id: "chat_id",
  migrate_from_chat_id: "chat_id",
  pinned_message: "message_id",
  successful_payment: [],
  refunded_payment: [],
  users_shared: ["request_id", "users"],
  chat_shared: ["request_id", "chat_id", "title"],
  gift: ["text"],
  unique_gift: ["origin"],
  gift_upgrade_sent: ["text"],
  connected_website: "website",
  write_access_allowed: ["from_request", "from_attachment_menu", "web_app_name"],
  passport_data: [],
  proximity_alert_triggered: ["traveler", "watcher", "distance"],
  boost_added: ["boost_count"],
  chat_background_set: [],
  checklist_tasks_done: ["marked_as_done_task_ids", "marked_as_not_done_task_ids"],
  checklist_tasks_added: ["tasks"],
  direct_message_price_changed: ["are_direct_messages_enabled", "direct_message_star_count"],
  forum_topic_created: ["name"],
  forum_topic_edited: ["name"],
  forum_topic_closed: [],
  forum_topic_reopened: [],
  general_forum_topic_hidden: [],
  general_forum_topic_unhidden: [],
  giveaway_created: ["prize_star_count"],
  giveaway_winners: ["giveaway_message_id", "winner_count", "winners", "prize_description"],
  giveaway_completed: ["giveaway_message", "winner_count", "unclaimed_prize_count"],
  managed_bot_created: ["bot"],
  paid_message_price_changed: ["paid_message_star_count"],
  poll_option_added: ["poll_message", "option_text"],
  poll_option_deleted: ["poll_message", "option_text"],
  suggested_post_approved: ["suggested_post_message", "send_date"],
  suggested_post_approval_failed: ["suggested_post_message"],
  suggested_post_declined: ["suggested_post_message", "comment"],
  suggested_post_paid: ["suggested_post_message", "currency", "amount"],
  suggested_post_refunded: ["suggested_post_message", "reason"],
  video_chat_scheduled: ["start_date"],
  video_chat_started: [],
  video_chat_ended: ["duration"],
  video_chat_participants_invited: ["users"],
  web_app_data: ["button_text", "data"],
};

const KINDS = Object.entries(SERVICE_KINDS);

/** Reports whose facts are what a person wrote or chose to send, not what became of the chat. */
const IN_PEOPLES_WORDS: ReadonlySet<string> = new Set([
  "checklist_tasks_added",
  "gift",
  "gift_upgrade_sent",
  "poll_option_added",
  "poll_option_deleted",
  "suggested_post_declined",
  "users_shared",
  "chat_shared",
  "web_app_data",
]);

export function isInPeoplesWords(service: Service | null): boolean {
  return service !== null && IN_PEOPLES_WORDS.has(service.type);
}

/** More of a list than anybody reads; the update itself has all of it. */
const MAX_LISTED = 200;

/** What a service message says; null where the message is none. */
export function parseService(message: Fields): Service | null {
  for (const [type, kept] of KINDS) {
    const said = message[type];
    if (said === undefined || said === null || said === false) continue;
    const service: Service = { type };
    if (typeof kept === "string") {
      addFact(service, kept, said);
    } else {
      for (const name of kept) addFact(service, name, asFields(said)?.[name]);
    }
    return service;
  }
  return null;
}

function addFact(service: Service, name: string, value: unknown): void {
  const fact = factOf(value);
  // A fact never takes the place of what the message is.
  if (fact !== undefined) service[name === "type" ? "value" : camelCase(name)] = fact;
}

function factOf(value: unknown): ServiceFact | undefined {
  if (Array.isArray(value)) {
    return asList(value)
      .slice(0, MAX_LISTED)
      .flatMap((item) => plainOf(item) ?? []);
  }
  return plainOf(value);
}

/** A plain value as it is; of a message its number, of a person or chat the id, of a task its text. */
function plainOf(value: unknown): string | number | boolean | undefined {
  if (typeof value === "string") return asWording(value);
  if (typeof value === "number" || typeof value === "boolean") return value;
  const fields = asFields(value);
  if (fields === undefined) return undefined;
  if (typeof fields.text === "string" && typeof fields.message_id !== "number") {
    return asWording(fields.text);
  }
  const id = fields.message_id ?? fields.user_id ?? fields.id;
  return Number.isSafeInteger(id) ? String(id) : undefined;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase());
}
