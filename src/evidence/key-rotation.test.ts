import { randomBytes, randomUUID } from "node:crypto";
import { expect, test } from "@jest/globals";
import { vaultWorld } from "../../test/support/vault-world.ts";
import { createKeyring, rewrapSealed, SealError } from "../platform/index.ts";
import { STORED_FILES_SEALED_COLUMNS } from "./vault-rows.ts";

/** ENCRYPTION_KEYS: the first key is the world's, the second one comes, and then the first goes. */
const world = vaultWorld();
const second = { version: 2, key: randomBytes(32) };
const both = createKeyring([second, world.firstKey]);
const onlySecond = createKeyring([second]);

const rotate = () => rewrapSealed(world.db(), both, STORED_FILES_SEALED_COLUMNS);

test("a file is read under its old key, then under the new one alone", async () => {
  const workspaceId = await world.newWorkspace();
  const content = randomBytes(100_000);
  const { storedFileId } = await world.keep(workspaceId, content);
  const read = (keyring: typeof both) =>
    world.content(world.vaultWith({ keyring }), workspaceId, storedFileId);
  expect((await read(both)).equals(content)).toBe(true);

  const error = await read(onlySecond).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SealError);
  expect(String(error)).toMatch(/sealed with key v1, which is not in ENCRYPTION_KEYS/);
  expect(String(error)).toContain(storedFileId);

  expect(await rotate()).toEqual({ rewrapped: 1, unreadable: [], left: 0 });
  expect((await read(onlySecond)).equals(content)).toBe(true);
  // The process that does not know yet says so, and not that the file was altered.
  await expect(read(world.keyring)).rejects.toThrow(/sealed with key v2, which is not in/);
});

test("a download that was begun under the old key goes on, whatever was rotated meanwhile", async () => {
  const workspaceId = await world.newWorkspace();
  const fileId = randomUUID();
  const content = randomBytes(300_000);
  const first = await world.vaultWith().begin({ workspaceId, fileId });
  await first.part.append(content.subarray(0, 200_000));
  // A process that has it open meets the rotation.
  await rotate();
  await first.part.close();
  const vault = world.vaultWith({ keyring: onlySecond });
  const { storedFileId, part } = await vault.begin({ workspaceId, fileId });
  expect(storedFileId).toBe(first.storedFileId);
  expect(part.sizeBytes).toBeGreaterThanOrEqual(131_072);
  await part.append(content.subarray(part.sizeBytes));
  await vault.keep(storedFileId, part, { contentType: null });
  expect((await world.content(vault, workspaceId, storedFileId)).equals(content)).toBe(true);
});

test("one whose key is gone is begun anew, and not waited for", async () => {
  const workspaceId = await world.newWorkspace();
  const fileId = randomUUID();
  const left = await world.vaultWith().begin({ workspaceId, fileId });
  await left.part.append(randomBytes(200_000));
  await left.part.close();
  const vault = world.vaultWith({ keyring: onlySecond });
  const { storedFileId, part } = await vault.begin({ workspaceId, fileId });
  expect(storedFileId).not.toBe(left.storedFileId);
  expect(part.sizeBytes).toBe(0);
  await vault.abandon(storedFileId, part);
});
