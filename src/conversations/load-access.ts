import { findTalkers, holdLinkCodes, holdPersonLinks, linkCodeHash } from "../people/index.ts";
import type { Transaction } from "../platform/index.ts";
import { speakerOf } from "./access.ts";
import { codeKeyOf, namingKeyOf } from "./access-context.ts";
import { type Context, currentChatId } from "./context.ts";
import type { Scope } from "./effects.ts";
import { groupCommandOf } from "./group-command.ts";
import type { Incoming } from "./interpret.ts";
import { chatKeyOf, contactKeyOf, messageKeyOf } from "./keys.ts";
import { linkButtonOf, tokenHashOf } from "./person-link-dialog.ts";

/** What a batch must know about who talks, each once. */
interface Questions {
  accounts: Map<string, { workspaceId: string; telegramUserId: string }>;
  peers: Map<string, Scope & { peerId: string }>;
  tokens: Map<string, Scope & { tokenHash: string }>;
  buttons: Map<string, Scope & { id: string }>;
  codes: Map<string, Scope & { hash: string }>;
}

/**
 * Adds to `context` what the batch must know about who talks. Costs nothing, not a statement, where
 * every connector is open to everyone and nobody opens a link, sends a code, or edits a message that
 * is not here: nearly always. Links and codes are held until the transaction ends.
 */
export async function loadAccess(
  tx: Transaction,
  batch: readonly Incoming[],
  context: Context,
): Promise<void> {
  const asked = questionsOf(batch, context);
  if (asked.accounts.size + asked.peers.size + asked.codes.size === 0) return;
  const { access } = context;
  if (asked.tokens.size + asked.buttons.size > 0) {
    const links = [...asked.tokens.values(), ...asked.buttons.values()];
    for (const link of await holdPersonLinks(tx, links)) access.links.set(link.id, link);
  }
  if (asked.codes.size > 0) {
    for (const code of await holdLinkCodes(tx, [...asked.codes.values()])) {
      access.codes.set(codeKeyOf(code, code.hash), code);
    }
  }
  const { people, named, refusals } = await findTalkers(tx, {
    accounts: [...asked.accounts.values()],
    people: [...access.links.values()].map(({ workspaceId, person }) => ({
      workspaceId,
      personId: person.id,
    })),
    peers: [...asked.peers.values()],
  });
  for (const { workspaceId, telegramUserId, personId, agentEnabled } of people) {
    const key = contactKeyOf({ workspaceId, connectorId: "" }, telegramUserId);
    access.talkers.set(key, { personId, agentEnabled });
  }
  for (const { connectorId, personId } of named) {
    access.named.add(namingKeyOf(connectorId, personId));
  }
  for (const { refusal, peerId, ...scope } of refusals) {
    access.refusals.set(chatKeyOf(scope, peerId), refusal);
  }
}

function questionsOf(batch: readonly Incoming[], context: Context): Questions {
  const asked: Questions = {
    accounts: new Map(),
    peers: new Map(),
    tokens: new Map(),
    buttons: new Map(),
    codes: new Map(),
  };
  for (const incoming of batch) ask(asked, incoming, context);
  return asked;
}

function ask(asked: Questions, { scope, update }: Incoming, context: Context): void {
  const { workspaceId, connectorId } = scope;
  const account = (userId: string | null | undefined) => {
    if (!userId) return;
    const key = contactKeyOf(scope, userId);
    asked.accounts.set(key, { workspaceId, telegramUserId: userId });
  };
  const peer = (peerId: string | null) => {
    if (peerId !== null) asked.peers.set(chatKeyOf(scope, peerId), { ...scope, peerId });
  };
  const level = context.access.policies.get(connectorId)?.accessLevel ?? "everyone";
  const isRestricted = level !== "everyone";

  switch (update.kind) {
    case "message": {
      const { message, edited } = update;
      const { chat, messageId, businessConnectionId } = message;
      const speaker = speakerOf(message);
      if (isRestricted) account(message.from?.id);
      const key = messageKeyOf({ scope, chatId: chat.id, messageId, businessConnectionId });
      if (isRestricted || (edited && !context.messages.has(key))) peer(speaker);
      if (edited) return;
      const tokenHash = tokenHashOf(message);
      if (tokenHash !== null) {
        account(message.from?.id);
        asked.tokens.set(chatKeyOf(scope, tokenHash), { ...scope, tokenHash });
      }
      const command = groupCommandOf(message, context.botUsernames.get(connectorId) ?? null);
      if (command === null) return;
      account(message.from?.id);
      peer(currentChatId(context.successors, scope, chat.id));
      const hash = linkCodeHash(command.code);
      if (hash !== null) asked.codes.set(codeKeyOf(scope, hash), { ...scope, hash });
      return;
    }
    case "callback": {
      const button = linkButtonOf(update);
      if (button !== null) {
        const { linkId: id } = button;
        asked.buttons.set(chatKeyOf(scope, id), { ...scope, id });
      }
      if (isRestricted || button !== null) account(update.user.id);
      return;
    }
    case "reaction":
      if (isRestricted) account(update.user?.id);
      return;
    case "inline-query":
      if (isRestricted) account(update.user.id);
      return;
    case "poll-answer":
      if (isRestricted) account(update.voterId);
      return;
    case "business-connection":
      if (isRestricted) account(update.user.id);
      return;
    case "other":
      if (isRestricted) account(update.userId);
      return;
    case "membership":
    case "join-request":
    case "deletion":
    case "poll":
      return;
  }
}
