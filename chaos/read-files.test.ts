import { createHash, randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestSystem, type TestSystem } from "../test/support/system.ts";
import { waitFor } from "../test/support/wait-for.ts";
import { startEvidence } from "../workers/evidence.ts";
import { Opened } from "../workers/process.ts";
import { readStore, readTaken, readTellings } from "./read-files.ts";
import { judgeFiles, judgeStore, judgeTellings } from "./verdict-files.ts";

let world: TestSystem;
const opened = new Opened();
beforeAll(async () => {
  world = await startTestSystem();
  await startEvidence(world.system, opened);
});
afterAll(async () => {
  await opened.close();
  await world.close();
});

test("what became of a file is read from the rows, the store and what its sender was told", async () => {
  const { sandbox, system, owner } = world;
  const { storage } = system.config;
  if (storage?.kind !== "local") throw new Error("the store is a folder");
  const storageFolder = storage.folder;
  const bot = await world.connectBot();
  const ada = sandbox.createUser({ firstName: "Ada" });
  const chat = { chatId: ada.id, botId: bot.id };
  const content = Buffer.from("what proves it");
  const document = { name: "proof.txt", content };
  const [message] = await sandbox.send({ ...chat, from: ada.id, document });
  const chatId = String(ada.id);
  const handedIn = {
    connectorId: bot.connectorId,
    chatId,
    messageId: message?.message_id ?? 0,
    sha256: createHash("sha256").update(content).digest("hex"),
    sizeBytes: content.length,
  };
  const tellings = await waitFor(async () => {
    const found = await readTellings(owner, [chatId]);
    return found[0]?.state === "sent" && found;
  });
  const taken = await readTaken(owner);
  const told = sandbox.messages(chat).find(({ text }) => text?.includes("SHA-256"));
  const arrived = {
    ...handedIn,
    sha256s: [handedIn.sha256],
    messageId: told?.message_id ?? 0,
    atMs: Date.now(),
  };
  const fine = { lost: [], doubled: [] };
  const store = await readStore({ owner, storageFolder });
  expect(judgeFiles([handedIn], taken, store.rows)).toEqual(fine);
  expect(judgeTellings([handedIn], tellings, [arrived])).toEqual(fine);
  expect(judgeStore(store, taken)).toEqual([]);

  // What processes leave that died is swept; what no sweep can know of is told.
  const { workspaceId = "", id = "" } = store.rows[0] ?? {};
  await owner.query(
    `INSERT INTO stored_files (workspace_id, id, state, key_sealed, written_for)
     VALUES ($1, $2, 'writing', '\\x00', $3)`,
    [workspaceId, randomUUID(), randomUUID()],
  );
  const part = path.join(storageFolder, ".parts", "machine", randomUUID());
  await mkdir(part, { recursive: true });
  const unasked = randomUUID();
  const shelf = path.join(storageFolder, workspaceId, unasked.slice(0, 2));
  await mkdir(shelf, { recursive: true });
  await writeFile(path.join(shelf, unasked), "x");
  await rm(path.join(storageFolder, workspaceId, id.slice(0, 2), id));
  await writeFile(path.join(part, "..", "stray"), "x");
  expect(judgeStore(await readStore({ owner, storageFolder }), taken)).toEqual([
    `object without a row: ${workspaceId}/${unasked}`,
    `row without an object: ${workspaceId}/${id}`,
    "left over: .parts/machine/stray",
  ]);
});
