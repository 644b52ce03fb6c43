import type { Database } from "../src/platform/index.ts";
import type { SendingBot } from "./sending.ts";
import type { SendRecord } from "./sends.ts";

/** What the tables say of messages, held against what the sandbox took. */
export interface SentVerdict {
  messages: number;
  states: Record<string, number>;
  /** Said to be sent, and the sandbox never took it; or not over yet. */
  lost: number;
  /** Said to have failed, and the sandbox took it. */
  untrue: number;
  /** Taken more than once. */
  doubled: number;
  /** Taken more than once though no attempt at it was unknown, or though it was to be held then. */
  doubledWrongly: number;
  /** Taken for the first time after a later one of its chat. */
  outOfOrder: number;
}

const MESSAGES = `
SELECT m.text, m.chat_id, m.state, m.on_unknown,
  EXISTS (SELECT FROM send_attempts a WHERE a.workspace_id = m.workspace_id
    AND a.message_id = m.id AND a.outcome = 'unknown') AS was_unknown
FROM outbound_messages m WHERE m.workspace_id = $1 AND m.connector_id = $2`;

interface MessageRow {
  text: string;
  chat_id: string;
  state: string;
  on_unknown: "resend" | "hold";
  was_unknown: boolean;
}

/** Of the messages `m0`, `m1`, … of these bots; those of a chat were submitted in that order. */
export async function sentVerdict(
  db: Database,
  record: SendRecord,
  bots: readonly SendingBot[],
): Promise<SentVerdict> {
  const verdict: SentVerdict = {
    messages: 0,
    states: {},
    lost: 0,
    untrue: 0,
    doubled: 0,
    doubledWrongly: 0,
    outOfOrder: 0,
  };
  for (const bot of bots) {
    const taken = new Map<string, number>();
    const lastOfChat = new Map<string, number>();
    for (const { tookEffect, params } of record.callsOf(bot.account.id)) {
      if (!tookEffect) continue;
      const [chatId, text] = [String(params.chat_id), String(params.text)];
      const number = Number(text.slice(1));
      if (!taken.has(text)) {
        if (number < (lastOfChat.get(chatId) ?? -1)) verdict.outOfOrder++;
        lastOfChat.set(chatId, Math.max(number, lastOfChat.get(chatId) ?? -1));
      }
      taken.set(text, (taken.get(text) ?? 0) + 1);
    }
    const rows = await db.query<MessageRow>(MESSAGES, [bot.workspaceId, bot.connectorId]);
    for (const { text, state, on_unknown: onUnknown, was_unknown: wasUnknown } of rows) {
      const times = taken.get(text) ?? 0;
      verdict.messages++;
      verdict.states[state] = (verdict.states[state] ?? 0) + 1;
      const isOver = ["sent", "unknown", "failed"].includes(state);
      if (!isOver || (state === "sent" && times === 0)) verdict.lost++;
      if (state === "failed" && times > 0) verdict.untrue++;
      if (times > 1) verdict.doubled++;
      if (times > 1 && !(wasUnknown && onUnknown === "resend")) verdict.doubledWrongly++;
    }
  }
  return verdict;
}

/** Whether all of the bots' messages are over. */
export async function allOver(db: Database, bots: readonly SendingBot[]): Promise<boolean> {
  const waiting = await db.query(
    `SELECT FROM outbound_messages
     WHERE connector_id = ANY ($1) AND state IN ('queued', 'sending') LIMIT 1`,
    [bots.map(({ connectorId }) => connectorId)],
  );
  return waiting.length === 0;
}
