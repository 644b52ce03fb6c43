import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { type BotAccount, type Sandbox, type Send, startSandbox } from "../../../sandbox/index.ts";
import { updatesOf } from "../../../sandbox/test-client.ts";
import { type ClamdServer, startClamd } from "../../../test/support/clamd-server.ts";
import {
  downloadJob,
  type FileMessage,
  fileRow,
  type HandedIn,
  handInFiles,
} from "../../../test/support/handed-in-files.ts";
import { vaultWorld } from "../../../test/support/vault-world.ts";
import { waitFor } from "../../../test/support/wait-for.ts";
import { createJobs, type Jobs, migrateTransport, type NewJob } from "../../jobs/index.ts";
import {
  createCallGate,
  createOutboundHandler,
  createOutboundHooks,
} from "../../outbound/index.ts";
import { createMetrics, silentLogger, type Transaction } from "../../platform/index.ts";
import { createBotApiFactory } from "../../telegram/index.ts";
import { createClamd } from "./clamd.ts";
import { createDownloadHandler } from "./download-handler.ts";
import { type EndedDownload, endDownloads } from "./end.ts";
import { createDownloadHooks } from "./hooks.ts";

/** Files go all the way: from the sandbox into the vault, and their senders hear of it. */
const world = vaultWorld();
const connectorId = randomUUID();
let sandbox: Sandbox;
let bot: BotAccount;
let clamd: ClamdServer;
let jobs: Jobs;
let workspaceId: string;
let person: number;
const disabled: string[] = [];

beforeAll(async () => {
  const db = world.db();
  workspaceId = await world.newWorkspace();
  await migrateTransport(db);
  clamd = await startClamd();
  sandbox = await startSandbox({ port: 0, limits: { bot: [], chat: [], group: [] } });
  bot = sandbox.createBot({ name: "Bot", username: "files_bot" });
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, 'files_bot', true, '\\x00', 'k',
       decode(repeat('00', 32), 'hex'))`,
    [workspaceId, connectorId, bot.id],
  );
  jobs = createJobs({
    db,
    log: silentLogger,
    sweepMs: 100,
    hooks: { outbound: createOutboundHooks(), evidence: createDownloadHooks() },
  });
  const api = createBotApiFactory({ apiRoot: sandbox.url })(bot.token);
  const fast = [{ count: 1_000, perMs: 1_000 }];
  const common = {
    db,
    botApiFor: async () => api,
    onUnauthorized: async (id: string) => void disabled.push(id),
    metrics: createMetrics({ processMetrics: false }),
    log: silentLogger,
  };
  await jobs.startPool(
    "outbound",
    createOutboundHandler({ ...common, limits: { bot: fast, chat: fast, group: fast } }),
    { slots: 2, laneConcurrency: 4 },
  );
  const handler = createDownloadHandler({
    ...common,
    jobs,
    vault: world.vaultWith(),
    callNow: createCallGate(common),
    scanner: createClamd({ host: "127.0.0.1", port: clamd.port }),
  });
  await jobs.startPool("evidence", handler, { slots: 4, laneConcurrency: 4 });
});
afterAll(async () => {
  await jobs.stop(500);
  await sandbox.close();
  await clamd.close();
});
beforeEach(() => {
  clamd.mode = "answers";
  person = sandbox.createUser({ firstName: "Ada" }).id;
});

interface Taken extends HandedIn {
  messageIds: number[];
}

/** Files are sent, and taken into evidence as a bot's updates tell of them. */
async function hand(
  send: Partial<Send>,
  change: (file: { fileId: string; uniqueId: string }) => void = () => {},
): Promise<Taken> {
  const taken = await takeFiles(send, change);
  await world.db().transaction((tx) => jobs.enqueueIn(tx, jobsOf(taken)));
  return taken;
}

const jobsOf = ({ fileIds }: Taken): NewJob[] =>
  fileIds.map((fileId, n) => ({
    queue: "evidence",
    lane: `${connectorId}/${n % 4}`,
    workspaceId,
    kind: "download",
    payload: { fileId },
  }));

/** The same, with a download that a worker left behind when it died, as the third one. */
async function handToDead(send: Partial<Send>, receivedBytes: number): Promise<Taken> {
  const taken = await takeFiles(send, () => {});
  await world.db().transaction(async (tx) => {
    const [left] = await jobs.enqueueIn(tx, jobsOf(taken));
    await tx.query(
      `UPDATE jobs SET state = 'running', attempts = 4, deaths = 2, worker = 'dead',
         begun = nextval('job_begins') WHERE id = $1`,
      [left?.id],
    );
    await tx.query(
      "UPDATE evidence_files SET state = 'downloading', received_bytes = $2 WHERE id = $1",
      [taken.fileIds[0], receivedBytes],
    );
  });
  return taken;
}

async function takeFiles(
  send: Partial<Send>,
  change: (file: { fileId: string; uniqueId: string }) => void,
): Promise<Taken> {
  const sent = await sandbox.send({ from: person, chatId: person, botId: bot.id, ...send });
  const messageIds = sent.map(({ message_id }) => message_id);
  const messages = (await updatesOf(sandbox, bot)).flatMap(({ message }) => {
    const one = message as FileMessage & { chat: { id: number } };
    return one.chat.id === person && messageIds.includes(one.message_id) ? [one] : [];
  });
  const to = { workspaceId, connectorId, chatId: person };
  return { ...(await handInFiles(world.db(), { ...to, messages, change })), messageIds };
}

const document = (content: Buffer | string, name = "form.pdf") => ({
  document: { name, content: Buffer.from(content) },
});

const fileOf = (id: string | undefined) => fileRow(world.db(), id);
const jobOf = ({ fileIds }: Taken) => downloadJob(world.db(), fileIds[0]);

const ended = ({ fileIds }: Taken, state: string) =>
  waitFor(
    async () => {
      const files = await Promise.all(fileIds.map(fileOf));
      return files.every((file) => file?.state === state) ? files[0] : null;
    },
    { what: `files to be ${state}` },
  );

/** What the bot has said in this person's chat. */
const heard = () =>
  sandbox
    .messages({ chatId: person, botId: bot.id })
    .filter(({ from }) => from?.id === bot.id)
    .map((message) => ({ text: message.text ?? "", to: message.reply_to_message?.message_id }));

const hears = (count = 1) =>
  waitFor(() => heard().length >= count && heard(), { what: "a message" });

const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");

test("a document is stored, and its sender told: name, size, hash, evidence; an entry says so", async () => {
  const content = "%PDF-1.7 the signed form";
  const taken = await hand(document(content, "form (signed).pdf"));
  const file = await ended(taken, "stored");
  expect(file).toMatchObject({
    sha256: sha256(content),
    content_type: "application/pdf",
    error: null,
  });
  const stored = file?.stored_file_id ?? "";
  const kept = await world.content(world.vaultWith(), workspaceId, stored);
  expect(kept.toString()).toBe(content);
  const [message] = await hears();
  expect(message?.to).toBe(taken.messageIds[0]);
  expect(message?.text.split("\n")).toEqual([
    "Uploaded: form (signed).pdf",
    `Size: ${content.length} bytes`,
    `SHA-256: ${sha256(content)}`,
    `Evidence: EV-${taken.number} (${taken.evidenceId})`,
  ]);
  const entries = await world
    .db()
    .query<{ details: Record<string, unknown> }>(
      "SELECT details FROM audit_entries WHERE action = 'evidence.file_ended' AND subject_id = $1",
      [taken.evidenceId],
    );
  expect(entries.map(({ details }) => details)).toEqual([
    {
      fileId: taken.fileIds[0],
      state: "stored",
      sha256: sha256(content),
      sizeBytes: content.length,
    },
  ]);
});

test("a file that is here already is referred to, and Telegram not asked for it", async () => {
  let uniqueId = "";
  const first = await hand(document("the same file"), (file) => {
    uniqueId = file.uniqueId;
  });
  const { stored_file_id } = (await ended(first, "stored")) ?? {};
  const asked = sandbox.record.callsOf("getFile").length;
  const second = await hand(document("the same file"), (file) => {
    file.fileId = "no-such-file-id";
    file.uniqueId = uniqueId;
  });
  expect(await ended(second, "stored")).toMatchObject({ stored_file_id });
  expect(sandbox.record.callsOf("getFile").length).toBe(asked);
  // By its content alone: one object for both.
  const third = await hand(document("the same file"));
  expect(await ended(third, "stored")).toMatchObject({ stored_file_id });
  expect(await hears(3)).toHaveLength(3);
});

test("an album whose files end in the same moment is told of in one message", async () => {
  const photo = (n: number) => ({
    kind: "document" as const,
    file: document(`photo ${n}`, `${n}.txt`).document,
  });
  const taken = await hand({ album: [photo(1), photo(2), photo(3), photo(4)] });
  expect(taken.fileIds).toHaveLength(4);
  await ended(taken, "stored");
  const [message] = await hears();
  expect(message?.text).toMatch(/^Uploaded: 4 of 4 files\n/);
  for (const n of [1, 2, 3, 4]) expect(message?.text).toContain(`${n}. ${n}.txt\n`);
  expect(message?.to).toBe(taken.messageIds[0]);
  const waiting = () =>
    world.db().query("SELECT FROM jobs WHERE state IN ('available', 'running', 'retryable')");
  await waitFor(async () => (await waiting()).length === 0);
  expect(heard()).toHaveLength(1);
});

/** Ends the download of the nth file, as its drain does. */
async function ends(taken: Taken) {
  const kept = await world.keep(workspaceId, Buffer.from("both"));
  const content = { ...kept, contentType: "text/plain" };
  return (tx: Transaction, n: number) => {
    const [job] = jobsOf({ ...taken, fileIds: taken.fileIds.slice(n) });
    const own = { taken: { content, finding: null, fetchedBytes: 4 }, fault: null };
    const ended = { job, own, outcome: { type: "complete" }, state: "completed", applied: true };
    const options = { jobs, log: silentLogger, onlyEssential: false };
    return endDownloads(tx, [ended as unknown as EndedDownload], options);
  };
}

test("an album is looked at when it has settled, whatever time this machine thinks it is", async () => {
  const db = world.db();
  const file = { kind: "document" as const, file: document("1", "1.txt").document };
  const taken = await takeFiles({ album: [file, file] }, () => {});
  const end = await ends(taken);
  const now = Date.now();
  const clock = jest.spyOn(Date, "now").mockImplementation(() => now - 3_600_000);
  try {
    for (const n of [0, 1]) await db.transaction((tx) => end(tx, n));
  } finally {
    clock.mockRestore();
  }
  const [look] = await db.query<{ inMs: number }>(
    `SELECT (extract(epoch FROM run_at - created_at) * 1000)::float8 AS "inMs" FROM jobs
     WHERE kind = 'album' AND payload ->> 'fileId' = ANY ($1)`,
    [taken.fileIds],
  );
  expect(look?.inMs).toBeGreaterThan(0);
  expect((await hears())[0]?.text).toMatch(/^Uploaded: 2 of 2 files/);
});

test("of two files of an album that end in the same moment the second one tells of both", async () => {
  const db = world.db();
  const file = (n: number) => ({
    kind: "document" as const,
    file: document(`${n}`, `${n}.txt`).document,
  });
  const taken = await takeFiles({ album: [file(1), file(2)] }, () => {});
  await db.query(
    "UPDATE evidence_files SET created_at = now() - interval '1 min' WHERE id = ANY ($1)",
    [taken.fileIds],
  );
  const end = await ends(taken);
  let second: Promise<void> | undefined;
  await db.transaction(async (tx) => {
    await end(tx, 0);
    second = db.transaction((other) => end(other, 1));
    const waits =
      "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%download-lock%'";
    await waitFor(async () => (await world.owner().query(waits)).length > 0);
  });
  await second;
  expect((await hears())[0]?.text).toMatch(/^Uploaded: 2 of 2 files/);
  expect(heard()).toHaveLength(1);
});

test("beyond what a bot is given it fails in words, as a dead letter; by hand it is fetched again", async () => {
  sandbox.setLimits({ downloadBytes: 10 });
  const taken = await hand(document("more than ten bytes"));
  expect((await ended(taken, "failed"))?.error).toContain("20 MB");
  expect((await hears())[0]?.text).toMatch(/^Not accepted: form\.pdf\nTelegram gives bots/);
  expect(await jobOf(taken)).toMatchObject({
    state: "discarded",
    errorClass: "too-large-for-bots",
  });
  sandbox.setLimits({ downloadBytes: 20_000_000 });
  await jobs.ledger.retry({ workspaceId, queue: "evidence", id: (await jobOf(taken))?.id });
  await ended(taken, "stored");
  expect((await hears(2))[1]?.text).toMatch(/^Uploaded: form\.pdf/);
});

test("what a scanner finds is kept apart; while it is away nothing passes", async () => {
  const harmful = await hand(document("EICAR", "invoice.exe"));
  const file = await ended(harmful, "quarantined");
  expect(file?.error).toContain("Win.Test.EICAR_HDB-1");
  expect(file?.stored_file_id).not.toBeNull();
  expect((await hears())[0]?.text).toMatch(/^Not accepted: invoice\.exe\nThe virus scanner/);
  clamd.mode = "hangs-up";
  const waiting = await hand(document("clean after all"));
  const { error } = await waitFor(async () => {
    const found = await fileOf(waiting.fileIds[0]);
    return found?.state === "queued" && found.error !== null ? found : null;
  });
  expect(error).toContain("waits for the virus scanner");
  expect(await jobOf(waiting)).toMatchObject({ errorClass: "Pause", attempts: 0 });
  clamd.mode = "answers";
  await jobs.ledger.runNow({ workspaceId, queue: "evidence" });
  await ended(waiting, "stored");
});

test("what the workspace does not take is refused, and its job is done", async () => {
  await world.db().query(
    `INSERT INTO evidence_settings (workspace_id, max_bytes, content_types)
     VALUES ($1, 100, '{application/pdf}')`,
    [workspaceId],
  );
  try {
    const large = await hand(document(`%PDF-${"x".repeat(200)}`));
    expect((await ended(large, "failed"))?.error).toContain("100 bytes");
    const typed = await hand(document("text", "text.pdf"));
    expect((await ended(typed, "failed"))?.error).toContain("text/plain");
    expect(await jobOf(typed)).toMatchObject({ state: "completed" });
    expect(await hears(2)).toHaveLength(2);
  } finally {
    await world.db().query("DELETE FROM evidence_settings");
  }
});

test("evidence that is deleted meanwhile: its file goes, and nobody is told of it", async () => {
  const slow = sandbox.fault({ method: "file", latencyMs: 150 });
  const taken = await hand(document("not wanted any more"));
  await waitFor(async () => (await fileOf(taken.fileIds[0]))?.state === "downloading");
  await world.db().query("DELETE FROM evidence WHERE id = $1", [taken.evidenceId]);
  await waitFor(async () => (await jobOf(taken))?.state === "completed");
  slow.clear();
  expect(heard()).toEqual([]);
});

test("workers that die are held against a file only where it gets no further", async () => {
  const further = await handToDead(document("a long file"), 9_000_000);
  await ended(further, "stored");
  const stuck = await handToDead(document("a file that kills"), 0);
  expect((await ended(stuck, "failed"))?.error).toMatch(/could not be fetched/);
  expect(await jobOf(stuck)).toMatchObject({ state: "discarded", errorClass: "WorkerDied" });
  expect((await hears(2)).at(-1)?.text).toMatch(/^Not accepted/);
});

test("given up by hand while it waits: its file says so, and its sender hears of it", async () => {
  clamd.mode = "hangs-up";
  const taken = await hand(document("given up"));
  await waitFor(async () => (await jobOf(taken))?.errorClass === "Pause");
  await jobs.ledger.discard({ workspaceId, queue: "evidence", id: (await jobOf(taken))?.id });
  expect((await ended(taken, "failed"))?.error).toContain("by hand");
  expect((await hears())[0]?.text).toContain("by hand");
});

test("a token that Telegram refuses disables the bot, and the file waits for a new one", async () => {
  const taken = await hand(document("for later"));
  await ended(taken, "stored");
  sandbox.revokeToken(bot.id);
  const [row] = await world.db().query<{ id: string }>(
    `UPDATE evidence_files SET state = 'queued', stored_file_id = NULL, sha256 = NULL,
       size_bytes = NULL, telegram_unique_id = 'another' WHERE id = $1 RETURNING id`,
    [taken.fileIds[0]],
  );
  await jobs.enqueue({
    queue: "evidence",
    lane: `${connectorId}/0`,
    workspaceId,
    kind: "download",
    payload: { fileId: row?.id ?? "" },
  });
  const waits = await waitFor(async () => {
    const found = await fileOf(row?.id);
    return found?.error === null ? null : found;
  });
  expect(waits).toMatchObject({ state: "queued", error: expect.stringContaining("refuses") });
  expect(disabled).toContain(connectorId);
});
