import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createInlineQueryHandler, createRequestSink } from "../src/compliance/index.ts";
import { createIngestHandler } from "../src/conversations/index.ts";
import { createReplySink, outboundRetentionRules } from "../src/outbound/index.ts";
import { createRetention, silentLogger } from "../src/platform/index.ts";
import { startOutbound } from "../workers/outbound.ts";
import { startTestSystem, type TestSystem } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/** From what somebody types to what they see and post: ingest, search, outbound, Telegram. */
const ENTRIES = 60;
let world: TestSystem;
let bot: { id: number; connectorId: string };
let ada = 0;
let nowMs = () => Date.now();

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  const { system, sandbox, workspaceId } = world;
  const { jobs, db } = system;
  const nothing = async () => [];
  const requests = createRequestSink({
    command: nothing,
    press: nothing,
    file: async () => ({ replies: [], isTaken: false }),
    text: async () => ({ replies: [], isTaken: false }),
    inlineQuery: createInlineQueryHandler({ clock: () => nowMs() }),
  });
  const replies = createReplySink({ jobs });
  const handler = createIngestHandler({ replies, requests, log: silentLogger });
  await jobs.startPool("ingest", handler, { slots: 10 });
  await startOutbound(system);
  const username = `b${randomBytes(4).toString("hex")}_bot`;
  const account = sandbox.createBot({ name: "Finder", username, inline: true });
  const { id: connectorId } = await system.connectors.connect(workspaceId, {
    name: "Finder",
    botToken: account.token,
  });
  bot = { id: account.id, connectorId };
  ada = sandbox.createUser({ firstName: "Ada" }).id;
  await sandbox.send({ from: ada, chatId: ada, botId: bot.id, text: "/start" });
  await db.query(
    `INSERT INTO risks (workspace_id, code, title, description)
     SELECT $1, 'R-' || lpad(n::text, 3, '0'), 'Ransomware ' || n, '<b>bold</b> & *words*'
     FROM generate_series(1, ${ENTRIES}) n`,
    [workspaceId],
  );
  await db.query(
    `INSERT INTO evidence (workspace_id, type, description, status, created_by)
     VALUES ($1, 'document', 'What we did at the drill', 'draft', 'telegram:1')`,
    [workspaceId],
  );
});
afterAll(() => world.close());

const ask = (query: string, offset?: string, from = ada) =>
  world.sandbox.inlineQuery({
    from,
    chatId: from,
    botId: bot.id,
    viaBotId: bot.id,
    query,
    ...(offset === undefined ? {} : { offset }),
  });

async function answered(query: string, offset?: string, from = ada) {
  const { inlineQueryId } = ask(query, offset, from);
  return waitFor(
    () => {
      const results = world.sandbox.inlineResults(inlineQueryId);
      return results.isAnswered && results;
    },
    { what: "the answer to a query" },
  );
}

const rows = () =>
  world.system.db.query<{ state: string; content: unknown }>(
    "SELECT state, content FROM outbound_messages WHERE kind = 'inline-answer' ORDER BY created_at",
  );

test("what somebody types is answered from the register, page after page, and posted as chosen", async () => {
  const { sandbox, system } = world;
  const first = await answered("risk ransom");
  expect(first.results).toHaveLength(25);
  expect(first.results[0]).toMatchObject({ type: "article", title: "R-001 · Ransomware 1" });
  const second = await answered("risk ransom", first.nextOffset);
  const third = await answered("risk ransom", second.nextOffset);
  const ids = [first, second, third].flatMap(({ results }) => results.map(({ id }) => id));
  expect(new Set(ids).size).toBe(ENTRIES);
  expect(third.nextOffset).toBeUndefined();
  sandbox.chooseInlineResult(first.inlineQueryId, first.results[2]?.id ?? "");
  const posted = sandbox.messages({ chatId: ada, botId: bot.id }).at(-1);
  // As it is: nothing of it is markup.
  expect(posted).toMatchObject({
    text: "R-003 · Ransomware 3\nRisk · open\n<b>bold</b> & *words*",
    via_bot: { id: bot.id },
  });
  expect((await answered("evidence ransom")).results).toEqual([]);
  // What people wrote about it is not for everybody that the bot hears.
  for (const query of ["evidence drill", "drill"]) {
    expect((await answered(query)).results).toEqual([]);
  }
  const given = sandbox.record.entries.filter(({ kind }) => kind === "inlineAnswer");
  for (const one of given) expect(one).toMatchObject({ isPersonal: true, cacheTimeS: 10 });

  // What was found is not kept.
  await waitFor(async () => (await rows()).every(({ content }) => content === null), {
    what: "answers to be forgotten",
  });
  const { db } = system;
  await db.query(
    "UPDATE outbound_messages SET created_at = now() - interval '6 min' WHERE kind = 'inline-answer'",
  );
  const rules = outboundRetentionRules({ attemptsMs: 3_600_000 });
  await createRetention({ db, log: silentLogger, rules, pauseMs: 0 }).runOnce();
  expect(await rows()).toEqual([]);
});

test("whoever's app speaks German finds in German", async () => {
  const { sandbox } = world;
  const dora = sandbox.createUser({ firstName: "Dora", languageCode: "de-AT" }).id;
  await sandbox.send({ from: dora, chatId: dora, botId: bot.id, text: "/start" });
  const { inlineQueryId, results } = await answered("Risiko ransom", undefined, dora);
  expect(results).toHaveLength(25);
  sandbox.chooseInlineResult(inlineQueryId, results[0]?.id ?? "");
  expect(sandbox.messages({ chatId: dora, botId: bot.id }).at(-1)?.text).toContain(
    "\nRisiko · offen\n",
  );
});

test("who may not see the register finds a way to the bot, and nothing else", async () => {
  const { db } = world.system;
  await db.query("UPDATE connectors SET register_access = 'members' WHERE id = $1", [
    bot.connectorId,
  ]);
  const { results, button } = await answered("ransom 7");
  expect(results).toEqual([]);
  expect(button).toMatchObject({ start_parameter: "search" });
  await db.query(
    `INSERT INTO people (workspace_id, name, telegram_user_id, bound_at)
     VALUES ($1, 'Ada', $2, now())`,
    [world.workspaceId, ada],
  );
  expect((await answered("ransomware 7 7")).results).toHaveLength(1);
  expect((await answered("evidence what drill")).results).toHaveLength(1);
});

test("a query that nobody waits for any more is not answered; one that Telegram has given up is over", async () => {
  const { sandbox, system } = world;
  nowMs = () => Date.now() + 26_000;
  const late = ask("ransomware 8");
  const done = () =>
    system.db.query(
      "SELECT FROM jobs WHERE queue = 'ingest' AND state IN ('available', 'running', 'retryable')",
    );
  const before = (await rows()).length;
  await waitFor(() => sandbox.webhookInfo(bot.id).pending_update_count === 0, { what: "delivery" });
  await waitFor(async () => (await done()).length === 0, { what: "the update to be read" });
  expect((await rows()).length).toBe(before);
  expect(sandbox.inlineResults(late.inlineQueryId).isAnswered).toBe(false);
  nowMs = () => Date.now();
  const failed = (count: number) =>
    waitFor(
      async () => {
        const found = (await rows()).slice(before).filter(({ state }) => state === "failed");
        return found.length === count && found;
      },
      { what: `${count} answers in vain` },
    );
  // It is tried once: the next letter asks again.
  sandbox.fault({ method: "answerInlineQuery", answer: { status: 502, description: "Bad" } });
  ask("ransomware 9");
  await failed(1);
  sandbox.setLimits({ inlineAnswerMs: -1 });
  ask("ransomware 10");
  expect(await failed(2)).toEqual(Array(2).fill({ state: "failed", content: null }));
  const ended = await system.db.query<{ state: string }>(
    "SELECT state FROM jobs WHERE kind = 'inline-answer' ORDER BY id DESC LIMIT 2",
  );
  expect(ended).toEqual(Array(2).fill({ state: "completed" }));
});
