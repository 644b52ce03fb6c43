import type { AccessLevel, HeldCode, HeldLink, Refusal } from "../people/index.ts";
import type { Effect, Scope } from "./effects.ts";
import { chatKeyOf, contactKeyOf } from "./keys.ts";

/** What a connector says of those who talk to it. */
export interface ConnectorPolicy {
  accessLevel: AccessLevel;
  /** What people write who may not is kept, marked. */
  saveDenied: boolean;
  /** −1: no sessions; 0: they never end by themselves. */
  sessionHours: number;
}

/** What `interpret` may know of who may talk: a part of its context, loaded where it is asked for. */
export interface AccessContext {
  /** By connector id. */
  policies: Map<string, ConnectorPolicy>;
  /** Whom of the workspace an account is bound to, by contact key. */
  talkers: Map<string, { personId: string; agentEnabled: boolean }>;
  /** Whom connectors name, as `connectorId/personId`. */
  named: Set<string>;
  /** By the key of a chat, or of an account as if it were one. */
  refusals: Map<string, Refusal>;
  /** Links of people that updates ask for, by id. */
  links: Map<string, HeldLink>;
  /** Codes that updates ask for, by `codeKeyOf`. */
  codes: Map<string, HeldCode>;
}

export function emptyAccess(): AccessContext {
  return {
    policies: new Map(),
    talkers: new Map(),
    named: new Set(),
    refusals: new Map(),
    links: new Map(),
    codes: new Map(),
  };
}

export const codeKeyOf = (scope: Scope, hash: string): string => chatKeyOf(scope, hash);

export const namingKeyOf = (connectorId: string, personId: string): string =>
  `${connectorId}/${personId}`;

const NO_REFUSAL: Refusal = {
  droppedAtS: null,
  toldAtMs: null,
  wrongCodes: 0,
  wrongSinceMs: null,
};

/** What is remembered of an account or a chat that was refused here. */
export function refusalOf(access: AccessContext, scope: Scope, peerId: string): Refusal {
  return access.refusals.get(chatKeyOf(scope, peerId)) ?? NO_REFUSAL;
}

/** Brings `access` to where an effect leads, in place. */
export function advanceAccess(access: AccessContext, effect: Effect): void {
  switch (effect.type) {
    case "person-link-offered": {
      const link = access.links.get(effect.linkId);
      if (link === undefined) return;
      const offeredTo = [...link.offeredTo, effect.userId];
      access.links.set(link.id, { ...link, offeredTo });
      return;
    }
    case "person-link-declined": {
      const link = access.links.get(effect.linkId);
      if (link === undefined) return;
      const offeredTo = link.offeredTo.filter((userId) => userId !== effect.userId);
      access.links.set(link.id, { ...link, offeredTo });
      return;
    }
    case "person-bound": {
      const { scope, linkId, personId, userId } = effect;
      // The account that was this person until now is nobody.
      for (const [key, talker] of access.talkers) {
        if (talker.personId === personId) access.talkers.delete(key);
      }
      const link = access.links.get(linkId);
      const agentEnabled = link?.person.agentEnabled ?? false;
      access.talkers.set(contactKeyOf(scope, userId), { personId, agentEnabled });
      if (link === undefined) return;
      const person = { ...link.person, telegramUserId: userId };
      access.links.set(linkId, { ...link, person, usedBy: userId });
      return;
    }
    case "chat-link-changed":
      if (effect.codeHash !== null) access.codes.delete(codeKeyOf(effect.scope, effect.codeHash));
      return;
    case "refusal-noted":
      access.refusals.set(chatKeyOf(effect.scope, effect.peerId), effect.refusal);
      return;
  }
}
