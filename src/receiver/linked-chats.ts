/** What the receiver asks and does about links of groups; conversations keeps them. */
export interface ChatLinks<Tx> {
  linked(chat: { workspaceId: string; connectorId: string; chatId: string }): Promise<boolean>;
  /** Moves a link to a group's new id, in the transaction of the update that says so. */
  move(
    tx: Tx,
    move: { workspaceId: string; connectorId: string; fromChatId: string; toChatId: string },
  ): Promise<void>;
}

/** A group that was unlinked stops being stored within this time. */
const KEPT_MS = 800;
const MAX_KEPT = 50_000;

/**
 * Remembers for less than a second that a group is linked. That it is not linked is never
 * remembered: the first message after the link must not be dropped.
 */
export function createLinkedChats<Tx>(links: ChatLinks<Tx>): ChatLinks<Tx> {
  const kept = new Map<string, number>();
  return {
    linked: async (chat) => {
      const key = `${chat.connectorId}/${chat.chatId}`;
      const untilMs = kept.get(key);
      if (untilMs !== undefined && untilMs > performance.now()) return true;
      const linked = await links.linked(chat);
      if (linked) {
        if (kept.size >= MAX_KEPT) kept.clear();
        kept.set(key, performance.now() + KEPT_MS);
      } else {
        kept.delete(key);
      }
      return linked;
    },
    move: (tx, move) => links.move(tx, move),
  };
}
