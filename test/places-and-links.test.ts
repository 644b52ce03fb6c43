import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startAuditSealer } from "../src/audit/index.ts";
import { startEvidence } from "../workers/evidence.ts";
import { Opened } from "../workers/process.ts";
import { deliver, startTestSystem, type TestBot, type TestSystem } from "./support/system.ts";
import { unzip } from "./support/unzip.ts";
import { waitFor } from "./support/wait-for.ts";

/** A place and a link, from the webhook to the store and out of it again. */

let world: TestSystem;
let bot: TestBot;
const opened = new Opened();

beforeAll(async () => {
  world = await startTestSystem();
  await startEvidence(world.system, opened);
  bot = await world.connectBot();
});
afterAll(async () => {
  await opened.close();
  await world.close();
});

interface Keyboard {
  inline_keyboard: { text: string; callback_data?: string }[][];
}

const answers = async () => {
  const rows = await world.system.db.query<{ text: string }>(
    "SELECT text FROM outbound_messages WHERE connector_id = $1 AND text LIKE 'Uploaded:%' ORDER BY job_id",
    [bot.connectorId],
  );
  return rows.map(({ text }) => text);
};

async function download(at: string): Promise<Response> {
  const headers = { authorization: `Bearer ${world.apiKey}` };
  const response = await fetch(world.url + at, { headers });
  expect(response.status).toBe(200);
  return response;
}

interface Kept {
  id: string;
  name: string;
  kind: string;
  state: string;
  contentType: string;
  sizeBytes: number;
  sha256: string;
}

test("what brings no file is stored, told of, and given out as any file; Telegram is asked for nothing", async () => {
  const { sandbox } = world;
  const refused = await world.api("PATCH", "/v1/evidence-settings", { kinds: ["story"] });
  expect(refused.status).toBe(400);
  // Types are about files.
  const settings = { kinds: ["location", "link"], contentTypes: ["application/pdf"] };
  expect((await world.api("PATCH", "/v1/evidence-settings", settings)).body).toMatchObject(
    settings,
  );

  const ada = sandbox.createUser({ firstName: "Ada" });
  const chat = { chatId: ada.id, botId: bot.id };
  const shows = (words: string) =>
    waitFor(
      () =>
        sandbox
          .messages(chat)
          .find(({ from, text }) => from?.id === bot.id && text?.includes(words)),
      { what: words },
    );
  const press = async (words: string, label: string) => {
    const { message_id: messageId, reply_markup: keyboard } = await shows(words);
    const buttons = (keyboard as Keyboard).inline_keyboard.flat();
    const data = buttons.find(({ text }) => text === label)?.callback_data ?? "";
    sandbox.pressButton({ ...chat, from: ada.id, messageId, data });
  };
  await sandbox.send({ ...chat, from: ada.id, text: "/evidence document Report" });
  await press("Evidence record created", "Upload document");
  await shows("Please upload the file");
  const text = "https://intranet.example/report?id=7";
  const [link] = await sandbox.send({ ...chat, from: ada.id, text });
  await press("Which control", "Skip");
  await shows("Submit it for review");
  // The sandbox's people send no places.
  const location = { latitude: 52.5, longitude: 13.25, live_period: 900 };
  const message = {
    message_id: 7_001,
    date: 1_790_000_000,
    chat: { id: ada.id, type: "private", first_name: "Ada" },
    from: { id: ada.id, is_bot: false, first_name: "Ada" },
    location,
  };
  const update = { update_id: 900_000_000, message };
  for (let time = 1; time <= 2; time++) expect(await deliver(world.url, bot, update)).toBe(200);
  const told = await waitFor(async () => (await answers()).length === 2 && answers(), {
    what: "the sender to be told of both",
  });

  const [listed] = (
    (await world.api("GET", "/v1/evidence")).body as { data: { id: string; code: string }[] }
  ).data;
  const at = `/v1/evidence/${listed?.id}`;
  const { files } = (await world.api("GET", at)).body as { files: Kept[] };
  expect(files).toMatchObject([
    {
      name: `link_${link?.message_id}.txt`,
      kind: "link",
      state: "stored",
      contentType: "text/uri-list",
    },
    {
      name: "location_7001.geojson",
      kind: "location",
      state: "stored",
      contentType: "application/geo+json",
    },
  ]);
  const contents: string[] = [];
  for (const { id, name, sha256, sizeBytes } of files) {
    const response = await download(`${at}/files/${id}`);
    expect(response.headers.get("content-disposition")).toMatch(/^attachment/);
    const content = Buffer.from(await response.arrayBuffer());
    expect([content.length, createHash("sha256").update(content).digest("hex")]).toEqual([
      sizeBytes,
      sha256,
    ]);
    const said = told.find((text) => text.startsWith(`Uploaded: ${name}\n`));
    expect(said).toContain(`SHA-256: ${sha256}\nEvidence: ${listed?.code} (${listed?.id})`);
    contents.push(content.toString());
  }
  expect(contents[0]).toBe("https://intranet.example/report?id=7\r\n");
  expect(JSON.parse(contents[1] ?? "")).toMatchObject({
    geometry: { coordinates: [13.25, 52.5] },
    properties: { live: { seconds: 900 } },
  });
  // In the store, and nowhere else any more.
  expect(
    await world.system.db.query(
      "SELECT written FROM evidence_files WHERE workspace_id = $1 AND written IS NOT NULL",
      [world.workspaceId],
    ),
  ).toEqual([]);
  expect(sandbox.record.callsOf("getFile", bot.id)).toEqual([]);

  const provenance = (await world.api("GET", `${at}/provenance`)).body as {
    revisions: { files: { kind: string; telegram: object }[] }[];
  };
  expect(provenance.revisions[0]?.files).toMatchObject([
    { kind: "link", telegram: { messageId: String(link?.message_id), fileId: null } },
    { kind: "location", telegram: { messageId: "7001", chatId: String(ada.id), fileId: null } },
  ]);

  const { db, keyring, log } = world.system;
  const sealer = startAuditSealer({ db, keyring, log, tickMs: 0 });
  await sealer.runOnce();
  await sealer.stop();
  const pack = await download(`/v1/evidence-packs?evidenceId=${listed?.id}`);
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-pack-"));
  try {
    const inside = await unzip(Buffer.from(await pack.arrayBuffer()));
    const packed = [...inside.keys()].filter((name) => name.startsWith("evidence/"));
    expect(packed.map((name) => String(inside.get(name)))).toEqual(contents);
    for (const [name, content] of inside) {
      await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await writeFile(path.join(folder, name), content);
    }
    const script = path.resolve("scripts/verify-pack.mjs");
    await promisify(execFile)(process.execPath, [script, folder]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
