import { createHash, randomBytes, randomUUID } from "node:crypto";
import { utimes } from "node:fs/promises";
import path from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import { vaultWorld } from "../../test/support/vault-world.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createKeyring, type Database, rewrapSealed, silentLogger } from "../platform/index.ts";
import type { Storage } from "../storage/index.ts";
import { createUploads } from "./upload.ts";
import { ownPartsFolder, UnknownStoredFile } from "./vault.ts";
import { compareVault } from "./vault-comparison.ts";
import { createPartsKeeper } from "./vault-keeper.ts";
import { dropOldParts } from "./vault-parts.ts";
import { STORED_FILES_SEALED_COLUMNS } from "./vault-rows.ts";
import { sweepVault } from "./vault-sweep.ts";

const world = vaultWorld();

/** What was left behind is cleared away, whatever a test did. */
afterEach(async () => {
  await world.owner().query("DELETE FROM evidence_files");
  await world.age();
  await world.sweep();
  await dropOldParts(world.db(), world.partsFolder(), -1_000);
  expect({ rows: await world.rows(), objects: await world.objects() }).toEqual({
    rows: [],
    objects: [],
  });
});

const sha256 = (content: Buffer) => createHash("sha256").update(content).digest();

describe("a workspace's files", () => {
  test("are stored once a content, under a key of its own, and opened whole or in part", async () => {
    const vault = world.vaultWith();
    const content = randomBytes(200_000);
    const [a, b] = [await world.newWorkspace(), await world.newWorkspace()];
    const first = await world.keep(a, content, vault);
    expect(first).toMatchObject({ sizeBytes: 200_000, sha256: sha256(content), isKnown: false });
    const again = await world.keep(a, content, vault);
    expect(again).toEqual({ ...first, isKnown: true });
    const others = await world.keep(b, content, vault);
    expect(others).toMatchObject({ isKnown: false });
    expect(await world.objects()).toEqual(
      [`${a}/${first.storedFileId}`, `${b}/${others.storedFileId}`].sort(),
    );
    expect(await world.parts()).toEqual([]);
    expect((await world.content(vault, a, first.storedFileId)).equals(content)).toBe(true);

    const { storedFileId } = first;
    const range = { workspaceId: a, storedFileId, from: 70_000, to: 70_010 };
    const opened = await vault.open(range);
    expect(opened.sizeBytes).toBe(200_000);
    for await (const part of opened.content) {
      expect(part.equals(content.subarray(70_000, 70_010))).toBe(true);
    }
    await expect(vault.open({ ...range, to: 200_001 })).rejects.toThrow(RangeError);
  });

  test("are another workspace's in no way: neither by their id nor by their object", async () => {
    const vault = world.vaultWith();
    const [a, b] = [await world.newWorkspace(), await world.newWorkspace()];
    const ofA = await world.keep(a, randomBytes(1_000), vault);
    const ofB = await world.keep(b, randomBytes(1_000), vault);
    const foreign = { workspaceId: b, storedFileId: ofA.storedFileId };
    await expect(vault.open(foreign)).rejects.toThrow(UnknownStoredFile);
    const sealed = await world.files().read(`${a}/${ofA.storedFileId}`, 0, 10_000);
    await world.files().put(`${b}/${ofB.storedFileId}`, sealed);
    await expect(world.content(vault, b, ofB.storedFileId)).rejects.toThrow("does not open");
  });

  test("that take hours to be sent are not given up meanwhile", async () => {
    const workspaceId = await world.newWorkspace();
    const halves = [randomBytes(70_000), randomBytes(70_000)];
    const silent = "SELECT FROM stored_files WHERE touched_at < now() - interval '1 hour'";
    const uploads = createUploads({ db: world.db(), vault: world.vaultWith(), touchMs: 5 });
    const { content } = await uploads.receive(
      workspaceId,
      (async function* () {
        yield halves[0] ?? Buffer.alloc(0);
        await world.age();
        await waitFor(async () => (await world.db().query(silent)).length === 0, {
          what: "a touch",
        });
        expect(await world.sweep()).toMatchObject({ givenUp: 0 });
        yield halves[1] ?? Buffer.alloc(0);
      })(),
    );
    expect(content.sha256).toEqual(sha256(Buffer.concat(halves)));
  });

  test("open after their keys were wrapped anew", async () => {
    const workspaceId = await world.newWorkspace();
    const content = randomBytes(10);
    const { storedFileId } = await world.keep(workspaceId, content);
    const keys = [{ version: 2, key: randomBytes(32) }, world.firstKey];
    const { rewrapped } = await rewrapSealed(
      world.db(),
      createKeyring(keys),
      STORED_FILES_SEALED_COLUMNS,
    );
    expect(rewrapped).toBe(1);
    const row = "SELECT key_sealed FROM stored_files WHERE id = $1";
    const [sealed] = await world.db().query<{ key_sealed: Buffer }>(row, [storedFileId]);
    const place = { workspaceId, table: "stored_files", column: "key_sealed", row: storedFileId };
    const [newest] = keys;
    const opened = createKeyring(newest === undefined ? [] : [newest]).open(
      sealed?.key_sealed ?? Buffer.alloc(0),
      place,
    );
    expect(opened).toHaveLength(32);
  });

  test("of two that finish the same content at once one stays, and both are told of it", async () => {
    const workspaceId = await world.newWorkspace();
    let waiting = 0;
    let meet: () => void = () => {};
    const both = new Promise<void>((resolve) => {
      meet = resolve;
    });
    // Neither knows of the other's when it puts its own there.
    const storage: Storage = {
      ...world.files(),
      putPart: async (...put) => {
        if (++waiting === 2) meet();
        await both;
        return world.files().putPart(...put);
      },
    };
    const vault = world.vaultWith({ storage });
    const content = randomBytes(100);
    const kept = await Promise.all([1, 2].map(() => world.keep(workspaceId, content, vault)));
    expect(new Set(kept.map(({ storedFileId }) => storedFileId)).size).toBe(1);
    expect(kept.map(({ isKnown }) => isKnown).sort()).toEqual([false, true]);
    expect(await world.objects()).toEqual([`${workspaceId}/${kept[0]?.storedFileId}`]);
    expect(await world.rows()).toEqual([`${workspaceId}/${kept[0]?.storedFileId} stored`]);
  });

  test("that are damaged are mended by the same content, sent again", async () => {
    const workspaceId = await world.newWorkspace();
    const content = randomBytes(300);
    const vault = world.vaultWith();
    const lost = await world.keep(workspaceId, content, vault);
    const { fileId } = await world.refer(workspaceId, lost);
    await world.files().remove(`${workspaceId}/${lost.storedFileId}`);
    const compared = await compareVault({ db: world.db(), storage: world.files() });
    expect(compared).toEqual({ orphans: 0, missing: 1, foreign: 0 });
    const mended = await world.keep(workspaceId, content, vault);
    expect(mended.isKnown).toBe(false);
    const [file] = await world
      .db()
      .query("SELECT stored_file_id FROM evidence_files WHERE id = $1", [fileId]);
    expect(file).toEqual({ stored_file_id: mended.storedFileId });
    await world.age();
    await world.sweep();
    expect(await world.rows()).toEqual([`${workspaceId}/${mended.storedFileId} stored`]);
  });
});

describe("a process that dies", () => {
  const died = new Error("the process died here");
  const die = async (): Promise<never> => {
    throw died;
  };
  const content = randomBytes(150_000);

  /** Each takes something away from a process, which then dies where it would have needed it. */
  const deaths: [string, () => { storage?: Storage; db?: Database }][] = [
    ["before it stores", () => ({ storage: { ...world.files(), putPart: die } })],
    [
      "when it has stored and the row does not say so",
      () => ({
        storage: {
          ...world.files(),
          putPart: async (...put) => {
            await world.files().putPart(...put);
            throw died;
          },
        },
      }),
    ],
    [
      "before the row is committed",
      () => ({ db: { ...world.db(), transaction: die, query: world.db().query } }),
    ],
    [
      "when the row is committed",
      () => ({
        db: {
          ...world.db(),
          transaction: async (work, options) => {
            await world.db().transaction(work, options);
            throw died;
          },
        },
      }),
    ],
  ];

  test.each(deaths)("%s: the next one stores it; nothing else is left", async (_where, without) => {
    const workspaceId = await world.newWorkspace();
    const fileId = randomUUID();
    const dying = world.vaultWith(without());
    const { storedFileId, part } = await dying.begin({ workspaceId, fileId });
    await part.append(content);
    const what = { contentType: null };
    await expect(dying.keep(storedFileId, part, what)).rejects.toThrow(died);
    // As the kernel does for a process that is gone.
    await part.close();

    const vault = world.vaultWith();
    const again = await vault.begin({ workspaceId, fileId });
    await again.part.append(content.subarray(again.part.sizeBytes));
    const kept = await vault.keep(again.storedFileId, again.part, what);
    expect(kept.sha256).toEqual(sha256(content));
    await world.refer(workspaceId, kept);
    await world.age();
    await world.sweep();
    expect(await world.rows()).toEqual([`${workspaceId}/${kept.storedFileId} stored`]);
    expect(await world.objects()).toEqual([`${workspaceId}/${kept.storedFileId}`]);
    expect((await world.content(vault, workspaceId, kept.storedFileId)).equals(content)).toBe(true);
    await dropOldParts(world.db(), world.partsFolder(), -1_000);
    expect(await world.parts()).toEqual([]);
  });

  test.each(deaths)("%s, and no other comes: all of it goes", async (_where, without) => {
    const workspaceId = await world.newWorkspace();
    const dying = world.vaultWith(without());
    const { storedFileId, part } = await dying.begin({ workspaceId, fileId: randomUUID() });
    await part.append(content);
    const kept = dying.keep(storedFileId, part, { contentType: null });
    await expect(kept).rejects.toThrow(died);
    await part.close();
    await world.age();
    await world.sweep();
    expect([await world.rows(), await world.objects()]).toEqual([[], []]);
  });

  test("leaves a part on its machine's disk, which goes by itself once nobody writes it", async () => {
    const workspaceId = await world.newWorkspace();
    const { storedFileId, part } = await world
      .vaultWith()
      .begin({ workspaceId, fileId: randomUUID() });
    await part.append(content);
    await part.close();
    await world.age();
    await world.sweep();
    const own = path.join(ownPartsFolder(world.partsFolder()), storedFileId);
    await utimes(own, 0, 0);
    const { partsFolder, db } = world;
    const parts = { db: db(), partsFolder: partsFolder(), log: silentLogger, everyMs: 5 };
    const keeper = createPartsKeeper(parts);
    keeper.start();
    await waitFor(async () => (await world.parts()).length === 0, { what: "the part to go" });
    await keeper.stop();
  });

  test("whose commit was lost sight of is told what it stored, and does not remove it", async () => {
    const workspaceId = await world.newWorkspace();
    let isCut = true;
    const db: Database = {
      ...world.db(),
      transaction: async (work, options) => {
        const result = await world.db().transaction(work, options);
        if (isCut) throw new Error("Connection terminated");
        return result;
      },
    };
    const vault = world.vaultWith({ db });
    const { storedFileId, part } = await vault.begin({ workspaceId, fileId: randomUUID() });
    await part.append(content);
    const keep = () => vault.keep(storedFileId, part, { contentType: null });
    await expect(keep()).rejects.toThrow("Connection terminated");
    isCut = false;
    expect(await keep()).toMatchObject({ storedFileId, isKnown: false });
    expect((await world.content(vault, workspaceId, storedFileId)).equals(content)).toBe(true);

    isCut = true;
    const other = await vault.begin({ workspaceId, fileId: randomUUID() });
    await other.part.append(Buffer.from("other"));
    const lost = vault.keep(other.storedFileId, other.part, { contentType: null });
    await expect(lost).rejects.toThrow("Connection terminated");
    await vault.abandon(other.storedFileId, other.part);
    expect(String(await world.content(vault, workspaceId, other.storedFileId))).toBe("other");
  });

  test("in the middle of a download goes on where it was; abandoned, nothing stays", async () => {
    const workspaceId = await world.newWorkspace();
    const fileId = randomUUID();
    const begun = await world.vaultWith().begin({ workspaceId, fileId });
    await begun.part.append(content);
    await begun.part.close();
    const vault = world.vaultWith();
    const again = await vault.begin({ workspaceId, fileId });
    expect(again.storedFileId).toBe(begun.storedFileId);
    expect(again.part.sizeBytes).toBeGreaterThanOrEqual(65_536);
    expect(await vault.touch(again.storedFileId)).toBe(true);
    await vault.abandon(again.storedFileId, again.part);
    expect([await world.rows(), await world.parts()]).toEqual([[], []]);
  });

  test("while it deletes: the next sweep removes what it did not", async () => {
    const workspaceId = await world.newWorkspace();
    for (let n = 0; n < 2; n++) await world.keep(workspaceId, randomBytes(10));
    await world.age();
    const remove = async (key: string) => {
      if (key === (await world.objects())[0]) throw died;
      await world.files().remove(key);
    };
    const swept = await sweepVault({ db: world.db(), storage: { ...world.files(), remove } });
    expect(swept).toEqual({ givenUp: 2, removed: 1, failed: 1 });
    expect(await world.rows()).toEqual([`${(await world.objects())[0]} deleting`]);
    // It was removed, and the row does not know.
    await world.files().remove((await world.objects())[0] ?? "");
    expect(await world.sweep()).toEqual({ givenUp: 0, removed: 1, failed: 0 });
    expect(await world.rows()).toEqual([]);
  });

  test("only seemingly, and wakes up when it was given up: it writes nothing", async () => {
    const workspaceId = await world.newWorkspace();
    const vault = world.vaultWith();
    const { storedFileId, part } = await vault.begin({ workspaceId, fileId: randomUUID() });
    await part.append(content);
    await world.age();
    expect(await world.sweep()).toMatchObject({ givenUp: 1, removed: 1 });
    // Its part has no row any more, and is still open.
    expect(await dropOldParts(world.db(), world.partsFolder(), -1_000)).toBe(0);
    expect(await vault.touch(storedFileId)).toBe(false);
    const kept = vault.keep(storedFileId, part, { contentType: null });
    await expect(kept).rejects.toThrow("given up");
    expect([await world.objects(), await world.parts()]).toEqual([[], []]);
  });
});

describe("the store beside its rows", () => {
  test("loses what has no row, once it is old and if the workspace is ours", async () => {
    const workspaceId = await world.newWorkspace();
    const kept = await world.keep(workspaceId, randomBytes(10));
    const bytes = async function* () {
      yield randomBytes(10);
    };
    const orphan = `${workspaceId}/${randomUUID()}`;
    const foreign = `${randomUUID()}/${randomUUID()}`;
    for (const key of [orphan, foreign, "else/where"]) await world.files().put(key, bytes());
    const compare = (olderThanMs?: number) =>
      compareVault({ db: world.db(), storage: world.files(), batchRows: 1, olderThanMs });
    expect(await compare()).toEqual({ orphans: 0, missing: 0, foreign: 0 });
    expect(await compare(-60_000)).toEqual({ orphans: 1, missing: 0, foreign: 1 });
    const own = `${workspaceId}/${kept.storedFileId}`;
    expect((await world.objects()).sort()).toEqual([own, foreign, "else/where"].sort());
    for (const key of [foreign, "else/where"]) await world.files().remove(key);
  });

  test("keeps a file that somebody begins to refer to while it is looked at", async () => {
    const workspaceId = await world.newWorkspace();
    const kept = await world.keep(workspaceId, randomBytes(10));
    await world.age();
    await world.db().transaction(async (tx) => {
      await tx.query("UPDATE stored_files SET touched_at = now() WHERE id = $1", [
        kept.storedFileId,
      ]);
      expect(await world.sweep()).toMatchObject({ givenUp: 0 });
    });
    await world.refer(workspaceId, kept);
    await world.sweep();
    expect(await world.rows()).toEqual([`${workspaceId}/${kept.storedFileId} stored`]);
    // It is not looked at again.
    const loose = "SELECT id FROM stored_files WHERE loose_since IS NOT NULL";
    expect(await world.db().query(loose)).toEqual([]);
    const going = await world.keep(workspaceId, randomBytes(11));
    const giveUp = "UPDATE stored_files SET state = 'deleting' WHERE id = $1";
    await world.db().query(giveUp, [going.storedFileId]);
    await expect(world.refer(workspaceId, going)).rejects.toMatchObject({ code: "HG003" });
  });
});
