export interface Chat {
  workspaceId: string;
  connectorId: string;
  chatId: string;
}

/** What is asked and done about links of groups when updates come in; conversations keeps them. */
export interface ChatLinks<Tx> {
  /** Those of the chats that are linked, by `linkKeyOf`. */
  linked(chats: readonly Chat[]): Promise<ReadonlySet<string>>;
  /** Moves a link to a group's new id, in the transaction of the update that says so. */
  move(
    tx: Tx,
    move: { workspaceId: string; connectorId: string; fromChatId: string; toChatId: string },
  ): Promise<void>;
}

export const linkKeyOf = ({ connectorId, chatId }: Chat) => `${connectorId}/${chatId}`;

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
    linked: async (chats) => {
      const linked = new Set<string>();
      const asked: Chat[] = [];
      for (const chat of chats) {
        const key = linkKeyOf(chat);
        const untilMs = kept.get(key);
        if (untilMs !== undefined && untilMs > performance.now()) linked.add(key);
        else asked.push(chat);
      }
      if (asked.length === 0) return linked;
      const found = await links.linked(asked);
      for (const chat of asked) {
        const key = linkKeyOf(chat);
        if (found.has(key)) {
          if (kept.size >= MAX_KEPT) kept.clear();
          kept.set(key, performance.now() + KEPT_MS);
          linked.add(key);
        } else {
          kept.delete(key);
        }
      }
      return linked;
    },
    move: (tx, move) => links.move(tx, move),
  };
}
