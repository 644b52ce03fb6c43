/**
 * What a run must have come to, decided without I/O: what people and callers put in, what the
 * database holds, and what arrived at Telegram, held against each other row by row.
 */

import { groupBy } from "../src/platform/index.ts";

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

/** A try to send a message, as it was written down before the request left. */
export interface Attempt {
  startedAtMs: number;
  /** Its outcome was not known in time: somebody died or was stopped, or Telegram never answered. */
  unclear: boolean;
}

/** How it stands in the database at the end. */
export interface EndedMessage {
  id: string;
  state: string;
  /** In the order in which they began; one of a chat ends before the next begins. */
  attempts: Attempt[];
}

/** The message that answers a command. */
export interface AnswerMessage {
  connectorId: string;
  chatId: string;
  /** What it answers; null when that was not kept. */
  toMessageId: number | null;
  state: string;
  onUnknown: "resend" | "hold";
  attempts: Attempt[];
  /** Under which Telegram is known to have it. */
  telegramIds: number[];
}

/** A send that took effect at Telegram, in the order in which they did. */
export interface ArrivedMessage {
  connectorId: string;
  chatId: string;
  /** The `id` of what was asked; undefined for an answer to a command. */
  askedId: string | undefined;
  atMs: number;
  /** Telegram's. */
  messageId: number;
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

export const wasUnknown = (message: { attempts: Attempt[] }) =>
  message.attempts.some((attempt) => attempt.unclear);

/** The attempt during which something arrived: the last that had begun. */
const attemptAt = <Item extends Attempt>(attempts: Item[], atMs: number): Item | undefined =>
  attempts.findLast((attempt) => attempt.startedAtMs <= atMs);

/**
 * Whether a message may have arrived so often: each time but the last in an attempt of its own whose
 * outcome nobody knew. An attempt that never reached Telegram explains nothing.
 */
export function isExplained(attempts: Attempt[], timesMs: number[]): boolean {
  const during = timesMs.map((atMs) => attemptAt(attempts, atMs));
  if (new Set(during).size < during.length) return false;
  return during.slice(0, -1).every((attempt) => attempt?.unclear === true);
}

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
  const timesMs = new Map<string, number[]>();
  const outOfOrder: string[] = [];
  const last = new Map<string, number>();
  for (const { askedId, atMs } of arrived) {
    const message = askedId === undefined ? undefined : askedBy.get(askedId);
    if (message === undefined) continue;
    const before = timesMs.get(message.id) ?? [];
    timesMs.set(message.id, [...before, atMs]);
    const end = endOf.get(message.id);
    if (before.length > 0 || (end !== undefined && wasUnknown(end))) continue;
    const latest = last.get(chatOf(message)) ?? Number.NEGATIVE_INFINITY;
    if (message.n < latest) outOfOrder.push(message.id);
    last.set(chatOf(message), Math.max(latest, message.n));
  }
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const message of asked) {
    const times = timesMs.get(message.id) ?? [];
    const end = endOf.get(message.id);
    const mayBeUnsent = end?.state === "unknown" && message.onUnknown === "hold";
    if (end === undefined || (times.length === 0 && !mayBeUnsent)) lost.push(message.id);
    const mayBeTwice = message.onUnknown === "resend" && isExplained(end?.attempts ?? [], times);
    if (times.length > 1 && !mayBeTwice) doubled.push(message.id);
  }
  return { lost, doubled, outOfOrder };
}

/**
 * Commands: one answer each, sent once; not at all only where it ended as unknown and was to be
 * held, twice only as with any message. Answers look alike, so an arrival is that of the answer
 * that knows it by its id, else of the one that was being sent in its chat then.
 */
export function judgeAnswers(
  said: SaidMessage[],
  answers: AnswerMessage[],
  arrived: ArrivedMessage[],
): Pick<Verdict, "lost" | "doubled"> {
  const key = (message: { connectorId: string; chatId: string }, id: number | null) =>
    `${chatOf(message)}/${id}`;
  const knownBy = new Map(
    answers.flatMap((answer) => answer.telegramIds.map((id) => [key(answer, id), answer] as const)),
  );
  const tries = groupBy(
    answers
      .flatMap((answer) => answer.attempts.map((attempt) => ({ ...attempt, answer })))
      .sort((a, b) => a.startedAtMs - b.startedAtMs),
    ({ answer }) => chatOf(answer),
  );
  const timesMs = new Map<AnswerMessage, number[]>();
  const lost: string[] = [];
  const doubled: string[] = [];
  const arrivedIds = new Set<string>();
  for (const arrival of arrived) {
    if (arrival.askedId !== undefined) continue;
    const name = key(arrival, arrival.messageId);
    arrivedIds.add(name);
    const answer =
      knownBy.get(name) ?? attemptAt(tries.get(chatOf(arrival)) ?? [], arrival.atMs)?.answer;
    if (answer === undefined) doubled.push(`${name}: nobody's answer`);
    else timesMs.set(answer, [...(timesMs.get(answer) ?? []), arrival.atMs]);
  }
  for (const answer of answers) {
    const times = timesMs.get(answer) ?? [];
    const name = `answer to ${key(answer, answer.toMessageId)}`;
    const isHeld = answer.state === "unknown" && answer.onUnknown === "hold";
    const isThere = answer.telegramIds.some((id) => arrivedIds.has(key(answer, id)));
    const isMissing = answer.state === "sent" ? !isThere : times.length === 0;
    if (isMissing && !isHeld) lost.push(name);
    const mayBeTwice = answer.onUnknown === "resend" && isExplained(answer.attempts, times);
    if (times.length > 1 && !mayBeTwice) doubled.push(name);
  }
  const answersTo = groupBy(answers, (answer) => key(answer, answer.toMessageId));
  for (const message of said) {
    if (!message.command) continue;
    const name = key(message, message.messageId);
    const count = answersTo.get(name)?.length ?? 0;
    if (count === 0) lost.push(`answer to ${name}`);
    if (count > 1) doubled.push(`answer to ${name}`);
  }
  return { lost, doubled };
}

/** What a run came to as a whole. */
export interface Outcome {
  settled: boolean;
  lost: string[];
  doubled: string[];
  outOfOrder: string[];
  /** What lies in the store and should not, or the other way round. */
  strays: string[];
  /** What reading every stored file again has found wrong. */
  unsound: string[];
  /** Faults after which it took too long until all was normal. */
  slow: string[];
}

export const hasPassed = ({ settled, ...found }: Outcome): boolean =>
  settled && Object.values(found).every(({ length }) => length === 0);
