import { randomUUID } from "node:crypto";
import { beforeEach, expect, test } from "@jest/globals";
import { handInFiles } from "../../../test/support/handed-in-files.ts";
import { vaultWorld } from "../../../test/support/vault-world.ts";
import { insertJobs, type NewJob } from "../../jobs/index.ts";
import { silentLogger } from "../../platform/index.ts";
import { type EndedDownload, endDownloads } from "./end.ts";
import { DownloadFault } from "./fault.ts";
import { createDownloadHooks } from "./hooks.ts";

/** What senders are told is in their language; what is kept of it for the API is in English. */
const world = vaultWorld();
const jobs = { enqueueIn: insertJobs };
let workspaceId: string;
let connectorId: string;
let lastId = 0;

beforeEach(async () => {
  workspaceId = await world.newWorkspace();
  connectorId = randomUUID();
  await world.db().query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, 'files_bot', true, '\\x00', $4,
       decode(repeat('00', 32), 'hex'))`,
    [workspaceId, connectorId, ++lastId, connectorId],
  );
});

/** A file of an account whose app speaks this language; null: nothing is known of it. */
async function fileOf(account: number, languageCode: string | null) {
  const db = world.db();
  if (languageCode !== null) {
    await db.query(
      `INSERT INTO contacts (workspace_id, telegram_user_id, first_name, language_code, is_bot,
         updated_at)
       VALUES ($1, $2, 'Dora', $3, false, now())`,
      [workspaceId, account, languageCode],
    );
  }
  const document = { file_id: "f", file_unique_id: "u", file_name: "formular.pdf" };
  const messages = [{ message_id: ++lastId, document }];
  const to = { workspaceId, connectorId, chatId: account, messages };
  const { fileIds } = await handInFiles(db, to);
  await db.query("UPDATE evidence_files SET submitted_account = $2 WHERE id = ANY ($1)", [
    fileIds,
    account,
  ]);
  return fileIds[0] ?? "";
}

const jobOf = (fileId: string): NewJob => ({
  queue: "evidence",
  lane: `${connectorId}/0`,
  workspaceId,
  kind: "download",
  payload: { fileId },
});

/** Ends its download as its drain does. */
const fail = (fileId: string, fault: DownloadFault) =>
  world.db().transaction((tx) => {
    const own = { taken: null, fault };
    const ended = { job: jobOf(fileId), own, outcome: { type: "complete" }, state: "completed" };
    return endDownloads(tx, [{ ...ended, applied: true } as unknown as EndedDownload], {
      jobs,
      log: silentLogger,
      onlyEssential: false,
    });
  });

const told = async (account: number) => {
  const rows = await world
    .db()
    .query<{ text: string }>(
      "SELECT text FROM outbound_messages WHERE workspace_id = $1 AND chat_id = $2",
      [workspaceId, String(account)],
    );
  return rows.map(({ text }) => text);
};
const errorOf = async (fileId: string) => {
  const [row] = await world
    .db()
    .query<{ error: string }>("SELECT error FROM evidence_files WHERE id = $1", [fileId]);
  return row?.error;
};

test("by the language of whoever handed it in; who is not known, or speaks another, in English", async () => {
  const tooLarge = () => new DownloadFault("too-large", { about: 3 * 2 ** 20 });
  const german = await fileOf(11, "de-AT");
  await fail(german, tooLarge());
  expect(await told(11)).toEqual([
    expect.stringMatching(
      /^Nicht angenommen: formular\.pdf\nDie Datei ist größer als die 3 MB, .*\nNachweis: EV-\d+ /,
    ),
  ]);
  const english = /^It is larger than the 3 MB that are taken here\./;
  expect(await errorOf(german)).toMatch(english);
  for (const [account, languageCode] of [
    [12, "fr"],
    [13, null],
  ] as const) {
    const file = await fileOf(account, languageCode);
    await fail(file, tooLarge());
    const [text] = await told(account);
    expect(text?.split("\n")).toEqual([
      "Not accepted: formular.pdf",
      await errorOf(file),
      expect.stringMatching(/^Evidence: EV-/),
    ]);
    expect(await errorOf(file)).toMatch(english);
  }
});

test("given up by hand: in their language, too, and fetched again it has no fault any more", async () => {
  const file = await fileOf(11, "de");
  const { discarded, retried } = createDownloadHooks();
  const downloads = [jobOf(file)] as unknown as Parameters<NonNullable<typeof discarded>>[1];
  await world.db().transaction(async (tx) => discarded?.(tx, downloads));
  expect((await told(11))[0]).toContain("\nDie Datei wurde von Hand aufgegeben, ");
  expect(await errorOf(file)).toContain("given up by hand");
  await world.db().transaction(async (tx) => retried?.(tx, downloads));
  const [row] = await world
    .db()
    .query("SELECT state, error, fault FROM evidence_files WHERE id = $1", [file]);
  expect(row).toEqual({ state: "queued", error: null, fault: null });
});
