/**
 * What a run must have come to, decided without I/O: what people and callers put in, what the
 * database holds, and what arrived at Telegram, held against each other row by row.
 */

/** An update that the sandbox made and that Heliograph must keep. */
export interface SaidMessage {
  connectorId: string;
  chatId: string;
  messageId: number;
  /** A command that must be answered once. */
  command: boolean;
}

/** A message's row, in the order of `id` within its chat. */
export interface KeptMessage {
  connectorId: string;
  chatId: string;
  messageId: number;
}

/** What a caller asked to be sent and was told 202 for; `n` rises within a chat. */
export interface AskedMessage {
  id: string;
  connectorId: string;
  chatId: string;
  n: number;
  onUnknown: "resend" | "hold";
}

/** How it stands in the database at the end. */
export interface EndedMessage {
  id: string;
  state: string;
  /** Somebody died or was stopped with it in flight, or Telegram never answered. */
  wasUnknown: boolean;
}

/** A send that took effect at Telegram, in the order in which they did. */
export interface ArrivedMessage {
  connectorId: string;
  chatId: string;
  /** The `id` of what was asked; undefined for an answer to a command. */
  askedId: string | undefined;
}

export interface Verdict {
  said: number;
  sent: number;
  lost: string[];
  doubled: string[];
  outOfOrder: string[];
}

const chatOf = ({ connectorId, chatId }: { connectorId: string; chatId: string }) =>
  `${connectorId}/${chatId}`;

/** What people said: kept once each, in their order. */
export function judgeInbound(
  said: SaidMessage[],
  kept: KeptMessage[],
): Pick<Verdict, "lost" | "doubled" | "outOfOrder"> {
  const key = (message: KeptMessage) => `${chatOf(message)}/${message.messageId}`;
  const times = new Map<string, number>();
  for (const message of kept) times.set(key(message), (times.get(key(message)) ?? 0) + 1);
  const lost = said.map(key).filter((name) => !times.has(name));
  const doubled = [...times].filter(([, count]) => count > 1).map(([name]) => name);
  const outOfOrder: string[] = [];
  const last = new Map<string, number>();
  for (const message of kept) {
    const before = last.get(chatOf(message)) ?? Number.NEGATIVE_INFINITY;
    if (message.messageId < before) outOfOrder.push(key(message));
    last.set(chatOf(message), Math.max(before, message.messageId));
  }
  return { lost, doubled, outOfOrder };
}

/**
 * What callers asked for: sent once each, in their order. Twice is allowed where nobody could know
 * whether the first had arrived and the message says `resend`; not at all where it says `hold`; and
 * such a message leaves its chat's order.
 */
export function judgeOutbound(
  asked: AskedMessage[],
  ended: EndedMessage[],
  arrived: ArrivedMessage[],
): Pick<Verdict, "lost" | "doubled" | "outOfOrder"> {
  const endOf = new Map(ended.map((message) => [message.id, message]));
  const askedBy = new Map(asked.map((message) => [message.id, message]));
  const times = new Map<string, number>();
  const outOfOrder: string[] = [];
  const last = new Map<string, number>();
  for (const { askedId } of arrived) {
    const message = askedId === undefined ? undefined : askedBy.get(askedId);
    if (message === undefined) continue;
    const count = (times.get(message.id) ?? 0) + 1;
    times.set(message.id, count);
    if (count > 1 || endOf.get(message.id)?.wasUnknown) continue;
    const before = last.get(chatOf(message)) ?? Number.NEGATIVE_INFINITY;
    if (message.n < before) outOfOrder.push(message.id);
    last.set(chatOf(message), Math.max(before, message.n));
  }
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const message of asked) {
    const count = times.get(message.id) ?? 0;
    const end = endOf.get(message.id);
    const mayBeUnsent = end?.state === "unknown" && message.onUnknown === "hold";
    if (end === undefined || (count === 0 && !mayBeUnsent)) lost.push(message.id);
    const mayBeTwice = end?.wasUnknown === true && message.onUnknown === "resend";
    if (count > 1 && !mayBeTwice) doubled.push(message.id);
  }
  return { lost, doubled, outOfOrder };
}

/** Commands: one answer each; none only where its send ended as unknown. */
export function judgeAnswers(
  said: SaidMessage[],
  arrived: ArrivedMessage[],
  unknownAnswers: ReadonlyMap<string, number>,
): Pick<Verdict, "lost" | "doubled"> {
  const wanted = counted(said.filter((message) => message.command).map(chatOf));
  const came = counted(
    arrived.filter((message) => message.askedId === undefined).map((message) => chatOf(message)),
  );
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const [chat, count] of wanted) {
    const answers = came.get(chat) ?? 0;
    const unknown = unknownAnswers.get(chat) ?? 0;
    if (answers + unknown < count) lost.push(`answer in ${chat}`);
    if (answers > count) doubled.push(`answer in ${chat}`);
  }
  return { lost, doubled };
}

function counted(keys: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
