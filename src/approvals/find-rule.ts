import type { ChatPurpose, ChatType } from "../conversations/index.ts";
import type { Content, NewMessage } from "../outbound/index.ts";
import type { Queryable } from "../platform/index.ts";
import {
  type Asked,
  MESSAGE_KINDS,
  type MessageKind,
  possibleTypes,
  type Rule,
  ruleFor,
} from "./rule-for.ts";
import { rulesFor } from "./rules.ts";
import { readings } from "./words.ts";

/** The author's key, of what an API key submitted. */
const keyIdOf = (submittedBy: string | null | undefined): string | null =>
  submittedBy?.startsWith("key:") === true ? submittedBy.slice("key:".length) : null;

const LOOK_BY_ID = `/* approvals.look-at-chat */
SELECT chat_id, type, purpose, migrated_from, migrated_to FROM chats
WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3`;
/** Public names of a bot's linked chats, which are few. */
const LOOK_BY_NAME = `/* approvals.look-at-named-chat */
SELECT chat_id, type, purpose, migrated_from, migrated_to FROM chats
WHERE workspace_id = $1 AND connector_id = $2 AND linked AND lower(username) = $3 LIMIT 1`;

interface ChatRow {
  chat_id: string;
  type: ChatType | null;
  purpose: ChatPurpose | null;
  migrated_from: string | null;
  migrated_to: string | null;
}

/** What rules may look at of where a message goes. */
async function chatOf(
  on: Queryable,
  { workspaceId, connectorId, chatId }: NewMessage,
): Promise<Pick<Asked, "chatIds" | "chatTypes" | "purpose">> {
  const isName = chatId.startsWith("@");
  const [row] = isName
    ? await on.query<ChatRow>(LOOK_BY_NAME, [workspaceId, connectorId, chatId.slice(1)])
    : await on.query<ChatRow>(LOOK_BY_ID, [workspaceId, connectorId, chatId]);
  const chatTypes: ChatType[] = row?.type ? [row.type] : possibleTypes(row?.chat_id ?? chatId);
  // Telegram sends on what goes to the group that it was.
  if (row?.migrated_to) chatTypes.push("supergroup");
  if (row === undefined) {
    return isName
      ? { chatIds: null, chatTypes, purpose: undefined }
      : { chatIds: [chatId], chatTypes, purpose: null };
  }
  const ids = [row.chat_id, row.migrated_from, row.migrated_to];
  return { chatIds: ids.filter((id) => id !== null), chatTypes, purpose: row.purpose };
}

/** A broadcast's chats are many: rules for some chats hold it, too. */
const ANY_CHAT: Pick<Asked, "chatIds" | "chatTypes" | "purpose"> = {
  chatIds: null,
  chatTypes: ["private", "group", "supergroup", "channel"],
  purpose: undefined,
};

/** What is read of files: their names, and what stands for them where they have none. */
function namesIn(content: Content | undefined): string[] {
  switch (content?.type) {
    case "photo":
    case "document": {
      const { file } = content;
      if ("evidenceFileId" in file) return [file.name];
      return "url" in file ? [file.name ?? file.url] : [];
    }
    case "album":
      return content.items.flatMap(namesIn);
    default:
      return [];
  }
}

/**
 * The rule that a message has to wait by; null: by none. One look at the rules where there are none.
 * `kind` null: it is not kept, and may be any.
 */
export async function findRuleFor(
  on: Queryable,
  {
    message,
    kind,
    among = () => true,
  }: { message: NewMessage; kind: MessageKind | null; among?: (rule: Rule) => boolean },
): Promise<Rule | null> {
  const { workspaceId, connectorId, text, content, format = "plain", entities = [] } = message;
  // It says nothing, and would be over before anybody has approved it.
  if (content?.type === "chat-action") return null;
  const rules = (await rulesFor(on, { workspaceId, connectorId })).filter(among);
  if (rules.length === 0) return null;
  const leads = entities.flatMap(({ url }) => url ?? []);
  const buttons = (message.buttons ?? []).flat().flatMap((one) => [one.text, one.url ?? ""]);
  const texts = [...readings(text, format), ...leads, ...buttons, ...namesIn(content)];
  // What is forwarded stands in Telegram alone.
  const isUnread = content?.type === "forward";
  const asked: Asked = {
    connectorId,
    // By which call the message came that this one changes is not kept either.
    kinds: kind === null || (content && "messageId" in content) ? MESSAGE_KINDS : [kind],
    ...(kind === "broadcast" ? ANY_CHAT : await chatOf(on, message)),
    keyId: keyIdOf(message.submittedBy),
    priority: message.priority ?? "medium",
    length: isUnread ? null : text.length,
    texts: isUnread ? null : texts,
  };
  return ruleFor(asked, rules);
}
