import type { ChatPurpose, ChatType } from "../conversations/index.ts";
import type { Priority } from "../outbound/index.ts";
import { holdsWord } from "./words.ts";

/** `reply`: said in a conversation; `broadcast`: one message that stands for all of them. */
export const MESSAGE_KINDS = ["message", "reply", "broadcast"] as const;
export type MessageKind = (typeof MESSAGE_KINDS)[number];

/** All that are given must hold; none: every message. */
export interface Conditions {
  kinds?: MessageKind[];
  chatIds?: string[];
  chatTypes?: ChatType[];
  purposes?: ChatPurpose[];
  /** Ids of API keys. */
  senders?: string[];
  priorities?: Priority[];
  /** Whole words, or several words in a row, in any case. */
  words?: string[];
  /** In UTF-16 units. */
  minLength?: number;
}

export interface Rule {
  id: string;
  name: string;
  /** Null: of every bot. */
  connectorId: string | null;
  conditions: Conditions;
  approvals: number;
  expiresAfterS: number;
  /** People who may decide. */
  personIds: string[];
  /** Where they are asked in Telegram. */
  chat: { connectorId: string; chatId: string } | null;
}

/** What is kept of the rule that a message waits by: it may be changed, or be gone. */
export type RuleSnapshot = Pick<Rule, "name" | "personIds" | "chat"> & { kind: MessageKind };

export const snapshotOf = ({ name, personIds, chat }: Rule, kind: MessageKind): RuleSnapshot => ({
  name,
  personIds,
  chat,
  kind,
});

/** What a rule may look at. */
export interface Asked {
  connectorId: string;
  /** Those that it counts as. */
  kinds: readonly MessageKind[];
  /** The chat's id and those it had before or has by now; null: a public name of no chat we know. */
  chatIds: string[] | null;
  /** Those that it may be of. */
  chatTypes: ChatType[];
  /** Undefined: not known. */
  purpose: ChatPurpose | null | undefined;
  keyId: string | null;
  priority: Priority;
  /** In UTF-16 units; null: not known. */
  length: number | null;
  /** Everything that is read; null: not known. */
  texts: string[] | null;
}

/**
 * The rule that a message waits by; null: it does not wait. Of several that match the strictest: most
 * approvals, then the shortest time, then the smallest id. What is not known, of a chat or of what is
 * forwarded, counts as what a rule asks for: neither a public name nor a copy must be a way around it.
 */
export function ruleFor(asked: Asked, rules: readonly Rule[]): Rule | null {
  const matching = rules.filter((rule) => matches(asked, rule));
  return matching.sort(byStrictness)[0] ?? null;
}

const byStrictness = (a: Rule, b: Rule): number =>
  b.approvals - a.approvals || a.expiresAfterS - b.expiresAfterS || (a.id < b.id ? -1 : 1);

function matches(asked: Asked, { connectorId, conditions }: Rule): boolean {
  const { kinds, chatIds, chatTypes, purposes, senders, priorities, words, minLength } = conditions;
  const isAmong = <Value>(wanted: readonly Value[] | undefined, values: readonly Value[]) =>
    wanted === undefined || values.some((value) => wanted.includes(value));
  const { purpose, keyId } = asked;
  return (
    (connectorId === null || connectorId === asked.connectorId) &&
    isAmong(kinds, asked.kinds) &&
    (asked.chatIds === null || isAmong(chatIds, asked.chatIds)) &&
    isAmong(chatTypes, asked.chatTypes) &&
    (purpose === undefined || isAmong(purposes, purpose === null ? [] : [purpose])) &&
    isAmong(senders, keyId === null ? [] : [keyId]) &&
    isAmong(priorities, [asked.priority]) &&
    (asked.length === null || asked.length >= (minLength ?? 0)) &&
    // Last: it costs most.
    (asked.texts === null || words === undefined || holdsWord(asked.texts, words))
  );
}

/** Bot API: ids above 0 are people, those of basic groups lie above this one. */
const SUPERGROUPS_BELOW = -1_000_000_000_000;

/** What a chat that we have not met may be, by its id; a public name is a supergroup or a channel. */
export function possibleTypes(chatId: string): ChatType[] {
  const id = Number(chatId);
  if (id > 0) return ["private"];
  return id > SUPERGROUPS_BELOW ? ["group"] : ["supergroup", "channel"];
}
