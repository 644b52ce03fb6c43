import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  createDialogKeeper,
  createDialogs,
  createRequestSink,
  type RequestHandlers,
} from "../src/compliance/index.ts";
import type { ChatRequest, Reply } from "../src/conversations/index.ts";
import { insertJobs } from "../src/jobs/index.ts";
import type { JobSink } from "../src/outbound/index.ts";
import { type Database, openDatabase, silentLogger } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/**
 * What somebody does in a chat, and what the keeper does when nothing is due, reads the rows of that,
 * among very many dialogs, chats, people, controls and pieces of evidence, tables grown and without
 * statistics.
 */
const GROWN = 5_000;
const TABLES =
  "dialogs evidence evidence_revisions evidence_files controls people chats conversations contacts risks".split(
    " ",
  );
const [workspaceId, connectorId] = [randomUUID(), randomUUID()];
const jobs: JobSink = { enqueueIn: (tx, some) => insertJobs(tx.engine, some) };
/** Somebody who is an officer, and has a private chat, as all have. */
const OFFICER = "7";
let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  const workspace = `'${workspaceId}'::uuid`;
  const bot = `${workspace}, '${connectorId}'::uuid`;
  const series = `FROM generate_series(1, ${GROWN}) n`;
  const id = "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid";
  const setUp = openDatabase({ url: database.url, max: 1 });
  for (const table of TABLES) {
    await database.owner.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  for (const statement of [
    `INSERT INTO workspaces (id, name) VALUES (${workspace}, 'test')`,
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES (${bot}, 'Desk', 'active', 1, 'b', true, '\\x00', 'key', sha256('\\x00'))`,
    `INSERT INTO chats (workspace_id, connector_id, chat_id, type) SELECT ${bot}, n, 'private' ${series}`,
    `INSERT INTO conversations (workspace_id, connector_id, chat_id, last_message_at, opened_at,
       waiting_since, status)
     SELECT ${bot}, n, now(), now(), now(), 'open' ${series}`,
    `INSERT INTO people (workspace_id, id, name, telegram_user_id, bound_at, role)
     SELECT ${workspace}, ${id}, 'P', n, now(),
       CASE n WHEN ${OFFICER} THEN 'officer' ELSE 'employee' END ${series}`,
    `INSERT INTO controls (workspace_id, id, code, title) SELECT ${workspace}, ${id}, 'C-' || n, 'T' ${series}`,
    `INSERT INTO risks (workspace_id, id, code, title) SELECT ${workspace}, ${id}, 'R-' || n, 'T' ${series}`,
    `INSERT INTO evidence (workspace_id, id, status, revision, created_by, told)
     SELECT ${workspace}, ${id}, 'approved', 1, 'key:a', '1/approved' ${series}`,
    `INSERT INTO dialogs (workspace_id, token, connector_id, chat_id, kind, state, user_id, evidence_id,
       expires_at, remind_at, ended_at, media_group_id)
     SELECT ${workspace}, lpad(n::text, 16, '0'), '${connectorId}', n, 'evidence_collection', 'ready', n, ${id},
       now() + interval '9 h', now() + interval '8 h', CASE WHEN n > 50 AND n % 2 = 0 THEN now() END, 'a' ${series}`,
  ]) {
    await setUp.query(statement);
  }
  await setUp.close();
  db = openDatabase({ url: database.url, max: 1 });
});

afterAll(async () => {
  await db.close();
  await database.drop();
});

const dialogs = createDialogs({ jobs });
const handlers: RequestHandlers = {
  command: (tx, request, asker) =>
    request.name === "evidence"
      ? dialogs.evidence(tx, request, asker, request.args.split(" "))
      : dialogs.assess(tx, request, asker, { code: request.args }),
  press: dialogs.press,
  file: dialogs.file,
  text: dialogs.text,
  inlineQuery: async () => [],
};
const sink = createRequestSink(handlers);

const asked = {
  workspaceId,
  connectorId,
  chatId: OFFICER,
  threadId: null,
  chatType: "private" as const,
  purpose: null,
  user: {
    id: OFFICER,
    isBot: false,
    firstName: "P",
    lastName: null,
    username: null,
    languageCode: null,
  },
  askedAtMs: 0,
  causeId: "1",
};
const ask = (request: ChatRequest): Promise<Reply[]> =>
  db.transaction(async (tx) => (await sink(tx, [request])).replies);
const command = (name: string, args: string) =>
  ask({ ...asked, kind: "command", name, args, messageId: "1" });
const labelled = (replies: Reply[], label: string): string => {
  const rows = replies.flatMap((reply) => (reply.kind === "message" ? (reply.buttons ?? []) : []));
  const button = rows.flat().find(({ text }) => text === label);
  return (button?.data ?? "").replace("hg:", "");
};
const press = (data: string) =>
  ask({ ...asked, kind: "press", data, callbackQueryId: "q", messageId: "1" });
const keeper = () => createDialogKeeper({ db, jobs, log: silentLogger }).runOnce();

test("what one person does, and a turn with nothing due, reads a few rows", async () => {
  let replies: Reply[] = [];
  const reading = async (work: () => Promise<Reply[]>): Promise<number> =>
    rowsRead(db, TABLES, async () => {
      replies = await work();
    });
  const media = { kind: "photo", fileId: "f", fileUniqueId: "u" };
  const photo = { kind: "file", contentKind: "photo", media, place: null, caption: null } as const;
  const read: Record<string, number> = {
    "a turn with nothing due": await rowsRead(db, TABLES, keeper),
    "a command": await reading(() => command("evidence", "document Report")),
    "a press": await reading(() => press(labelled(replies, "Upload photo"))),
    "a file": await reading(() => ask({ ...asked, ...photo, messageId: "9", mediaGroupId: "z" })),
    "words that look for a control": await reading(() =>
      ask({
        ...asked,
        kind: "text",
        text: "C-4999",
        entities: null,
        messageId: "3",
        replyToMessageId: null,
      }),
    ),
    "a control": await reading(() => press(labelled(replies, "C-4999 T"))),
    "handing it over": await reading(() => press(labelled(replies, "Submit for review"))),
    "telling those who review": await rowsRead(db, TABLES, keeper),
    "a risk": await reading(() => command("risk", "R-17")),
  };
  const many = Object.entries(read).filter(([, rows]) => rows > 60);
  expect(many).toEqual([]);
  const [told] = await db.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM evidence WHERE status = 'in_review' AND told IS NOT NULL",
  );
  expect(told?.n).toBe(1);
});
