import { randomBytes, randomUUID } from "node:crypto";
import { expect, test } from "@jest/globals";
import { vaultWorld } from "../../test/support/vault-world.ts";
import { StoredFileMissing } from "../storage/index.ts";
import { createGiveOut, FileNotGiven } from "./give-out.ts";

const world = vaultWorld();

async function stored(content: Buffer) {
  const workspaceId = await world.newWorkspace();
  const kept = await world.keep(workspaceId, content);
  const { fileId, evidenceId } = await world.refer(workspaceId, kept);
  return { workspaceId, fileId, evidenceId, kept };
}

const giveOut = (asked: { workspaceId: string; fileId: string }) =>
  createGiveOut({ db: world.db(), vault: world.vaultWith() })({ messageId: "m", ...asked });

async function read(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}

const entries = (workspaceId: string) =>
  world.owner().query<{ subject_id: string; details: object }>(
    `SELECT subject_id, details FROM audit_entries
     WHERE workspace_id = $1 AND action = 'evidence.file_sent'`,
    [workspaceId],
  );

test("a file is given from its beginning each time, and is on record once it is read, once", async () => {
  const content = randomBytes(200_000);
  const { workspaceId, fileId, evidenceId, kept } = await stored(content);
  const file = await giveOut({ workspaceId, fileId });
  expect(file).toMatchObject({ sizeBytes: 200_000, sha256: kept.sha256.toString("hex") });
  expect(await entries(workspaceId)).toEqual([]);
  for await (const _ of file.content()) break;
  expect((await read(file.content())).equals(content)).toBe(true);
  const details = { fileId, messageId: "m" };
  expect(await entries(workspaceId)).toEqual([{ subject_id: evidenceId, details }]);
});

test("another workspace's file is as gone as one that never was", async () => {
  const { fileId } = await stored(randomBytes(10));
  const { workspaceId } = await stored(randomBytes(10));
  const notGiven = async (id: string) =>
    giveOut({ workspaceId, fileId: id }).then(
      () => "it was given",
      (error: unknown) => error,
    );
  const foreign = await notGiven(fileId);
  expect(foreign).toBeInstanceOf(FileNotGiven);
  expect(foreign).toMatchObject({ reason: "gone" });
  expect(await notGiven(randomUUID())).toEqual(foreign);
});

test("what is not on record is not given: without its entry no byte leaves", async () => {
  const { workspaceId, fileId } = await stored(randomBytes(10));
  const file = await giveOut({ workspaceId, fileId });
  const owner = world.owner();
  await owner.query("ALTER TABLE audit_entries ADD CONSTRAINT no_room CHECK (false) NOT VALID");
  const pieces: Buffer[] = [];
  const reading = (async () => {
    for await (const piece of file.content()) pieces.push(piece);
  })();
  await expect(reading).rejects.toMatchObject({ code: "23514" });
  await owner.query("ALTER TABLE audit_entries DROP CONSTRAINT no_room");
  expect(pieces).toEqual([]);
});

test("a store without the object may be one that is away; one that has another is damaged", async () => {
  const { workspaceId, fileId, kept } = await stored(randomBytes(100_000));
  const key = `${workspaceId}/${kept.storedFileId}`;
  const storage = world.files();
  await storage.remove(key);
  await expect(giveOut({ workspaceId, fileId })).rejects.toBeInstanceOf(StoredFileMissing);
  async function* noise() {
    yield randomBytes(50);
  }
  await storage.put(key, noise());
  await expect(giveOut({ workspaceId, fileId })).rejects.toMatchObject({ reason: "damaged" });
});
