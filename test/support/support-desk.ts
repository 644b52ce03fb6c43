import type { Actor } from "../../src/audit/index.ts";
import { changeConversation } from "../../src/conversations/conversation-change.ts";
import {
  type ConversationEvent,
  listConversationEvents,
} from "../../src/conversations/conversation-events.ts";
import { listConversations } from "../../src/conversations/conversation-list.ts";
import type { ConversationView } from "../../src/conversations/conversation-view.ts";
import type { Scope } from "../../src/conversations/effects.ts";
import { recordOutgoing } from "../../src/conversations/outgoing.ts";
import type { QueueChange } from "../../src/conversations/queue-status.ts";
import type { World } from "./conversations-world.ts";
import { message, privateChat, T0, type Wire } from "./telegram-updates.ts";

const BOT = { id: 77, is_bot: true, first_name: "Bot" };
/** Whose key is used, where a test does not care. */
export const BY: Actor = { kind: "api_key", id: "the-key" };

/** What sendMessage answers. */
export const sent = (messageId: number, rest: Wire = {}): Wire =>
  message(messageId, "answer", { from: BOT, chat: privateChat(), ...rest });

/** The time of a message, as it is shown. */
export const time = (s: number): string => new Date((T0 + s) * 1_000).toISOString();

/** What tests of the support queue do with a connector's conversations. */
export function supportDesk(world: World, scope: Scope) {
  /** The one conversation, or the newest. */
  const conversation = async (): Promise<ConversationView> => {
    const [one] = (await listConversations(world.db, scope)).data;
    if (one === undefined) throw new Error("there is no conversation");
    return one;
  };
  const events = async (): Promise<ConversationEvent[]> => {
    const { id } = await conversation();
    const page = await listConversationEvents(world.db, { ...scope, conversationId: id });
    return page?.data ?? [];
  };
  return {
    conversation,
    events,
    /** An event a line: what, from, to, and whose doing. */
    told: async () =>
      (await events()).map(({ what, from, to, by }) => `${what}: ${from} → ${to} (${by.kind})`),
    /** Writes what became of a send. */
    record: (wire: Wire, isAutomatic = false) =>
      world.db.transaction((tx) =>
        recordOutgoing(tx, [
          { ...scope, message: wire, jobId: null, isAutomatic, acceptedAtMs: 1 },
        ]),
      ),
    /** A member's change. */
    change: async (change: QueueChange, version?: number, nowMs = Date.now()) => {
      const { id } = await conversation();
      const request = { workspaceId: scope.workspaceId, id, change, version, by: BY, nowMs };
      return world.db.transaction((tx) => changeConversation(tx, request));
    },
  };
}
