import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { RecordEntry } from "../sandbox/index.ts";
import type { Installation } from "./installation.ts";
import { ASKED_PREFIX, type ChaosBot } from "./load.ts";
import type { ArrivedMessage, EndedMessage, KeptMessage, SaidMessage } from "./verdict.ts";

/** What a run left behind, at Telegram and in the database, as the verdict wants it. */
export interface Run {
  said: SaidMessage[];
  kept: KeptMessage[];
  ended: EndedMessage[];
  arrived: ArrivedMessage[];
  /** Answers whose send ended as unknown, by `connectorId/chatId`. */
  unknownAnswers: Map<string, number>;
}

export async function readRun(installation: Installation, bots: ChaosBot[]): Promise<Run> {
  const { said, arrived } = await readRecord(installation.recordFile, bots);
  const { db } = installation;
  const kept = await db.query<KeptMessage>(
    `SELECT connector_id AS "connectorId", chat_id::text AS "chatId",
       telegram_message_id::int AS "messageId"
     FROM messages WHERE direction = 'in' ORDER BY id`,
  );
  // In flight when its worker died or was stopped: nobody knew, or it became known too late.
  const ended = await db.query<EndedMessage>(
    `SELECT substr(m.text, $1) AS id, m.state, EXISTS (
       SELECT FROM send_attempts a
       WHERE a.workspace_id = m.workspace_id AND a.message_id = m.id
         AND (a.outcome = 'unknown' OR a.outcome IS NULL OR a.finished_at > a.deadline_at)
     ) AS "wasUnknown"
     FROM outbound_messages m WHERE m.text LIKE $2`,
    [ASKED_PREFIX.length + 1, `${ASKED_PREFIX}%`],
  );
  const unknown = await db.query<{ chat: string; count: number }>(
    `SELECT connector_id || '/' || chat_id AS chat, count(*)::int AS count
     FROM outbound_messages WHERE text NOT LIKE $1 AND state = 'unknown' GROUP BY 1`,
    [`${ASKED_PREFIX}%`],
  );
  return {
    said,
    kept,
    ended,
    arrived,
    unknownAnswers: new Map(unknown.map(({ chat, count }) => [chat, count])),
  };
}

async function readRecord(
  file: string,
  bots: ChaosBot[],
): Promise<{ said: SaidMessage[]; arrived: ArrivedMessage[] }> {
  const byBot = new Map(bots.map((bot) => [bot.id, bot.connectorId]));
  const byGroup = new Map(bots.map((bot) => [bot.groupId, bot.connectorId]));
  const said: SaidMessage[] = [];
  const arrived: ArrivedMessage[] = [];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const entry = JSON.parse(line) as RecordEntry;
    if (entry.kind === "message" && entry.what === "new") {
      const { botId, chatId, message } = entry;
      const connectorId = botId === undefined ? byGroup.get(chatId) : byBot.get(botId);
      const byPerson = message.from !== undefined && !message.from.is_bot;
      if (connectorId === undefined || !byPerson || message.text === undefined) continue;
      // The first thing a person says is answered too.
      const command = message.text.startsWith("/") || message.text === "hello";
      said.push({ connectorId, chatId: String(chatId), messageId: message.message_id, command });
    } else if (entry.kind === "call" && entry.method === "sendMessage" && entry.tookEffect) {
      const connectorId = byBot.get(entry.botId ?? 0);
      if (connectorId === undefined) continue;
      const text = String(entry.params.text);
      const askedId = text.startsWith(ASKED_PREFIX) ? text.slice(ASKED_PREFIX.length) : undefined;
      arrived.push({ connectorId, chatId: String(entry.params.chat_id), askedId });
    }
  }
  return { said, arrived };
}
