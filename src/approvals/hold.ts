import { recordAudit } from "../audit/index.ts";
import type { ChatPurpose, ChatType } from "../conversations/index.ts";
import { enqueueSends, insertMessages, type JobSink, type NewMessage } from "../outbound/index.ts";
import type { Queryable, Transaction } from "../platform/index.ts";
import { askInChat } from "./ask.ts";
import { type Asked, type MessageKind, possibleTypes, type Rule, ruleFor } from "./rule-for.ts";
import { rulesFor } from "./rules.ts";
import { readings } from "./words.ts";

/** The author's key, of what an API key submitted. */
export const keyIdOf = (submittedBy: string | null | undefined): string | null =>
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

const INSERT = `/* approvals.insert */
INSERT INTO approvals (workspace_id, message_id, rule_id, rule, needed, expires_at)
SELECT m.workspace_id, m.id, $3::uuid, $4::jsonb, $5::smallint,
  least(now() + $6::int * interval '1 s', m.expires_at)
FROM outbound_messages m WHERE m.workspace_id = $1 AND m.id = $2
RETURNING expires_at, (
  SELECT encode(outbound_digest(m), 'hex') FROM outbound_messages m
  WHERE m.workspace_id = $1 AND m.id = $2) AS version`;

/**
 * Whether a message has to wait. Null: by no rule, and nothing is written. Otherwise it is, waiting,
 * with its entry in the audit log, and its approvers are asked where they have a chat. Of a broadcast
 * `message` is the one that stands for all: it is asked about once.
 */
export async function holdForApproval(
  tx: Transaction,
  jobs: JobSink,
  { message, kind }: { message: NewMessage; kind: MessageKind },
): Promise<{ id: string; state: "awaiting_approval" } | null> {
  const { workspaceId, connectorId, text, format = "plain" } = message;
  const rules = await rulesFor(tx, { workspaceId, connectorId });
  if (rules.length === 0) return null;
  const buttons = (message.buttons ?? []).flat();
  const rule = ruleFor(
    {
      connectorId,
      kind,
      ...(await chatOf(tx, message)),
      keyId: keyIdOf(message.submittedBy),
      priority: message.priority ?? "medium",
      length: text.length,
      texts: [...readings(text, format), ...buttons.map((button) => button.text)],
    },
    rules,
  );
  if (rule === null) return null;
  const [id] = await insertMessages(tx, [message], "awaiting_approval");
  if (id === undefined) throw new Error("an insert of one message gave no id");
  await ask(tx, jobs, { workspaceId, messageId: id, rule });
  return { id, state: "awaiting_approval" };
}

async function ask(
  tx: Transaction,
  jobs: JobSink,
  { workspaceId, messageId, rule }: { workspaceId: string; messageId: string; rule: Rule },
): Promise<void> {
  const { id: ruleId, name, personIds, chat, approvals: needed } = rule;
  const [row] = await tx.query<{ expires_at: Date; version: string }>(INSERT, [
    workspaceId,
    messageId,
    ruleId,
    JSON.stringify({ name, personIds, chat }),
    needed,
    rule.expiresAfterS,
  ]);
  if (row === undefined) throw new Error("a message that was written is gone");
  const { expires_at: expiresAt, version } = row;
  const details = { ruleId, needed, version, expiresAt: expiresAt.toISOString() };
  const requested = { action: "approval.requested", subjectId: messageId, details } as const;
  await recordAudit(tx, { workspaceId, ...requested });
  const notice = await askInChat(tx, { workspaceId, messageId, rule, needed, version, expiresAt });
  if (notice !== null) await enqueueSends(tx, jobs, [notice]);
}
