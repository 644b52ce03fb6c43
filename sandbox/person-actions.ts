import type { Place } from "./sandbox-types.ts";

/** What a person does in an app besides writing: the shapes of those actions. */

/** Types `@bot query` in a chat. */
export interface InlineQuestion extends Place {
  from: number;
  /** The bot that is asked; in its own private chat it may be left out. */
  viaBotId?: number;
  query: string;
  offset?: string;
}

export interface InlineResults {
  inlineQueryId: string;
  /** False while the bot has not answered. */
  isAnswered: boolean;
  /** As the bot gave them. */
  results: { id: string; type: string; title?: string; description?: string }[];
  nextOffset?: string;
  button?: { text: string; start_parameter?: string };
}

export interface Reaction extends Place {
  from: number;
  messageId: number;
  /** All that this person now shows; none takes them away. */
  emojis: string[];
}

export interface Vote extends Place {
  from: number;
  messageId: number;
  /** Positions of the options; none takes the vote back. */
  optionIds: number[];
}

export interface Pin extends Place {
  from: number;
  messageId: number;
  /** False unpins. */
  pinned?: boolean;
}

export interface Deletion extends Place {
  from: number;
  messageIds: number[];
}

export interface NewPoll {
  question: string;
  options: string[];
  /** Default true. */
  isAnonymous?: boolean;
  allowsMultipleAnswers?: boolean;
}

export interface NewBusinessConnection {
  /** Whose account the bot is to look after. */
  userId: number;
  botId: number;
  /** Default true. */
  canReply?: boolean;
}
