import { actAs } from "../audit/index.ts";
import { forgetBodies } from "../jobs/index.ts";
import { bindPeople, useLinkCodes, writeOffers, writeRefusals } from "../people/index.ts";
import type { Transaction } from "../platform/index.ts";
import { setChatLink } from "./chat-links.ts";
import type { Effect } from "./effects.ts";
import { chatKeyOf } from "./keys.ts";

type Of<Type extends Effect["type"]> = Extract<Effect, { type: Type }>;

/** What a batch changes about who may talk and which groups are linked. */
export interface AccessChanges {
  /** In their order: each leaves its entry in the audit log. */
  chatLinks: Array<Of<"chat-link-changed">>;
  /** One an account and link: what it was told, or said, last. */
  offers: Array<Of<"person-link-offered">>;
  declined: Array<Of<"person-link-declined">>;
  bindings: Array<Of<"person-bound">>;
  /** One a peer: the newest. */
  refusals: Array<Of<"refusal-noted">>;
  forgotten: Array<Of<"update-forgotten">>;
}

/** Sums up effects, which come in the order in which they take place. Pure. */
export function compactAccess(effects: readonly Effect[]): AccessChanges {
  const changes: AccessChanges = {
    chatLinks: [],
    offers: [],
    declined: [],
    bindings: [],
    refusals: [],
    forgotten: [],
  };
  const refusals = new Map<string, Of<"refusal-noted">>();
  const asked = new Map<string, Of<"person-link-offered"> | Of<"person-link-declined">>();
  for (const effect of effects) {
    switch (effect.type) {
      case "chat-link-changed":
        changes.chatLinks.push(effect);
        break;
      case "person-link-offered":
      case "person-link-declined":
        asked.set(`${effect.linkId}/${effect.userId}`, effect);
        break;
      case "person-bound":
        changes.bindings.push(effect);
        break;
      case "refusal-noted":
        refusals.set(chatKeyOf(effect.scope, effect.peerId), effect);
        break;
      case "update-forgotten":
        changes.forgotten.push(effect);
        break;
    }
  }
  for (const effect of asked.values()) {
    if (effect.type === "person-link-offered") changes.offers.push(effect);
    else changes.declined.push(effect);
  }
  return { ...changes, refusals: [...refusals.values()] };
}

/** Rare, and a few statements each. Chats come before everything else. */
export async function writeChatLinks(
  tx: Transaction,
  { chatLinks }: Pick<AccessChanges, "chatLinks">,
): Promise<void> {
  for (const { scope, chatId, linked, purpose, by } of chatLinks) {
    const { personId, userId } = by;
    const link = { ...scope, chatId, linked, purpose: purpose ?? undefined, personId };
    await actAs({ kind: "telegram_user", id: userId }, null, () => setChatLink(tx, link));
  }
  const used = chatLinks.flatMap(({ scope, codeHash }) =>
    codeHash === null ? [] : [{ ...scope, hash: codeHash }],
  );
  await useLinkCodes(tx, used);
}

/** The rest: nothing, not a statement, where there is none of it. */
export async function writeAccess(
  tx: Transaction,
  { offers, declined, bindings, refusals, forgotten }: AccessChanges,
): Promise<void> {
  const offered = offers.map(({ scope: { workspaceId }, linkId, userId, atMs }) => ({
    workspaceId,
    linkId,
    telegramUserId: userId,
    atMs,
  }));
  const withdrawn = declined.map(({ scope: { workspaceId }, linkId, userId }) => ({
    workspaceId,
    linkId,
    telegramUserId: userId,
  }));
  await writeOffers(tx, offered, withdrawn);
  await bindPeople(
    tx,
    bindings.map(({ scope, linkId, personId, userId, atMs }) => ({
      ...scope,
      linkId,
      personId,
      telegramUserId: userId,
      atMs,
    })),
  );
  await writeRefusals(
    tx,
    refusals.map(({ scope, peerId, refusal }) => ({ ...scope, peerId, refusal })),
  );
  await forgetBodies(
    tx,
    forgotten.map(({ scope: { workspaceId }, jobId }) => ({ workspaceId, id: jobId })),
  );
}
