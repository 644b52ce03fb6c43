import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { vaultWorld } from "../../test/support/vault-world.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Job } from "../jobs/index.ts";
import { createRetention, type Queryable, silentLogger } from "../platform/index.ts";
import { createDownloadHooks } from "./download/index.ts";
import { EvidenceHeld, evidenceRetention, removeFiles } from "./remove-files.ts";

const world = vaultWorld();

interface Filed {
  workspaceId: string;
  evidenceId: string;
  fileId: string;
  storedFileId: string;
}

async function filed(workspaceId: string, content = randomBytes(10)): Promise<Filed> {
  const kept = await world.keep(workspaceId, content);
  const referred = await world.refer(workspaceId, kept);
  return { workspaceId, storedFileId: kept.storedFileId, ...referred };
}

const hold = (on: Queryable, { evidenceId }: Filed) =>
  on.query("UPDATE evidence SET held = true WHERE id = $1", [evidenceId]);
const remove = (file: Filed) => world.db().transaction((tx) => removeFiles(tx, file));
const isThere = async ({ workspaceId, storedFileId }: Filed) =>
  (await world.objects()).includes(`${workspaceId}/${storedFileId}`);
const sweepLater = async () => {
  await world.age();
  await world.sweep();
};

test("content that two refer to goes with the second of them; what it was stays on record", async () => {
  const workspaceId = await world.newWorkspace();
  const content = randomBytes(10);
  const [first, second] = [await filed(workspaceId, content), await filed(workspaceId, content)];
  expect(second.storedFileId).toBe(first.storedFileId);
  await sweepLater();
  expect(await remove(first)).toBe(1);
  expect(await remove(first)).toBe(0);
  await sweepLater();
  expect(await isThere(first)).toBe(true);
  expect(await remove(second)).toBe(1);
  await sweepLater();
  expect(await isThere(first)).toBe(false);
  const kept = `SELECT name, state, size_bytes, length(sha256) AS hash, removed_at IS NOT NULL AS removed
    FROM evidence_files WHERE id = $1`;
  expect(await world.db().query(kept, [first.fileId])).toEqual([
    { name: "a.pdf", state: "stored", size_bytes: "10", hash: 32, removed: true },
  ]);
  const entries = `SELECT details FROM audit_entries
    WHERE action = 'evidence.content_removed' AND subject_id = $1`;
  expect(await world.db().query(entries, [first.evidenceId])).toEqual([
    { details: { count: 1, why: "asked" } },
  ]);
});

test("nothing of what is held is deleted, whatever statement tries, and whoever does", async () => {
  const held = await filed(await world.newWorkspace());
  await hold(world.db(), held);
  await expect(remove(held)).rejects.toThrow(EvidenceHeld);
  const { workspaceId, evidenceId, fileId, storedFileId } = held;
  await world.keep(workspaceId, randomBytes(11));
  await world.db().query(
    `INSERT INTO legal_holds (workspace_id, evidence_id, reason, placed_by)
     VALUES ($1, $2, 'a dispute', 'key:a')`,
    [workspaceId, evidenceId],
  );
  const tries: [string, string][] = [
    ["DELETE FROM evidence WHERE id = $1", evidenceId],
    ["DELETE FROM evidence_revisions WHERE evidence_id = $1", evidenceId],
    ["DELETE FROM evidence_files WHERE id = $1", fileId],
    ["UPDATE evidence_files SET stored_file_id = NULL, removed_at = now() WHERE id = $1", fileId],
    [
      `UPDATE evidence_files f SET stored_file_id = s.id FROM stored_files s
       WHERE f.id = $1 AND s.workspace_id = f.workspace_id AND s.id <> f.stored_file_id`,
      fileId,
    ],
    ["DELETE FROM legal_holds WHERE evidence_id = $1", evidenceId],
    ["DELETE FROM stored_files WHERE id = $1", storedFileId],
    ["UPDATE stored_files SET state = 'deleting' WHERE id = $1", storedFileId],
  ];
  for (const on of [world.db(), world.owner()]) {
    for (const [sql, id] of tries) {
      await expect(on.query(sql, [id])).rejects.toMatchObject({ code: "HG001" });
    }
  }
  await sweepLater();
  expect(await isThere(held)).toBe(true);
});

test("a hold that is being placed is waited for, and then refuses", async () => {
  const workspaceId = await world.newWorkspace();
  const [a, b] = [await filed(workspaceId), await filed(workspaceId)];
  await world.db().query("UPDATE evidence SET updated_at = now() - interval '9 days'");
  await world
    .db()
    .query("INSERT INTO evidence_settings (workspace_id, keep_days) VALUES ($1, 1)", [workspaceId]);
  const { asked, forced } = await world.db().transaction(async (tx) => {
    await hold(tx, a);
    await hold(tx, b);
    const tried = {
      asked: Promise.allSettled([remove(a)]),
      forced: Promise.allSettled([
        world.db().query("DELETE FROM evidence_files WHERE id = $1", [b.fileId]),
      ]),
    };
    await waitFor(async () => {
      const [row] = await world.owner().query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return row?.n === 2;
    });
    // The one that comes by itself goes past it.
    const dropped = world
      .db()
      .transaction((other) => evidenceRetention.dropBatch(other, 100, null));
    expect(await dropped).toMatchObject({ rows: 0 });
    return tried;
  });
  expect(await asked).toMatchObject([{ status: "rejected", reason: expect.any(EvidenceHeld) }]);
  expect(await forced).toMatchObject([{ status: "rejected", reason: { code: "HG001" } }]);
  for (const file of [a, b]) expect(await isThere(file)).toBe(true);
});

test("content is kept as long as its workspace says, longer while it is held", async () => {
  const workspaceId = await world.newWorkspace();
  const elsewhere = await filed(await world.newWorkspace());
  const files = [];
  for (let n = 0; n < 4; n++) files.push(await filed(workspaceId));
  const [old, held, fresh, older] = files;
  if (!old || !held || !fresh || !older) throw new Error("four files");
  await hold(world.db(), held);
  await world
    .db()
    .query("INSERT INTO evidence_settings (workspace_id, keep_days) VALUES ($1, 30)", [
      workspaceId,
    ]);
  const changed = "UPDATE evidence SET updated_at = now() - $2 * interval '1 day' WHERE id = $1";
  for (const file of [old, held, elsewhere, older]) {
    await world.db().query(changed, [file.evidenceId, 31]);
  }
  await world.db().query(changed, [fresh.evidenceId, 29]);
  const retention = createRetention({
    db: world.db(),
    log: silentLogger,
    rules: [evidenceRetention],
    batchRows: 1,
    pauseMs: 0,
  });
  expect(await retention.runOnce()).toEqual({ "content of evidence": 2 });
  await sweepLater();
  const there = await Promise.all([old, older, held, fresh, elsewhere].map(isThere));
  expect(there).toEqual([false, false, true, true, true]);
  expect(await retention.runOnce()).toEqual({ "content of evidence": 0 });
});

test("what could not be stored of a place goes with the rest, and is not tried again by hand", async () => {
  const { workspaceId, evidenceId } = await filed(await world.newWorkspace());
  const [row] = await world.db().query<{ id: string }>(
    `INSERT INTO evidence_files (workspace_id, evidence_id, revision, state, name, kind, written)
     VALUES ($1, $2, 1, 'failed', 'location_1.geojson', 'location', '{}') RETURNING id`,
    [workspaceId, evidenceId],
  );
  const job = { workspaceId, kind: "download", payload: { fileId: row?.id } } as unknown as Job;
  const retry = () =>
    world.db().transaction(async (tx) => createDownloadHooks().retried?.(tx, [job]));
  const now = () =>
    world.db().query("SELECT state, written FROM evidence_files WHERE id = $1", [row?.id]);
  await retry();
  expect(await now()).toEqual([{ state: "queued", written: "{}" }]);
  await world.db().query("UPDATE evidence_files SET state = 'failed' WHERE id = $1", [row?.id]);
  expect(await world.db().transaction((tx) => removeFiles(tx, { workspaceId, evidenceId }))).toBe(
    2,
  );
  await retry();
  expect(await now()).toEqual([{ state: "failed", written: null }]);
});
