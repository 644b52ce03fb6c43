import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { TelegramMessage } from "../sandbox/index.ts";
import { onePixelPng } from "../sandbox/test-client.ts";
import type { KeyScope } from "../src/connectors/index.ts";
import { removeFiles } from "../src/evidence/index.ts";
import { startTestSystem, type TestBot, type TestSystem } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/** Files of evidence in messages, from the store to the chat: which are sent, and which are not. */
let world: TestSystem;
let bot: TestBot;
let ada = 0;
const LATER = new Date(Date.now() + 3_600_000).toISOString();

beforeAll(async () => {
  world = await startTestSystem();
  bot = await world.connectBot();
  ada = world.sandbox.createUser({ firstName: "Ada" }).id;
  await world.sandbox.send({ from: ada, chatId: ada, botId: bot.id, text: "hello" });
});
afterAll(() => world.close());
beforeEach(() => world.sandbox.clearFaults());

interface Body {
  id: string;
  state: string;
  detail: string;
  error?: string;
  errorClass?: string;
  advice?: string;
  apiKey: string;
  version: string;
  message: { content: unknown };
  errors: Array<{ path: string; message: string }>;
  data: Array<{ id: string }>;
}

async function call(method: string, path: string, body?: unknown, key = world.apiKey) {
  const response = await fetch(world.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

interface HandedIn {
  evidenceId: string;
  id: string;
  sha256: string;
}

async function handIn(name: string, content: Uint8Array): Promise<HandedIn> {
  const { body } = await call("POST", "/v1/evidence", {});
  const query = new URLSearchParams({ name });
  const response = await fetch(`${world.url}/v1/evidence/${body.id}/files?${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${world.apiKey}` },
    body: content,
  });
  const { files } = (await response.json()) as { files: Array<{ id: string; sha256: string }> };
  const { id = "", sha256 = "" } = files[0] ?? {};
  return { evidenceId: body.id, id, sha256 };
}

const document = ({ id }: { id: string }, more: object = {}) => ({
  type: "document",
  file: { evidenceFileId: id, ...more },
});
const submit = (content: object, more: object = {}, key = world.apiKey) =>
  call(
    "POST",
    "/v1/messages",
    { connectorId: bot.connectorId, chatId: String(ada), content, ...more },
    key,
  );
const viewOf = async (id: string) => (await call("GET", `/v1/messages/${id}`)).body;
const ended = (id: string, state: string) =>
  waitFor(async () => {
    const view = await viewOf(id);
    if (view.state === state) return view;
    throw new Error(`it is ${view.state}: ${view.error}`);
  });
/** What waits for its time goes out at once. */
const sendNow = (id: string) => call("PATCH", `/v1/messages/${id}`, { sendAt: null });

const sentBy = (method: string) =>
  world.sandbox.record.callsOf(method, bot.id).filter(({ ok }) => ok);
const answerOf = (method: string) => sentBy(method).at(-1)?.result as TelegramMessage;

/** As whoever got it has it. */
async function bytesOf(fileId = ""): Promise<Buffer> {
  const { url } = world.sandbox;
  const response = await fetch(`${url}/bot${bot.token}/getFile?file_id=${fileId}`);
  const { result } = (await response.json()) as { result: { file_path: string } };
  const file = await fetch(`${url}/file/bot${bot.token}/${result.file_path}`);
  return Buffer.from(await file.arrayBuffer());
}

const given = async (messageId: string) =>
  world.owner.query<{ subject_id: string; actor_kind: string; file: string }>(
    `SELECT subject_id, actor_kind, details ->> 'fileId' AS file FROM audit_entries
     WHERE action = 'evidence.file_sent' AND details ->> 'messageId' = $1 ORDER BY id`,
    [messageId],
  );

const filesSet = (id: string, what: string) =>
  world.owner.query(`UPDATE evidence_files SET ${what} WHERE id = $1`, [id]);

describe("a message with a file of evidence", () => {
  test("brings it byte for byte, under its name and type; both are on record, the name in no job", async () => {
    const content = Buffer.concat([Buffer.from("%PDF-1.7\n"), randomBytes(3_000_000)]);
    const file = await handIn("Q3 report.pdf", content);
    const { status, body } = await submit(document(file), { text: "As asked" });
    expect(status).toBe(202);
    await ended(body.id, "sent");
    const { document: arrived, caption } = answerOf("sendDocument");
    expect(arrived).toMatchObject({
      file_name: "Q3 report.pdf",
      file_size: content.length,
      mime_type: "application/pdf",
    });
    expect(caption).toBe("As asked");
    expect((await bytesOf(arrived?.file_id)).equals(content)).toBe(true);
    expect(await given(body.id)).toEqual([
      { subject_id: file.evidenceId, actor_kind: "system", file: file.id },
    ]);
    const [entry] = await world.owner.query<{ actor_kind: string; details: object }>(
      "SELECT actor_kind, details FROM audit_entries WHERE action = 'message.submitted' AND subject_id = $1",
      [body.id],
    );
    expect(entry).toMatchObject({
      actor_kind: "api_key",
      details: { content: "document", evidenceFileIds: [file.id] },
    });
    const jobs = await world.owner.query<{ job: object; ms: number }>(
      `SELECT to_jsonb(j) AS job, extract(epoch FROM a.deadline_at - a.started_at) * 1000 AS ms
       FROM jobs j JOIN send_attempts a ON a.job_id = j.id WHERE j.payload ->> 'messageId' = $1`,
      [body.id],
    );
    expect(jobs).toHaveLength(1);
    expect(JSON.stringify(jobs)).not.toMatch(/report|%PDF/);
    // Uploads take their time: a successor waits so long before it judges.
    expect(Number(jobs[0]?.ms)).toBeGreaterThan(120_000);
  });

  test("may be a photo, an album, a reply; and be called something else", async () => {
    const [image, text, other] = [
      await handIn("pixel.png", onePixelPng),
      await handIn("notes.txt", Buffer.from("one")),
      await handIn("more.txt", Buffer.from("two")),
    ];
    const photo = await submit({ type: "photo", file: { evidenceFileId: image.id } });
    await ended(photo.body.id, "sent");
    const size = answerOf("sendPhoto").photo?.at(-1);
    expect((await bytesOf(size?.file_id)).equals(onePixelPng)).toBe(true);

    const items = [document(text), document(other, { name: "renamed.txt" })];
    const album = await submit({ type: "album", items });
    await ended(album.body.id, "sent");
    const answer = sentBy("sendMediaGroup").at(-1)?.result as TelegramMessage[];
    expect(answer.map((one) => one.document?.file_name)).toEqual(["notes.txt", "renamed.txt"]);
    const arrived = await Promise.all(answer.map((one) => bytesOf(one.document?.file_id)));
    expect(arrived.map(String)).toEqual(["one", "two"]);
    expect((await given(album.body.id)).map(({ file }) => file)).toEqual([text.id, other.id]);

    const conversations = await call("GET", `/v1/conversations?chatId=${ada}`);
    const path = `/v1/conversations/${conversations.body.data[0]?.id}/messages`;
    const reply = await call("POST", path, { content: document(text) });
    expect(reply.status).toBe(202);
    await ended(reply.body.id, "sent");
    expect(await given(reply.body.id)).toHaveLength(1);
  });

  test("is sent again whole after an answer that was lost, and after a store that was away", async () => {
    const content = randomBytes(500_000);
    const file = await handIn("again.bin", content);
    world.sandbox.fault({ botId: bot.id, method: "sendDocument", answer: "reset-before-effect" });
    const calls = () => world.sandbox.record.callsOf("sendDocument", bot.id).length;
    const before = calls();
    const { body } = await submit(document(file), { onUnknown: "resend" });
    await ended(body.id, "sent");
    expect(calls()).toBe(before + 2);
    expect((await bytesOf(answerOf("sendDocument").document?.file_id)).equals(content)).toBe(true);

    const object = await objectOf(file.id);
    const sealed = await object.read();
    await object.remove();
    const away = await submit(document(file));
    await waitFor(async () => {
      const [row] = await world.owner.query<{ error_class: string }>(
        "SELECT error_class FROM send_attempts WHERE message_id = $1 AND finished_at IS NOT NULL",
        [away.body.id],
      );
      return row?.error_class === "evidence-file-unavailable";
    });
    expect((await viewOf(away.body.id)).state).toBe("queued");
    await object.write(sealed);
    await ended(away.body.id, "sent");
    expect((await bytesOf(answerOf("sendDocument").document?.file_id)).equals(content)).toBe(true);
  });
});

/** What the store has of a file, sealed. */
async function objectOf(fileId: string) {
  const [row] = await world.owner.query<{ key: string }>(
    "SELECT workspace_id || '/' || stored_file_id AS key FROM evidence_files WHERE id = $1",
    [fileId],
  );
  const key = row?.key ?? "";
  const storage = await world.system.files.storage();
  return {
    read: async () => {
      const sizeBytes = (await storage.sizeBytes(key)) ?? 0;
      const pieces: Uint8Array[] = [];
      for await (const piece of await storage.read(key, 0, sizeBytes)) pieces.push(piece);
      return Buffer.concat(pieces);
    },
    write: async (content: Buffer) => {
      async function* all() {
        yield content;
      }
      await storage.put(key, all());
    },
    remove: () => storage.remove(key),
  };
}

describe("a file that is not given out", () => {
  test.each([
    ["quarantined", "state = 'quarantined'", /quarantine/],
    ["not stored", "state = 'failed', error = 'It was too large.'", /too large/],
    ["on its way", "state = 'downloading'", /on its way/],
    ["not kept", "stored_file_id = NULL, removed_at = now()", /has gone/],
    ["empty", "size_bytes = 0", /is empty/],
    ["too large", `size_bytes = ${50 * 2 ** 20 + 1}`, /at most 50 MB/],
  ])("because it is %s is refused at once, and the field is named", async (_, change, words) => {
    const [good, file] = [await handIn("a", randomBytes(10)), await handIn("b", randomBytes(10))];
    await filesSet(file.id, change);
    const { status, body } = await submit(document(file));
    expect(status).toBe(422);
    expect(body.errors).toEqual([
      { path: "content.file.evidenceFileId", message: expect.stringMatching(words) },
    ]);
    const album = await submit({ type: "album", items: [document(good), document(file)] });
    expect(album.body.errors).toEqual([
      { path: "content.items.1.file.evidenceFileId", message: expect.stringMatching(words) },
    ]);
  });

  test("is not a photo either where it is no image, or too large for one", async () => {
    const text = await handIn("notes.txt", Buffer.from("words"));
    const photo = (id: string) => submit({ type: "photo", file: { evidenceFileId: id } });
    expect(await photo(text.id)).toMatchObject({
      status: 422,
      body: { detail: expect.stringContaining("send it as a document") },
    });
    const image = await handIn("pixel.png", Buffer.concat([onePixelPng, randomBytes(10)]));
    await filesSet(image.id, `size_bytes = ${10 * 2 ** 20 + 1}`);
    expect(await photo(image.id)).toMatchObject({
      status: 422,
      body: { detail: expect.stringContaining("10 MB") },
    });
  });

  test("is not sent by a key that may not read it either", async () => {
    const file = await handIn("a", randomBytes(10));
    const keyWith = async (...scopes: KeyScope[]) =>
      (await call("POST", "/v1/keys", { name: "K", scopes })).body.apiKey;
    const sender = await keyWith("send");
    const refused = await submit(document(file), {}, sender);
    expect([refused.status, refused.body.detail]).toEqual([
      403,
      expect.stringContaining("the scope read"),
    ]);
    const byUrl = { type: "document", file: { fileId: "BQAC" } };
    expect((await submit(byUrl, { sendAt: LATER }, sender)).status).toBe(202);
    const both = await keyWith("send", "read");
    expect((await submit(document(file), { sendAt: LATER }, both)).status).toBe(202);
  });
});

describe("a file that is not what it was when its message was accepted", () => {
  /** A message that waits, and its file. */
  async function waiting(content: Uint8Array = randomBytes(300_000)) {
    const file = await handIn("a.bin", content);
    const { body } = await submit(document(file), { sendAt: LATER });
    return { file, id: body.id };
  }
  const calls = () => world.sandbox.record.callsOf("sendDocument", bot.id).length;

  test.each<[string, string, RegExp, (file: HandedIn) => Promise<unknown>]>([
    [
      "removed",
      "gone",
      /has gone/,
      ({ evidenceId }) =>
        world.system.db.transaction((tx) =>
          removeFiles(tx, { workspaceId: world.workspaceId, evidenceId }),
        ),
    ],
    [
      "quarantined",
      "quarantined",
      /quarantine/,
      ({ id }) => filesSet(id, "state = 'quarantined', error = 'Eicar'"),
    ],
    [
      "another by now",
      "changed",
      /another by now/,
      ({ id }) => filesSet(id, "sha256 = decode(repeat('00', 32), 'hex')"),
    ],
  ])("%s: the message fails in words before a byte leaves", async (_, reason, words, change) => {
    const { file, id } = await waiting();
    await change(file);
    const before = calls();
    await sendNow(id);
    expect(await ended(id, "failed")).toMatchObject({
      errorClass: `evidence-file-${reason}`,
      error: expect.stringMatching(words),
      advice: expect.stringContaining("anew"),
    });
    expect([calls(), await given(id)]).toEqual([before, []]);
  });

  test("damaged in the store: the message fails, and nothing of it is in the chat", async () => {
    const { file, id } = await waiting();
    const object = await objectOf(file.id);
    const sealed = await object.read();
    const at = sealed.length - 100;
    sealed[at] = (sealed[at] ?? 0) ^ 1;
    await object.write(sealed);
    const before = sentBy("sendDocument").length;
    await sendNow(id);
    expect(await ended(id, "failed")).toMatchObject({
      errorClass: "evidence-file-damaged",
      error: expect.stringContaining("damaged"),
    });
    expect(sentBy("sendDocument")).toHaveLength(before);
    // That most of it left is on record all the same.
    expect(await given(id)).toHaveLength(1);
  });
});

test("approvers are told name, size and hash, and what they approved is what is sent, or nothing is", async () => {
  const { sandbox } = world;
  const group = sandbox.createChat({ type: "group", title: "Approvers", memberIds: [ada, bot.id] });
  await call("PUT", `/v1/connectors/${bot.connectorId}/chats/${group.id}`, { linked: true });
  const person = await call("POST", "/v1/people", { name: "Ola" });
  await call("POST", "/v1/approval-rules", {
    name: "Files",
    conditions: { words: ["contract"] },
    personIds: [person.body.id],
    chat: { connectorId: bot.connectorId, chatId: String(group.id) },
  });
  const scopes = ["read", "approve"];
  const approver = (await call("POST", "/v1/keys", { name: "Approver", scopes })).body.apiKey;
  const approve = async (id: string) => {
    const { version, message } = (await call("GET", `/v1/approvals/${id}`)).body;
    const { status } = await call("POST", `/v1/approvals/${id}/approve`, { version }, approver);
    return { status, content: message.content };
  };
  const content = randomBytes(70_000);
  const file = await handIn("contract.bin", content);
  expect(file.sha256).toBe(createHash("sha256").update(content).digest("hex"));
  // By its own name it meets the rule.
  const [sent, failing] = [await submit(document(file)), await submit(document(file))];
  expect(sent.body.state).toBe("awaiting_approval");
  const card = await waitFor(
    () => sandbox.messages({ chatId: group.id }).find(({ text }) => text?.includes("SHA-256")),
    { what: "the card" },
  );
  expect(card.text).toContain("File of evidence: contract.bin (70000 bytes)");
  expect(card.text).toContain(`SHA-256: ${file.sha256}`);
  expect(await approve(sent.body.id)).toMatchObject({
    status: 200,
    content: { file: { name: "contract.bin", sizeBytes: 70_000, sha256: file.sha256 } },
  });
  await ended(sent.body.id, "sent");
  expect((await bytesOf(answerOf("sendDocument").document?.file_id)).equals(content)).toBe(true);

  await filesSet(file.id, "sha256 = decode(repeat('11', 32), 'hex')");
  expect((await approve(failing.body.id)).status).toBe(200);
  expect((await ended(failing.body.id, "failed")).errorClass).toBe("evidence-file-changed");
});
