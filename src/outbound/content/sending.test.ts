import { randomUUID } from "node:crypto";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  type BotAccount,
  type Sandbox,
  startSandbox,
  type TelegramMessage,
} from "../../../sandbox/index.ts";
import { onePixelPng } from "../../../sandbox/test-client.ts";
import { type JobsFixture, jobsFixture } from "../../../test/support/jobs.ts";
import { waitFor } from "../../../test/support/wait-for.ts";
import type { Job, Jobs } from "../../jobs/index.ts";
import { createMetrics, silentLogger } from "../../platform/index.ts";
import { createBotApiFactory } from "../../telegram/index.ts";
import { BotRunner, type BotRunnerOptions } from "../bot-runner.ts";
import { getMessage } from "../message-view.ts";
import type { NewMessage } from "../new-message.ts";
import { createOutboundHandler } from "../outbound-handler.ts";
import { Pace } from "../pace.ts";
import { PaidAllowance } from "../paid-allowance.ts";
import { replaceMessage } from "../replace.ts";
import { submitMessages } from "../submit.ts";
import type { Content } from "./content.ts";
import { findTarget } from "./target.ts";
import { enqueueDeletions } from "./vanish.ts";

/** One bot, one person, and a server of files; what the tests say of addresses is true of it alone. */
let fixture: JobsFixture;
let sandbox: Sandbox;
let bot: BotAccount;
let engine: Jobs;
let files: Server;
let fileRoot: string;
let mayDial: ((address: string) => boolean) | undefined;
let userId: number;
const connectorId = randomUUID();
const asked: string[] = [];
/** Answers that are not given yet; null: those for slow files are given at once. */
let hanging: ServerResponse[] | null = [];

beforeAll(async () => {
  fixture = await jobsFixture({ name: "postgres", redisUrl: undefined });
  sandbox = await startSandbox({ limits: { bot: [], chat: [], group: [] } });
  bot = sandbox.createBot({ name: "Bot", username: "content_bot" });
  userId = sandbox.createUser({ firstName: "Ada" }).id;
  await sandbox.send({ from: userId, chatId: userId, botId: bot.id, text: "hello" });
  const { db } = fixture.database;
  const { workspaceId } = fixture;
  await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [workspaceId]);
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, $4, true, '\\x00', $5, decode(repeat('00', 32), 'hex'))`,
    [workspaceId, connectorId, bot.id, bot.username, randomUUID()],
  );
  files = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const isFirst = asked.filter((one) => one === path).length === 1;
    if (path.startsWith("/slow") && hanging) hanging.push(response);
    else if (path === "/missing" || path.startsWith("/slow")) response.writeHead(404).end();
    else if (path === "/flaky" && isFirst) response.writeHead(503).end();
    else if (path.endsWith(".png")) response.end(onePixelPng);
    else response.end("a report");
  });
  await new Promise<void>((resolve) => files.listen(0, "127.0.0.1", resolve));
  fileRoot = `http://127.0.0.1:${(files.address() as AddressInfo).port}`;
  mayDial = () => true;
  engine = fixture.engine();
  const fast = [{ count: 200, perMs: 1_000 }];
  const handler = createOutboundHandler({
    db,
    botApiFor: async () => createBotApiFactory({ apiRoot: sandbox.url })(bot.token),
    onUnauthorized: async () => {},
    metrics: createMetrics(),
    log: silentLogger,
    limits: { bot: fast, chat: fast, group: fast },
    mayDial: (address) => mayDial?.(address) ?? false,
  });
  await engine.startPool("outbound", handler, { slots: 2, laneConcurrency: 10 });
});
afterAll(async () => {
  await fixture.close();
  await sandbox.close();
  files.close();
});

async function submit(...messages: Partial<NewMessage>[]): Promise<string[]> {
  const complete = messages.map((message) => ({
    workspaceId: fixture.workspaceId,
    connectorId,
    chatId: String(userId),
    text: "",
    ...message,
  }));
  const submitted = await fixture.database.db.transaction((tx) =>
    submitMessages(tx, engine, complete),
  );
  return submitted.map(({ id }) => id);
}

const viewOf = (id = "") =>
  getMessage(fixture.database.db, { workspaceId: fixture.workspaceId, id });
const ended = (id: string | undefined, state: string) =>
  waitFor(async () => {
    const message = await viewOf(id);
    if (message?.state === state) return message;
    throw new Error(`it is ${message?.state}: ${message?.error}`);
  });
const sent = (id: string | undefined) => ended(id, "sent");
const one = async (message: Partial<NewMessage>) => {
  const [id] = await submit(message);
  return sent(id);
};
const inChat = (chatId = userId) =>
  sandbox.messages({ chatId, ...(chatId > 0 ? { botId: bot.id } : {}) });
const last = (chatId = userId) => inChat(chatId).at(-1);
const change = (type: "edit" | "delete" | "pin" | "unpin", messageId: string) => ({
  content: { type, messageId } as Content,
});
const inConversation = (telegramIds: readonly string[]) =>
  fixture.database.db.query<{ text: string | null; deleted: boolean; versions: number }>(
    `SELECT text, deleted_at IS NOT NULL AS deleted, (SELECT count(*)::int FROM message_edits e
       WHERE e.workspace_id = m.workspace_id AND e.message_id = m.id) AS versions
     FROM messages m WHERE connector_id = $1 AND telegram_message_id = ANY ($2::bigint[])
     ORDER BY telegram_message_id`,
    [connectorId, telegramIds],
  );

test("a photo, a document, an album: uploaded from an address, and by what Telegram has", async () => {
  await one({
    content: { type: "photo", file: { url: `${fileRoot}/p.png` } },
    text: "a chart",
    buttons: [[{ text: "Yes", data: "y" }]],
    isProtected: true,
    isSilent: true,
  });
  expect(last()).toMatchObject({ caption: "a chart", photo: [{ file_size: onePixelPng.length }] });
  expect(last()?.reply_markup?.inline_keyboard).toHaveLength(1);
  expect(sandbox.record.callsOf("sendPhoto").at(-1)?.params).toMatchObject({
    protect_content: true,
    disable_notification: true,
  });

  const file = { url: `${fileRoot}/2026%20report.txt?signed=s` };
  await one({ content: { type: "document", file } });
  expect(last()?.document).toMatchObject({ file_name: "2026 report.txt", file_size: 8 });
  // As the bot itself was told.
  const answer = sandbox.record.callsOf("sendDocument").at(-1)?.result as TelegramMessage;
  const fileId = answer.document?.file_id ?? "";
  const items: Content = {
    type: "album",
    items: [
      { type: "document", file: { fileId } },
      { type: "document", file: { url: `${fileRoot}/x`, name: "b.txt" } },
    ],
  };
  const album = await one({ content: items, text: "both" });
  expect(album.telegramMessageIds).toHaveLength(2);
  expect(inChat().slice(-2)).toMatchObject([
    { caption: "both", document: { file_name: "2026 report.txt" } },
    { document: { file_name: "b.txt" } },
  ]);
  expect(await inConversation(album.telegramMessageIds)).toMatchObject([{ text: "both" }, {}]);
});

test("a caption that is replaced has no parts either: its photo is sent once", async () => {
  const { workspaceId, database } = fixture;
  const photo = { type: "photo", file: { url: `${fileRoot}/p.png` } } as const;
  const [id = ""] = await submit({ content: photo, sendAt: new Date(Date.now() + 3_600_000) });
  const before = inChat().length;
  const said = { text: "longer than ten characters", entities: [], partLength: 10 };
  await database.db.transaction((tx) =>
    replaceMessage(tx, engine, { workspaceId, id }, { said, sendAt: null }),
  );
  expect((await sent(id)).telegramMessageIds).toHaveLength(1);
  expect(inChat().slice(before)).toMatchObject([{ caption: said.text }]);
});

test("an edit, a pin and a deletion wait behind what they are about, and conversations show them", async () => {
  const { db } = fixture.database;
  const { workspaceId } = fixture;
  const [id = ""] = await submit({ text: "frist", sendAt: new Date(Date.now() + 3_600_000) });
  await submit(change("pin", id), { ...change("edit", id), text: "first" });
  const rows = await db.query<{ id: string }>(
    "SELECT id FROM outbound_messages WHERE workspace_id = $1 AND target_id = $2",
    [workspaceId, id],
  );
  // Its turn comes later than theirs: they fail at once, and say why.
  for (const row of rows) expect((await ended(row.id, "failed")).error).toContain("replace");

  const [first = ""] = await submit({ text: "frist" });
  const [pin, edit] = await submit(change("pin", first), {
    ...change("edit", first),
    text: "first",
  });
  const { telegramMessageIds } = await sent(first);
  await sent(pin);
  await sent(edit);
  expect(inChat().find(({ text }) => text === "first")).toBeDefined();
  expect(await inConversation(telegramMessageIds)).toEqual([
    { text: "first", deleted: false, versions: 1 },
  ]);
  expect(sandbox.record.callsOf("pinChatMessage").at(-1)?.ok).toBe(true);

  // Told by a second try only: Telegram has it already, and answers no message.
  sandbox.fault({ botId: bot.id, method: "editMessageText", answer: "5xx-after-effect" });
  await one({ ...change("edit", first), text: "first of all", onUnknown: "resend" });
  expect(await inConversation(telegramMessageIds)).toEqual([
    { text: "first of all", deleted: false, versions: 2 },
  ]);
  await one({ ...change("edit", first), text: "first" });
  // The same again is done already, and no fault.
  await one({ ...change("edit", first), text: "first" });
  await one(change("unpin", first));
  await one(change("delete", first));
  expect(inChat().find(({ text }) => text === "first")).toBeUndefined();
  expect(await inConversation(telegramMessageIds)).toEqual([
    { text: "first", deleted: true, versions: 3 },
  ]);
  await one(change("delete", first));
  const [late] = await submit({ ...change("edit", first), text: "second" });
  expect((await ended(late, "failed")).error).toContain("not in the chat any more");
});

test("groups, topics and channels; forwards, copies, and a chat action that fails in silence", async () => {
  const memberIds = [userId, bot.id];
  const forum = sandbox.createChat({ type: "supergroup", title: "F", memberIds, topics: ["T"] });
  const channel = sandbox.createChat({ type: "channel", title: "C", memberIds });
  const threadId = String(forum.topics.T);
  const inTopic = { chatId: String(forum.id), threadId };
  const { telegramMessageIds } = await one({ ...inTopic, text: "here" });
  expect(last(forum.id)).toMatchObject({ text: "here", message_thread_id: forum.topics.T });
  const chatId = String(channel.id);
  const forward = { fromChatId: String(forum.id), telegramMessageId: telegramMessageIds[0] ?? "" };
  await one({ chatId, content: { type: "forward", ...forward } });
  expect(last(channel.id)).toMatchObject({ text: "here", forward_origin: expect.anything() });
  await one({ chatId, content: { type: "forward", ...forward, asCopy: true } });
  expect(last(channel.id)?.forward_origin).toBeUndefined();

  const action: Content = { type: "chat-action", action: "typing" };
  await one({ ...inTopic, content: action });
  sandbox.fault({ botId: bot.id, method: "sendChatAction", answer: "5xx-after-effect" });
  const [failed] = await submit({ ...inTopic, content: action });
  await ended(failed, "failed");
  const jobs = await fixture.database.db.query(
    "SELECT state, attempts FROM jobs WHERE lane = $1 AND payload ->> 'messageId' = $2",
    [connectorId, failed],
  );
  expect(jobs).toEqual([{ state: "completed", attempts: 1 }]);
});

test("a notice vanishes in its time, once, with its words; what is left says that it was there", async () => {
  const { db } = fixture.database;
  const { workspaceId } = fixture;
  const content: Content = {
    type: "album",
    items: ["a.png", "b.png"].map((name) => ({
      type: "photo",
      file: { url: `${fileRoot}/${name}` },
    })),
  };
  const before = inChat().length;
  const { id } = await one({ content, text: "the word is swordfish", deleteAfterS: 3_600 });
  await one({ ...change("edit", id), text: "the word is still swordfish" });
  const notice = await sent(id);
  expect(notice.deletion).toMatchObject({ state: "waiting" });
  expect(Date.parse(notice.deletion?.at ?? "") - Date.now()).toBeGreaterThan(3_500_000);
  // Whoever records the send again deletes no more than once.
  const again = [{ workspaceId, messageId: id }];
  await db.transaction((tx) => enqueueDeletions(tx, again));
  const [job, ...others] = await db.query<{ id: string }>(
    "SELECT id FROM jobs WHERE lane = $1 AND kind = 'deletion'",
    [connectorId],
  );
  expect(others).toEqual([]);
  sandbox.fault({ botId: bot.id, method: "deleteMessages", answer: "reset-before-effect" });
  expect(await engine.ledger.runNow({ id: job?.id ?? "" })).toBe(1);
  const gone = await waitFor(async () => {
    const message = await viewOf(id);
    return message?.deletion?.state === "deleted" ? message : null;
  });
  expect(gone).toMatchObject({ state: "sent", telegramMessageIds: notice.telegramMessageIds });
  expect(inChat()).toHaveLength(before);
  const [first] = await inConversation(notice.telegramMessageIds);
  expect(first).toEqual({ text: null, deleted: true, versions: 0 });
  const kept = await db.query<{ row: object; of: string }>(
    `SELECT to_jsonb(m) AS row, kind AS of FROM outbound_messages m
     WHERE workspace_id = $1 AND (id = $2 OR target_id = $2) ORDER BY kind`,
    [workspaceId, id],
  );
  expect(kept.map(({ of }) => of)).toEqual(["deletion", "message", "message"]);
  expect(JSON.stringify(kept)).not.toMatch(/swordfish|png/);
});

test("a file that cannot be had fails in words, or is asked for again; a private address never is", async () => {
  const document = (path: string): Partial<NewMessage> => ({
    content: { type: "document", file: { url: `${fileRoot}${path}` } },
  });
  const [missing, next] = await submit(document("/missing"), { text: "next" });
  expect((await ended(missing, "failed")).error).toContain("404");
  await sent(next);
  await one(document("/flaky"));
  expect(asked.filter((path) => path === "/flaky")).toHaveLength(2);
  mayDial = () => false;
  const [inside] = await submit(document("/inside"));
  expect((await ended(inside, "failed")).error).toContain("public Internet");
  mayDial = () => true;
  expect(asked).not.toContain("/inside");
});

test("an album that stopped half-way is not known to be sent, and not sent twice by itself", async () => {
  const photo = { type: "photo", file: { url: `${fileRoot}/p.png` } } as const;
  sandbox.fault({
    botId: bot.id,
    method: "sendMediaGroup",
    answer: { albumStopsAfter: 1, retryAfterS: 0 },
  });
  const before = inChat().length;
  const [id] = await submit({ content: { type: "album", items: [photo, photo] } });
  await ended(id, "unknown");
  expect(inChat()).toHaveLength(before + 1);
});

test("what was said before a group moved is not looked for among what was said after it", async () => {
  const group = sandbox.createChat({ type: "group", title: "G", memberIds: [userId, bot.id] });
  const { id } = await one({ chatId: String(group.id), text: "before" });
  const newId = sandbox.migrate(group.id);
  const count = sandbox.messages({ chatId: newId }).length;
  const [deletion] = await submit({ chatId: String(newId), ...change("delete", id) });
  expect((await ended(deletion, "failed")).error).toContain("supergroup");
  expect(sandbox.messages({ chatId: newId })).toHaveLength(count);
});

test("messages that bring files leave room for others of their bot", () => {
  const pace = new Pace({ bot: [], chat: [], group: [] });
  const { db } = fixture.database;
  const known = {
    allowance: new PaidAllowance({ db, connectorId, log: silentLogger }),
    paidJobs: new Set(),
  };
  const runner = new BotRunner({ ...known, pace } as BotRunnerOptions);
  const jobs = Array.from({ length: 20 }, (_, n) => ({
    id: String(n),
    kind: "message",
    orderingKey: String(n),
    priority: n === 19 ? 5 : 2,
    payload: n === 19 ? {} : { files: true },
  })) as Job[];
  const chosen: string[] = [];
  for (let ready = jobs; ; ready = ready.filter(({ id }) => !chosen.includes(id))) {
    const choice = runner.choose(ready, 1_000);
    if (!("job" in choice)) break;
    chosen.push(choice.job.id);
  }
  expect(chosen).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "19"]);
  // Nor do they count among the calls that a slow rate keeps in flight.
  const slow = new Pace({ bot: [{ count: 1, perMs: 1_000 }], chat: [], group: [] });
  const slowly = new BotRunner({ ...known, pace: slow } as BotRunnerOptions);
  const others = slowly.concurrency();
  let nowMs = Date.now();
  for (const job of jobs.slice(0, 8)) {
    // None of them has left.
    expect(slowly.choose([job], nowMs)).toEqual({ job });
    nowMs += 1;
  }
  expect(slowly.concurrency()).toBe(8 + others);
  runner.notBegun(jobs[0] as Job);
  expect(runner.choose(jobs.slice(8, 19), 1_000)).toMatchObject({ job: { id: "8" } });
});

test("another workspace's message is none that could be changed", async () => {
  const { db } = fixture.database;
  const { id } = await one({ text: "ours" });
  expect(await findTarget(db, { workspaceId: fixture.workspaceId, id })).toMatchObject({
    connectorId,
    chatId: String(userId),
    state: "sent",
  });
  expect(await findTarget(db, { workspaceId: randomUUID(), id })).toBeNull();
});

test("however many messages wait for slow files, their bot's others are sent", async () => {
  const slow = Array.from({ length: 150 }, (_, n) => ({
    chatId: String(900_000 + n),
    content: { type: "document", file: { url: `${fileRoot}/slow${n}` } } as Content,
  }));
  await submit(...slow);
  await waitFor(() => hanging?.length === 8);
  await one({ text: "not slow" });
  expect(hanging).toHaveLength(8);
  const answers = hanging ?? [];
  hanging = null;
  for (const answer of answers) answer.writeHead(404).end();
  // And each has its turn.
  await waitFor(() => asked.includes("/slow149"));
});
