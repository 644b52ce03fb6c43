import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { vaultWorld } from "../../test/support/vault-world.ts";
import type { Database } from "../platform/index.ts";
import { ownPartsFolder } from "./vault.ts";

const world = vaultWorld();

test("a database that goes away while a part is taken up again leaves it to the next try", async () => {
  const workspaceId = await world.newWorkspace();
  const fileId = randomUUID();
  const begun = await world.vaultWith().begin({ workspaceId, fileId });
  await begun.part.append(randomBytes(100_000));
  await begun.part.close();
  let isAway = true;
  const db: Database = {
    ...world.db(),
    query: async (sql, params) => {
      if (isAway && sql.includes("vault.touch")) throw new Error("Connection terminated");
      return world.db().query(sql, params);
    },
  };
  const vault = world.vaultWith({ db });
  await expect(vault.begin({ workspaceId, fileId })).rejects.toThrow("Connection terminated");
  isAway = false;
  const again = await vault.begin({ workspaceId, fileId });
  expect(again.storedFileId).toBe(begun.storedFileId);
  await vault.abandon(again.storedFileId, again.part);
});

test("a disk that takes no new part is left without a row for each try", async () => {
  const workspaceId = await world.newWorkspace();
  const folder = ownPartsFolder(world.partsFolder());
  await rm(folder, { recursive: true, force: true });
  await mkdir(path.dirname(folder), { recursive: true });
  await writeFile(folder, "in its way");
  const vault = world.vaultWith();
  for (let n = 0; n < 3; n++) {
    const begun = vault.begin({ workspaceId, fileId: randomUUID() });
    await expect(begun).rejects.toMatchObject({ code: "EEXIST" });
  }
  expect(await world.rows()).toEqual([]);
  await rm(folder);
  const { storedFileId, part } = await vault.begin({ workspaceId, fileId: randomUUID() });
  await vault.abandon(storedFileId, part);
});
