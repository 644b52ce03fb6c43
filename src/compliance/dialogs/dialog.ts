import { randomBytes, randomUUID } from "node:crypto";
import type { Language } from "../../platform/index.ts";

/** What a dialog is for; each kind has its machine. */
export const DIALOG_KINDS = [
  "evidence_collection",
  "compliance_review",
  "risk_assessment",
] as const;
export type DialogKind = (typeof DIALOG_KINDS)[number];

/** A conversation in steps, as its row has it. Ids of Telegram are decimal strings. */
export interface Dialog<State extends string = string, Data extends object = object> {
  workspaceId: string;
  id: string;
  /** 16 characters, in its buttons: it says which dialog, and nothing that is believed. */
  token: string;
  connectorId: string;
  chatId: string;
  /** "0": none. */
  threadId: string;
  /** The chat is one person's. */
  isPrivate: boolean;
  kind: DialogKind;
  state: State;
  data: Data;
  /** One more each time that its card changes. */
  version: number;
  /** Whom it asks; "0": whoever may answer in its chat. */
  userId: string;
  /** In which its card and its reminder speak: of whom it asked first. */
  language: Language;
  evidenceId: string | null;
  riskId: string | null;
  /** The last album of which a file came to it. */
  mediaGroupId: string | null;
  /** The message that shows it; null: none does yet, or another is to. */
  cardId: string | null;
  expiresAtMs: number;
  /** When whom it asks is reminded; null: they were. */
  remindAtMs: number | null;
  isOver: boolean;
}

export type Place = Pick<Dialog, "workspaceId" | "connectorId" | "chatId" | "threadId">;

/** Bot API: a private chat has the id of its person; those of all others are below zero. */
export const isPrivateChat = (chatId: string): boolean => !chatId.startsWith("-");

interface Begun<State extends string, Data extends object> {
  machine: { kind: DialogKind; lifeMs: number; remindMs: number };
  state: State;
  data: Data;
  userId: string;
  language: Language;
  evidenceId?: string;
  riskId?: string;
  nowMs: number;
}

/** A dialog before its first step: nobody has been shown it. */
export const newDialog = <State extends string, Data extends object>(
  { workspaceId, connectorId, chatId, threadId }: Place,
  { machine, state, data, userId, language, evidenceId, riskId, nowMs }: Begun<State, Data>,
): Dialog<State, Data> => ({
  workspaceId,
  id: randomUUID(),
  token: randomBytes(12).toString("base64url"),
  connectorId,
  chatId,
  threadId,
  isPrivate: isPrivateChat(chatId),
  kind: machine.kind,
  state,
  data,
  version: 1,
  userId,
  language,
  evidenceId: evidenceId ?? null,
  riskId: riskId ?? null,
  mediaGroupId: null,
  cardId: null,
  expiresAtMs: nowMs + machine.lifeMs,
  remindAtMs: nowMs + machine.lifeMs - machine.remindMs,
  isOver: false,
});
