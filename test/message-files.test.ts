import { randomBytes } from "node:crypto";
import http from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createMessageFiles } from "../src/connectors/index.ts";
import { type ChatRequest, createIngestHandler } from "../src/conversations/index.ts";
import { createReplySink } from "../src/outbound/index.ts";
import { silentLogger } from "../src/platform/index.ts";
import { startTestSystem, type TestBot, type TestSystem } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/**
 * Of files in chats their names, types and sizes are kept. Content is asked of Telegram when somebody
 * wants it, and of chats that are for support none is ever taken as evidence.
 */
const CONTENT = randomBytes(300_000);
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=",
  "base64",
);
let world: TestSystem;
let bot: TestBot;
let ada = 0;
let desk = 0;
const asked: ChatRequest[] = [];

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  const { system, sandbox } = world;
  const { jobs } = system;
  const handler = createIngestHandler({
    replies: createReplySink({ jobs }),
    requests: async (_tx, requests) => {
      asked.push(...requests);
      return { replies: [], taken: new Set() };
    },
    log: silentLogger,
  });
  await jobs.startPool("ingest", handler, { slots: 10 });
  bot = await world.connectBot();
  ada = sandbox.createUser({ firstName: "Ada" }).id;
  desk = sandbox.createChat({ type: "group", title: "Desk", memberIds: [ada, bot.id] }).id;
});
afterAll(() => world.close());
beforeEach(() => {
  asked.length = 0;
  world.sandbox.clearFaults();
});

interface Stored {
  id: string;
  conversation_id: string;
  media: Record<string, unknown> | null;
}

const stored = (chatId: number) =>
  world.system.db.query<Stored>(
    "SELECT id, conversation_id, media FROM messages WHERE chat_id = $1 AND direction = 'in' ORDER BY id",
    [chatId],
  );

/** Once `count` messages of the chat are there. */
const arrived = (chatId: number, count: number) =>
  waitFor(
    async () => {
      const rows = await stored(chatId);
      return rows.length >= count && rows;
    },
    { what: `${count} messages` },
  );

const purpose = (chatId: number, what: "support" | "compliance") =>
  world.api("PUT", `/v1/connectors/${bot.connectorId}/chats/${chatId}`, {
    linked: true,
    purpose: what,
  });

const filesOf = () => asked.filter(({ kind }) => kind === "file").length;

async function sendAll(place: { from: number; chatId: number; botId?: number }) {
  const { sandbox } = world;
  const file = (name: string) => ({ name, content: CONTENT });
  const [document] = await sandbox.send({ ...place, document: file("a.pdf"), caption: "one" });
  await sandbox.send({ ...place, photo: { name: "b.png", content: PNG } });
  await sandbox.send({
    ...place,
    album: [
      { kind: "document", file: file("c.pdf") },
      { kind: "document", file: file("d.pdf"), caption: "three" },
    ],
  });
  sandbox.edit({ ...place, messageId: document?.message_id ?? 0, text: "changed" });
}

describe("in a chat for support", () => {
  test("nothing that is sent is handed on to be kept; where evidence is taken, the same is", async () => {
    const alone = { from: ada, chatId: ada, botId: bot.id };
    expect((await purpose(ada, "support")).status).toBe(200);
    expect((await purpose(desk, "support")).status).toBe(200);
    await sendAll(alone);
    await sendAll({ from: ada, chatId: desk });
    const rows = [...(await arrived(ada, 4)), ...(await arrived(desk, 4))];
    expect(filesOf()).toBe(0);
    for (const { media } of rows) {
      expect(
        Object.keys(media ?? {})
          .sort()
          .join(),
      ).toMatch(/fileId.*kind/);
      expect(JSON.stringify(media).length).toBeLessThan(1_000);
    }
    const kept = await world.owner.query<{ n: number }>(
      `SELECT ((SELECT count(*) FROM evidence) + (SELECT count(*) FROM evidence_files)
         + (SELECT count(*) FROM stored_files)
         + (SELECT count(*) FROM jobs WHERE queue = 'evidence'))::int AS n`,
    );
    expect(kept).toEqual([{ n: 0 }]);
    await purpose(desk, "compliance");
    await sendAll({ from: ada, chatId: desk });
    await arrived(desk, 8);
    expect(filesOf()).toBe(4);
  });
});

describe("the file of a message", () => {
  const fileOf = ({ id, conversation_id }: Stored, init: RequestInit = {}) =>
    fetch(`${world.url}/v1/conversations/${conversation_id}/messages/${id}/file`, {
      ...init,
      headers: { authorization: `Bearer ${world.apiKey}` },
    });

  async function newDocument(name = "report.pdf", content = CONTENT): Promise<Stored> {
    const before = (await stored(ada)).length;
    const place = { from: ada, chatId: ada, botId: bot.id };
    await world.sandbox.send({ ...place, document: { name, content } });
    const last = (await arrived(ada, before + 1)).at(-1);
    if (last === undefined) throw new Error("no message");
    return last;
  }

  const audited = async () =>
    (
      await world.owner.query<{ subject_id: string }>(
        "SELECT subject_id FROM audit_entries WHERE action = 'message.file_requested' ORDER BY at",
      )
    ).map(({ subject_id }) => subject_id);

  test("comes from Telegram as an attachment, is told in the audit log, and shows no address", async () => {
    const message = await newDocument('a"\r\n\u202e../é.pdf');
    const response = await fileOf(message);
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer()).equals(CONTENT)).toBe(true);
    const headers = Object.fromEntries(response.headers);
    expect(headers).toMatchObject({
      "content-length": String(CONTENT.length),
      "content-disposition": expect.stringMatching(/^attachment; filename="_\.pdf"; /),
      "x-content-type-options": "nosniff",
      "content-security-policy": expect.stringContaining("sandbox"),
      "cache-control": "private, no-store",
    });
    expect(JSON.stringify(headers)).not.toContain(bot.token);
    expect((await audited()).at(-1)).toBe(message.id);
  });

  test("asked for in vain is told why, in words", async () => {
    const message = await newDocument();
    const { sandbox } = world;
    const refused = async (description: string, status = 400) => {
      sandbox.fault({ method: "getFile", answer: { status, description } });
      const response = await fileOf(message);
      const text = await response.text();
      expect(text).not.toContain(bot.token);
      return { status: response.status, title: (JSON.parse(text) as { title: string }).title };
    };
    const wrong = "Bad Request: wrong file_id or the file is temporarily unavailable";
    expect(await refused(wrong)).toEqual({ status: 410, title: "Gone" });
    const big = "Bad Request: file is too big";
    expect(await refused(big)).toEqual({ status: 409, title: "Too big" });
    expect((await refused("Bad Gateway", 502)).status).toBe(502);
    sandbox.fault({ method: "file", answer: { status: 404, description: "Not Found" } });
    expect((await fileOf(message)).status).toBe(410);
    sandbox.fault({ method: "getFile", answer: { retryAfterS: 2, hold: "bot" } });
    const held = await fileOf(message);
    expect([held.status, Number(held.headers.get("retry-after")) > 0]).toEqual([503, true]);
    await world.system.db.query("DELETE FROM send_holds");
    await world.owner.query(
      `UPDATE messages SET media = media || '{"sizeBytes": 200000000}' WHERE id = $1`,
      [message.id],
    );
    expect((await fileOf(message)).status).toBe(409);
    const [text] = await sandbox.send({ from: ada, chatId: ada, botId: bot.id, text: "words" });
    expect(text).toBeDefined();
    const words = await waitFor(async () => (await stored(ada)).find(({ media }) => !media), {
      what: "the words",
    });
    expect((await fileOf(words)).status).toBe(404);
    expect((await fileOf({ ...message, conversation_id: "1".repeat(30) })).status).toBe(404);
  });

  test("that breaks off at Telegram breaks off for its reader, who cannot take it for whole", async () => {
    const message = await newDocument();
    world.sandbox.fault({ method: "file", answer: "reset-after-effect" });
    const response = await fileOf(message);
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  test("whose reader leaves is let go of, and makes room for others", async () => {
    const message = await newDocument("big.bin", randomBytes(8_000_000));
    const { conversation_id: conversationId, id } = message;
    const path = `/v1/conversations/${conversationId}/messages/${id}/file`;
    /** Takes the head of the answer, and goes. */
    const glance = () =>
      new Promise<number>((resolve, reject) => {
        const headers = { authorization: `Bearer ${world.apiKey}` };
        const request = http.get(`${world.url}${path}`, { headers, agent: false }, (response) => {
          response.once("close", () => resolve(response.statusCode ?? 0));
          response.destroy();
        });
        request.on("error", reject);
      });
    // More than may be on their way at once.
    for (let n = 0; n < 25; n++)
      expect(await waitFor(async () => (await glance()) === 200)).toBe(true);
  });
});

test("whoever reads nothing of many files leaves room for another workspace's", async () => {
  async function* content() {
    yield CONTENT;
  }
  const open = createMessageFiles({
    botApis: {
      forConnector: async () => ({
        call: () => Promise.reject(new Error("nothing else is asked")),
        download: async () => ({ sizeBytes: CONTENT.length, from: 0, content: content() }),
      }),
      refusedToken: () => undefined,
    },
    callNow: async <Result>() => ({ file_path: "documents/a.pdf" }) as Result,
  });
  const ask = (workspaceId: string) =>
    open({ workspaceId, connectorId: "c", fileId: "f", sizeBytes: null });
  const taken = [];
  for (let n = 0; n < 10; n++) taken.push(await ask("one"));
  await expect(ask("one")).rejects.toMatchObject({ status: 503 });
  await expect(ask("another")).resolves.toBeDefined();
  for (const file of taken) for await (const _ of file.content);
  await expect(ask("one")).resolves.toBeDefined();
});
