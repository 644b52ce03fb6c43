import { actAs, recordAudit } from "../audit/index.ts";
import { fewRows, type Queryable, type Transaction } from "../platform/index.ts";
import { isForBot, parseCommand } from "./command.ts";
import type { Context } from "./context.ts";
import type { Effect, Scope } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import { chatKeyOf } from "./keys.ts";
import type { TelegramMessage } from "./telegram-types.ts";

/**
 * Who wants no broadcasts: a person says so with `/stop` in their own chat with the bot, and `/start`
 * takes it back; for any chat the workspace can say it. Answers and replies are no broadcasts.
 */

type Told = Extract<Effect, { type: "broadcasts-allowed" }>;

/** What a message says of broadcasts; null: nothing. */
export function consentOf(
  { scope }: Incoming,
  { chat, from, content, businessConnectionId }: TelegramMessage,
  { botUsernames }: Context,
): Told | null {
  if (chat.type !== "private" || businessConnectionId !== "") return null;
  if (from === null || from.isBot || content.kind !== "text") return null;
  const command = parseCommand(content.text ?? "");
  if (command === undefined) return null;
  if (!isForBot(command, botUsernames.get(scope.connectorId) ?? null)) return null;
  if (command.name !== "stop" && command.name !== "start") return null;
  const allowed = command.name === "start";
  return { type: "broadcasts-allowed", scope, chatId: chat.id, allowed };
}

type Consent = Scope & { chatId: string };

/** Answers the chats for which that is news. */
const OPT_OUT = `/* conversations.opt-out */
INSERT INTO broadcast_opt_outs (workspace_id, connector_id, chat_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS k(workspace_id, connector_id, chat_id)
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
RETURNING workspace_id AS "workspaceId", connector_id AS "connectorId", chat_id AS "chatId"`;
const OPT_IN = `/* conversations.opt-in */
DELETE FROM broadcast_opt_outs o
USING (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
    AS k(workspace_id, connector_id, chat_id) ${fewRows("$1")}
) k
WHERE o.workspace_id = k.workspace_id AND o.connector_id = k.connector_id AND o.chat_id = k.chat_id
RETURNING k.workspace_id AS "workspaceId", k.connector_id AS "connectorId", k.chat_id AS "chatId"`;

async function write(tx: Queryable, consents: readonly Consent[], allowed: boolean) {
  if (consents.length === 0) return [];
  return tx.query<Consent>(allowed ? OPT_IN : OPT_OUT, [
    consents.map(({ workspaceId }) => workspaceId),
    consents.map(({ connectorId }) => connectorId),
    consents.map(({ chatId }) => chatId),
  ]);
}

const entryOf = ({ workspaceId, connectorId, chatId }: Consent, allowed: boolean) => ({
  workspaceId,
  action: allowed ? ("chat.broadcasts_allowed" as const) : ("chat.broadcasts_refused" as const),
  subjectId: chatId,
  details: { connectorId },
});

/**
 * Writes what people told, the last word of each, with an entry in the audit log for each that changed
 * something. Nothing, not a statement, where nobody said anything.
 */
export async function writeConsents(tx: Transaction, effects: readonly Effect[]): Promise<void> {
  const last = new Map<string, Told>();
  for (const effect of effects) {
    if (effect.type !== "broadcasts-allowed") continue;
    last.set(chatKeyOf(effect.scope, effect.chatId), effect);
  }
  if (last.size === 0) return;
  for (const allowed of [false, true]) {
    const told = [...last.values()].filter((effect) => effect.allowed === allowed);
    const consents = told.map(({ scope, chatId }) => ({ ...scope, chatId }));
    for (const changed of await write(tx, consents, allowed)) {
      const person = { kind: "telegram_user", id: changed.chatId } as const;
      await actAs(person, null, () => recordAudit(tx, entryOf(changed, allowed)));
    }
  }
}

const NOW = `/* conversations.now-at */
SELECT migrated_to FROM chats WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3`;

/**
 * Says for a chat whether it gets broadcasts, with its entry in the audit log where that is news. The
 * chat need not be known. Throws Postgres's 23503 where there is no such connector.
 */
export async function setBroadcastsAllowed(
  tx: Transaction,
  { allowed, ...consent }: Consent & { allowed: boolean },
): Promise<void> {
  const { workspaceId, connectorId } = consent;
  const key = [workspaceId, connectorId, consent.chatId];
  const [known] = await tx.query<{ migrated_to: string | null }>(NOW, key);
  const chatId = known?.migrated_to ?? consent.chatId;
  const changed = await write(tx, [{ workspaceId, connectorId, chatId }], allowed);
  await recordAudit(tx, ...changed.map((one) => entryOf(one, allowed)));
}
