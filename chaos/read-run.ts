import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { RecordEntry } from "../sandbox/index.ts";
import type { Queryable } from "../src/platform/index.ts";
import type { Installation } from "./installation.ts";
import { ASKED_PREFIX, type ChaosBot } from "./load.ts";
import type {
  AnswerMessage,
  ArrivedMessage,
  EndedMessage,
  KeptMessage,
  SaidMessage,
} from "./verdict.ts";
import { type ArrivedTelling, hashesIn } from "./verdict-files.ts";

/** What a run left behind, at Telegram and in the database, as the verdict wants it. */
export interface Run {
  said: SaidMessage[];
  kept: KeptMessage[];
  ended: EndedMessage[];
  arrived: ArrivedMessage[];
  answers: AnswerMessage[];
  /** To those who hand in evidence. */
  news: ArrivedTelling[];
}

/** After `readyToRead`. */
export async function readRun({ recordFile, owner }: Installation, bots: ChaosBot[]): Promise<Run> {
  const { said, arrived, news } = await readRecord(recordFile, bots);
  const kept = await owner.query<KeptMessage>(
    `SELECT connector_id AS "connectorId", chat_id::text AS "chatId",
       telegram_message_id::int AS "messageId"
     FROM messages WHERE direction = 'in' ORDER BY id`,
  );
  const ended = await owner.query<EndedMessage>(
    `SELECT substr(m.text, $1) AS id, m.state, ${ATTEMPTS} AS attempts
     FROM outbound_messages m WHERE m.text LIKE $2`,
    [ASKED_PREFIX.length + 1, `${ASKED_PREFIX}%`],
  );
  const answers = await readAnswers(owner, sendersOf(bots));
  return { said, kept, ended, arrived, answers, news };
}

/** Everything is read, as no statement of the system reads; and a server that crashed knows nothing of its tables. */
export async function readyToRead({ owner }: Installation): Promise<void> {
  await owner.query("SET enable_seqscan = on");
  await owner.query("ANALYZE");
}

/** Chats, by their ids, of those who hand in evidence. */
export const sendersOf = (bots: readonly ChaosBot[]): string[] =>
  bots.flatMap(({ senders }) => senders.map(String));

/** Unclear: in flight when its worker died or was stopped, so that it became known too late or never. */
export const ATTEMPTS = `(
  SELECT coalesce(json_agg(json_build_object(
    'startedAtMs', floor(extract(epoch FROM a.started_at) * 1000),
    'unclear', a.outcome IS NULL OR a.outcome = 'unknown' OR a.finished_at > a.deadline_at
  ) ORDER BY a.started_at), '[]')
  FROM send_attempts a WHERE a.workspace_id = m.workspace_id AND a.message_id = m.id)`;

/** What was sent because of what people said, but to those of `besides`. */
export function readAnswers(db: Queryable, besides: string[] = []): Promise<AnswerMessage[]> {
  return db.query<AnswerMessage>(
    `SELECT m.connector_id AS "connectorId", m.chat_id AS "chatId",
       i.telegram_message_id::int AS "toMessageId", m.state, m.on_unknown AS "onUnknown",
       m.telegram_message_ids::int[] AS "telegramIds", ${ATTEMPTS} AS attempts
     FROM outbound_messages m LEFT JOIN messages i
       ON i.workspace_id = m.workspace_id AND i.job_id = m.cause_id AND i.direction = 'in'
     WHERE m.kind = 'message' AND m.text NOT LIKE $1 AND m.chat_id <> ALL ($2::text[])`,
    [`${ASKED_PREFIX}%`, besides],
  );
}

async function readRecord(
  file: string,
  bots: ChaosBot[],
): Promise<{ said: SaidMessage[]; arrived: ArrivedMessage[]; news: ArrivedTelling[] }> {
  const byBot = new Map(bots.map((bot) => [bot.id, bot.connectorId]));
  const byGroup = new Map(bots.map((bot) => [bot.groupId, bot.connectorId]));
  const senders = new Set(sendersOf(bots));
  const said: SaidMessage[] = [];
  const news: ArrivedTelling[] = [];
  const arrived: ArrivedMessage[] = [];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const entry = JSON.parse(line) as RecordEntry;
    if (entry.kind === "message" && entry.what === "new") {
      const { botId, chatId, message } = entry;
      const connectorId = botId === undefined ? byGroup.get(chatId) : byBot.get(botId);
      const byPerson = message.from !== undefined && !message.from.is_bot;
      const { text = "", document, photo } = message;
      const isKept = text !== "" || document !== undefined || photo !== undefined;
      if (connectorId === undefined || !byPerson || !isKept) continue;
      // The first thing a person says is answered too. What dialogs answer is a card that changes.
      const isSender = senders.has(String(chatId));
      const command = !isSender && (text.startsWith("/") || text === "hello");
      said.push({ connectorId, chatId: String(chatId), messageId: message.message_id, command });
    } else if (entry.kind === "call" && entry.method === "sendMessage" && entry.tookEffect) {
      const connectorId = byBot.get(entry.botId ?? 0);
      if (connectorId === undefined) continue;
      const text = String(entry.params.text);
      const askedId = text.startsWith(ASKED_PREFIX) ? text.slice(ASKED_PREFIX.length) : undefined;
      const messageId = (entry.result as { message_id?: number } | undefined)?.message_id ?? 0;
      const chatId = String(entry.params.chat_id);
      if (senders.has(chatId)) {
        const sha256s = hashesIn(text);
        if (sha256s.length > 0)
          news.push({ connectorId, chatId, sha256s, atMs: entry.at, messageId });
        continue;
      }
      arrived.push({ connectorId, chatId, askedId, atMs: entry.at, messageId });
    }
  }
  return { said, arrived, news };
}
