/**
 * Whose limit a 429 is, which Telegram does not say. Decided without I/O.
 *
 * The first refusal holds its chat. Then it is told by what becomes of other chats' calls:
 *
 *   - one of another chat is refused, and none has passed in between: it is the bot's
 *   - one that left later passes: it was the chat's
 *   - none is under way: to send one in order to see would break a hold that may be the bot's. So the
 *     one that was nearer to its own limit is taken to be it, chat or bot
 */
export type Refusal =
  | "chat"
  | "bot"
  /** The bot's, as far as can be told; nobody has confirmed it. */
  | "likely-bot"
  /** Calls of other chats are under way that will tell. */
  | "undecided";

interface Suspect {
  chatId: string;
  leftMs: number;
  untilMs: number;
  /** After this, another chat's refusal says nothing about it any more. */
  forgottenAtMs: number;
  /** It was taken for the bot's already. */
  isBots: boolean;
}

const MOMENT_MS = 2_000;

export class Refusals {
  private suspect: Suspect | null = null;

  /**
   * A call was refused until `untilMs`. `chatId`: null for one that counts for the bot only.
   * `isBotNearer`: the bot is nearer to its limit than the chat to its own. `othersUnderWay`: calls
   * of other chats that left after it have no answer yet. Answers whose it is, since when (when the
   * first call that it is about left) and until when.
   */
  refused(
    call: { chatId: string | null; leftMs: number; untilMs: number },
    seen: { nowMs: number; isBotNearer: boolean; othersUnderWay: boolean },
  ): { whose: Refusal; leftMs: number; untilMs: number } {
    const { chatId, leftMs, untilMs } = call;
    if (chatId === null) return { whose: "bot", leftMs, untilMs };
    const before = this.suspect;
    const isOfBoth =
      before !== null && before.chatId !== chatId && seen.nowMs <= before.forgottenAtMs;
    if (isOfBoth) {
      const laterMs = Math.max(untilMs, before.untilMs);
      const forgottenAtMs = laterMs + MOMENT_MS;
      this.suspect = { ...before, untilMs: laterMs, forgottenAtMs, isBots: true };
      return { whose: "bot", leftMs: before.isBots ? leftMs : before.leftMs, untilMs: laterMs };
    }
    const isLikely = seen.isBotNearer && !seen.othersUnderWay;
    // While the bot may be held nothing leaves that would tell.
    const forgottenAtMs = (seen.isBotNearer ? untilMs : seen.nowMs) + MOMENT_MS;
    this.suspect = { chatId, leftMs, untilMs, forgottenAtMs, isBots: isLikely };
    if (!seen.isBotNearer) return { whose: "chat", leftMs, untilMs };
    return { whose: isLikely ? "likely-bot" : "undecided", leftMs, untilMs };
  }

  /** A call passed. True: what was undecided was the chat's. */
  passed(chatId: string | null, leftMs: number): boolean {
    const { suspect } = this;
    // One that counts for no chat may be limited by nothing at all.
    if (suspect === null || chatId === null || leftMs <= suspect.leftMs) return false;
    this.suspect = null;
    return !suspect.isBots && chatId !== suspect.chatId;
  }
}
