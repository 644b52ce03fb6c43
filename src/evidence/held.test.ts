import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { vaultWorld } from "../../test/support/vault-world.ts";
import { createRetention, silentLogger, sqlState } from "../platform/index.ts";
import { placeHold } from "./holds.ts";
import { EvidenceHeld, evidenceRetention, removeFiles } from "./remove-files.ts";
import { compareVault } from "./vault-comparison.ts";
import { dropOldParts } from "./vault-parts.ts";

/** Evidence under legal hold, with a file; and other evidence of the same workspace, which is not. */
const world = vaultWorld();
const content = randomBytes(100_000);
let workspaceId: string;
let held: { evidenceId: string; fileId: string; storedFileId: string };
let free: { evidenceId: string };

beforeAll(async () => {
  workspaceId = await world.newWorkspace();
  const { storedFileId, ...kept } = await world.keep(workspaceId, content);
  held = { storedFileId, ...(await world.refer(workspaceId, { storedFileId, ...kept })) };
  free = await world.refer(workspaceId, await world.keep(workspaceId, randomBytes(10)));
  const { evidenceId } = held;
  const hold = { workspaceId, evidenceId, reason: "a dispute", by: "key:a" };
  await world.db().transaction((tx) => placeHold(tx, hold));
});

const isThere = async () =>
  (await world.content(world.vaultWith(), workspaceId, held.storedFileId)).equals(content);

/** A statement with the ids in it. */
const filled = (sql: string) =>
  sql
    .replaceAll(":held", `'${held.evidenceId}'`)
    .replaceAll(":file", `'${held.fileId}'`)
    .replaceAll(":stored", `'${held.storedFileId}'`)
    .replaceAll(":free", `'${free.evidenceId}'`)
    .replaceAll(":workspace", `'${workspaceId}'`);

const DELETIONS = [
  "DELETE FROM evidence WHERE id = :held",
  "DELETE FROM evidence_revisions WHERE evidence_id = :held",
  "DELETE FROM evidence_files WHERE id = :file",
  "DELETE FROM stored_files WHERE id = :stored",
  "DELETE FROM legal_holds WHERE evidence_id = :held",
  "DELETE FROM workspaces WHERE id = :workspace",
  "UPDATE evidence_files SET stored_file_id = NULL, removed_at = now() WHERE id = :file",
  "UPDATE stored_files SET state = 'deleting' WHERE id = :stored",
  // In two steps: first it is made something that is not held.
  "UPDATE evidence_files SET evidence_id = :free WHERE id = :file",
  "UPDATE evidence_revisions SET evidence_id = :free, number = 2 WHERE evidence_id = :held",
  "UPDATE legal_holds SET evidence_id = :free WHERE evidence_id = :held",
  "UPDATE stored_files SET state = 'writing' WHERE id = :stored",
];

describe("what is held", () => {
  test.each(DELETIONS)("is refused to a workspace's own calls: %s", async (sql) => {
    const said = await world.db().asTenant(workspaceId).query(filled(sql)).catch(sqlState);
    // Revisions are theirs to change, but for that.
    expect(said).toBe(sql.startsWith("UPDATE evidence_revisions") ? "HG001" : "42501");
    expect(await isThere()).toBe(true);
  });

  test.each(DELETIONS)("is refused to the engine, and to who is above it: %s", async (sql) => {
    for (const on of [world.db(), world.owner()]) {
      const said = await on.query(filled(sql)).catch(sqlState);
      // A workspace is no engine's to delete; above it what is stored holds it first.
      const codes = sql.includes("workspaces") ? ["42501", "23503", "HG001"] : ["HG001"];
      expect(codes).toContain(said);
    }
    expect(await isThere()).toBe(true);
  });

  test("is not let go of by who says that it is not held", async () => {
    const say = filled("UPDATE evidence SET held = false WHERE id = :held");
    for (const on of [world.db().asTenant(workspaceId), world.db(), world.owner()]) {
      await on.query(say);
      const [row] = await world
        .db()
        .query<{ held: boolean }>("SELECT held FROM evidence WHERE id = $1", [held.evidenceId]);
      expect(row?.held).toBe(true);
    }
  });

  test.each(["evidence", "evidence_revisions", "evidence_files", "stored_files", "legal_holds"])(
    "is in no table that is emptied: %s",
    async (table) => {
      const emptying = world.owner().query(`TRUNCATE ${table} CASCADE`);
      await expect(emptying).rejects.toMatchObject({ code: "HG001" });
    },
  );

  test("stays where everything that clears up runs, however old it is; what is not held goes", async () => {
    const { db, owner, files, partsFolder } = world;
    await owner().query("UPDATE evidence SET updated_at = now() - interval '9 years'");
    const keep = "INSERT INTO evidence_settings (workspace_id, keep_days) VALUES ($1, 1)";
    await owner().query(keep, [workspaceId]);
    await expect(
      db().transaction((tx) => removeFiles(tx, { workspaceId, evidenceId: held.evidenceId })),
    ).rejects.toThrow(EvidenceHeld);
    const retention = createRetention({
      db: db(),
      log: silentLogger,
      rules: [evidenceRetention],
      pauseMs: 0,
    });
    expect(await retention.runOnce()).toEqual({ "content of evidence": 1 });
    await world.age();
    expect(await world.sweep()).toMatchObject({ removed: 1 });
    const compared = await compareVault({ db: db(), storage: files(), olderThanMs: -60_000 });
    expect(compared).toEqual({ orphans: 0, missing: 0, foreign: 0 });
    await files().tidy(-60_000);
    await dropOldParts(db(), partsFolder(), -60_000);
    expect(await world.objects()).toEqual([`${workspaceId}/${held.storedFileId}`]);
    expect(await isThere()).toBe(true);
  });
});
