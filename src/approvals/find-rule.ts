import type { ChatPurpose, ChatType } from "../conversations/index.ts";
import type { NewMessage } from "../outbound/index.ts";
import type { Queryable } from "../platform/index.ts";
import { type Asked, type MessageKind, possibleTypes, type Rule, ruleFor } from "./rule-for.ts";
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
  const chatTypes = row?.type ? [row.type] : possibleTypes(row?.chat_id ?? chatId);
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

/** The rule that a message has to wait by; null: by none. One look at the rules where there are none. */
export async function findRuleFor(
  on: Queryable,
  { message, kind }: { message: NewMessage; kind: MessageKind },
): Promise<Rule | null> {
  const { workspaceId, connectorId, text, format = "plain", entities = [] } = message;
  const rules = await rulesFor(on, { workspaceId, connectorId });
  if (rules.length === 0) return null;
  const labels = (message.buttons ?? []).flat().map((button) => button.text);
  const asked: Asked = {
    connectorId,
    kind,
    ...(kind === "broadcast" ? ANY_CHAT : await chatOf(on, message)),
    keyId: keyIdOf(message.submittedBy),
    priority: message.priority ?? "medium",
    length: text.length,
    texts: [...readings(text, format), ...entities.flatMap(({ url }) => url ?? []), ...labels],
  };
  return ruleFor(asked, rules);
}
