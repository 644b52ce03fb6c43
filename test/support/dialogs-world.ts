import {
  createDialogKeeper,
  createDialogs,
  createRequestSink,
  gatherJobs,
} from "../../src/compliance/index.ts";
import { createIngestHandler, type Scope } from "../../src/conversations/index.ts";
import { insertJobs } from "../../src/jobs/index.ts";
import { createReplySink, type JobSink } from "../../src/outbound/index.ts";
import { silentLogger } from "../../src/platform/index.ts";
import { accessWorld } from "./access-world.ts";
import type { World } from "./conversations-world.ts";
import { message, pressed, privateChat, user, type Wire } from "./telegram-updates.ts";

/** A dialog's card as it was last sent: its text, and the data of its buttons by their labels. */
export interface ShownCard {
  dialogId: string;
  cardId: string;
  state: string;
  evidenceId: string | null;
  text: string;
  data: Record<string, string>;
}

interface CardRow {
  id: string;
  card_id: string;
  state: string;
  evidence_id: string | null;
  text: string;
  buttons: Array<Array<{ text: string; data: string }>> | null;
}

/** Thrown where a test lets a process die before it commits. */
class Crash extends Error {}

/** What tests of dialogs do: people who write, send files and press, and time that goes by. */
export function dialogsWorld(world: World) {
  const { db } = world;
  const jobs: JobSink = { enqueueIn: (tx, some) => insertJobs(tx.engine, some) };
  let skipMs = 0;
  let lastId = 0;
  const clock = () => Date.now() + skipMs;
  const gathered = gatherJobs(jobs);
  const dialogs = createDialogs({ jobs: gathered.sink, clock });
  const wordsOf = (args: string) =>
    (args.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""));
  const requests = createRequestSink(
    {
      command: (tx, request, asker) => {
        const words = wordsOf(request.args);
        if (request.name === "evidence") return dialogs.evidence(tx, request, asker, words);
        return dialogs.assess(tx, request, asker, { code: words[1] ?? "" });
      },
      press: dialogs.press,
      file: dialogs.file,
      text: dialogs.text,
      inlineQuery: async () => [],
    },
    gathered.flush,
  );
  const handler = createIngestHandler({
    replies: createReplySink({ jobs }),
    requests,
    log: silentLogger,
  });
  const keeper = createDialogKeeper({ db, jobs, log: silentLogger, clock });

  /** `crashes`: first in a process that dies before it commits. */
  async function ingest(
    scope: Scope,
    updates: Wire | Wire[],
    { crashes = false } = {},
  ): Promise<void> {
    const lane = world.lane(scope, [updates].flat());
    if (crashes) {
      await db
        .transaction(async (tx) => {
          await handler.run(tx, [lane]);
          throw new Crash();
        })
        .catch((error) => {
          if (!(error instanceof Crash)) throw error;
        });
    }
    await db.transaction((tx) => handler.run(tx, [lane]));
  }

  const answered = async ({ connectorId }: Scope, queryId: string): Promise<string[]> => {
    const rows = await db.query<{ text: string }>(
      "SELECT text FROM outbound_messages WHERE connector_id = $1 AND callback_query_id = $2",
      [connectorId, queryId],
    );
    return rows.map(({ text }) => text);
  };

  /** Cards of a chat, that of the dialog which changed last first. */
  const cards = async ({ connectorId }: Scope, chatId: number): Promise<ShownCard[]> => {
    const rows = await db.query<CardRow>(
      `SELECT d.id, d.card_id, d.state, d.evidence_id, m.text, m.buttons FROM dialogs d
       CROSS JOIN LATERAL (
         SELECT o.text, o.buttons FROM outbound_messages o
         WHERE o.workspace_id = d.workspace_id AND d.card_id IN (o.id, o.target_id)
         ORDER BY o.job_id DESC LIMIT 1) m
       WHERE d.connector_id = $1 AND d.chat_id = $2 ORDER BY d.updated_at DESC, d.id`,
      [connectorId, chatId],
    );
    return rows.map(({ id: dialogId, card_id: cardId, evidence_id: evidenceId, ...row }) => ({
      dialogId,
      cardId,
      evidenceId,
      state: row.state,
      text: row.text,
      data: Object.fromEntries((row.buttons ?? []).flat().map(({ text, data }) => [text, data])),
    }));
  };

  const languages = new Map<number, string>();
  const who = (by: number) => user(by, { language_code: languages.get(by) ?? "en" });
  const whereabouts = (by: number, chat: Wire = privateChat(by)) => ({ from: who(by), chat });

  const chats = {
    ...accessWorld(world),
    keeper,
    cards,
    pass: (ms: number) => {
      skipMs += ms;
    },
    /** What this person's app speaks from now on, as an IETF tag; English where nobody said. */
    speaks: (by: number, languageCode: string) => {
      languages.set(by, languageCode);
    },
    async card(scope: Scope, chatId: number): Promise<ShownCard> {
      const [first] = await cards(scope, chatId);
      if (first === undefined) throw new Error("no card is shown there");
      return first;
    },
    async write(
      scope: Scope,
      by: number,
      text: string,
      { chat, ...rest }: { chat?: Wire; crashes?: boolean; reply_to_message?: Wire } = {},
    ): Promise<void> {
      const { crashes, ...more } = rest;
      const sent = message(++lastId, text, { ...whereabouts(by, chat), ...more });
      await ingest(scope, { message: sent }, { crashes });
    },
    async photo(
      scope: Scope,
      by: number,
      {
        chat,
        album,
        caption,
        crashes,
      }: { chat?: Wire; album?: string; caption?: string; crashes?: boolean } = {},
    ): Promise<void> {
      const id = `${++lastId}`;
      const size = { file_id: `f${id}`, file_unique_id: `u${id}`, width: 9, height: 9 };
      const photo = [{ ...size, file_size: 1_000 }];
      const fields = { photo, caption, media_group_id: album };
      await chats.sent(scope, by, fields, { chat, crashes });
    },
    /** Buttons of their own chats, pressed by several people, in one transaction. */
    async pressTogether(scope: Scope, presses: Array<[by: number, data?: string]>): Promise<void> {
      const updates = presses.map(([by, data]) => ({
        callback_query: pressed(data ?? "none", {
          id: `press-${++lastId}`,
          from: who(by),
          message: { message_id: 7, date: 1, chat: privateChat(by) },
        }),
      }));
      await ingest(scope, updates);
    },
    /** A message of any kind but a text. */
    async sent(
      scope: Scope,
      by: number,
      fields: Wire,
      { chat, crashes }: { chat?: Wire; crashes?: boolean } = {},
    ): Promise<void> {
      const sent = message(++lastId, "", { ...whereabouts(by, chat), text: undefined, ...fields });
      await ingest(scope, { message: sent }, { crashes });
    },
    /** Answers what is said to the press: one text, or there were several answers, or none. */
    async press(
      scope: Scope,
      by: number,
      data: string | undefined,
      { chat = privateChat(by), crashes }: { chat?: Wire; crashes?: boolean } = {},
    ): Promise<string[]> {
      const id = `press-${++lastId}`;
      const update = {
        callback_query: pressed(data ?? "none", {
          id,
          from: who(by),
          message: { message_id: 7, date: 1, chat },
        }),
      };
      await ingest(scope, update, { crashes });
      return answered(scope, id);
    },
    /** Kinds of messages that its workspace takes besides documents and photos. */
    async allow({ workspaceId }: Scope, ...kinds: string[]): Promise<void> {
      await db.query(
        `INSERT INTO evidence_settings (workspace_id, kinds) VALUES ($1, $2)
         ON CONFLICT (workspace_id) DO UPDATE SET kinds = excluded.kinds`,
        [workspaceId, kinds],
      );
    },
    /** A person of the workspace who has a private chat with the bot. */
    async member(scope: Scope, by: number, name: string, role = "employee"): Promise<string> {
      const id = await accessWorld(world).person(scope, { userId: by, name });
      await db.query("UPDATE people SET role = $2 WHERE id = $1", [id, role]);
      await chats.write(scope, by, "hello");
      return id;
    },
    /** What the bot said in a chat, edits too, the latest last. */
    async said({ connectorId }: Scope, chatId: number): Promise<string[]> {
      const rows = await db.query<{ text: string }>(
        `SELECT text FROM outbound_messages
         WHERE connector_id = $1 AND chat_id = $2 AND kind = 'message' ORDER BY job_id`,
        [connectorId, String(chatId)],
      );
      return rows.map(({ text }) => text);
    },
    /** As the pool of downloads leaves them. */
    async fetchAll({ workspaceId }: Scope): Promise<void> {
      await db.query(
        `WITH queued AS (
           SELECT id, gen_random_uuid() AS stored_id FROM evidence_files
           WHERE workspace_id = $1 AND state = 'queued'
         ), kept AS (
           INSERT INTO stored_files (workspace_id, id, state, key_sealed, sha256, size_bytes, stored_at)
           SELECT $1, stored_id, 'stored', '\\x00', sha256(stored_id::text::bytea), 1, now() FROM queued
         )
         UPDATE evidence_files f SET state = 'stored', stored_file_id = q.stored_id, written = NULL,
           sha256 = sha256(q.stored_id::text::bytea), size_bytes = 1, stored_at = now()
         FROM queued q WHERE f.id = q.id`,
        [workspaceId],
      );
    },
    async rows<Row extends object>(sql: string, ...params: unknown[]): Promise<Row[]> {
      return db.query<Row>(sql, params);
    },
  };
  return chats;
}
