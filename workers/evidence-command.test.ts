import { randomBytes, randomUUID } from "node:crypto";
import { expect, test } from "@jest/globals";
import { createKeyring, type Keyring } from "../src/platform/index.ts";
import { type Storage, StoredFileRefused } from "../src/storage/index.ts";
import { vaultWorld } from "../test/support/vault-world.ts";
import { evidenceCommand } from "./evidence-command.ts";

const world = vaultWorld();

async function verify(
  args: string[] = [],
  storage: Storage = world.files(),
  { keyring = world.keyring, signal }: { keyring?: Keyring; signal?: AbortSignal } = {},
) {
  const lines: string[] = [];
  const files = {
    storage: async () => storage,
    vault: async () => world.vaultWith(),
    keeper: () => Promise.reject(new Error("not asked for")),
    partsKeeper: () => {
      throw new Error("not asked for");
    },
    close: () => {},
  };
  const system = { db: world.db(), keyring, files };
  const print = (line: string) => void lines.push(line);
  const code = await evidenceCommand(system, ["verify", ...args], { print, signal });
  return { code, lines };
}

async function bytes(key: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const size = (await world.files().sizeBytes(key)) ?? 0;
  for await (const part of await world.files().read(key, 0, size)) parts.push(part);
  return Buffer.concat(parts);
}

async function put(key: string, content: Buffer): Promise<void> {
  await world.files().put(
    key,
    (async function* () {
      yield content;
    })(),
  );
}

test("names what is not as it was stored, and finds it well again once it is back", async () => {
  const workspaceId = await world.newWorkspace();
  const other = await world.newWorkspace();
  const kept = [];
  for (let n = 0; n < 4; n++) kept.push(await world.keep(workspaceId, randomBytes(70_000)));
  const [lost, altered, swapped, sound] = kept.map(
    ({ storedFileId }) => `${workspaceId}/${storedFileId}`,
  );
  if (!lost || !altered || !swapped || !sound) throw new Error("four files");
  const ofOther = await world.keep(other, randomBytes(10));
  // Under way: that its object is not there yet is no damage.
  const vault = world.vaultWith();
  const begun = await vault.begin({ workspaceId, fileId: workspaceId });
  expect(await verify()).toEqual({
    code: 0,
    lines: ["5 files are as they were stored, 0 are not"],
  });

  const [first] = kept;
  if (first === undefined) throw new Error("four files");
  const { number } = await world.refer(workspaceId, first);
  const were = { [lost]: await bytes(lost), [altered]: await bytes(altered) };
  await world.files().remove(lost);
  const changed = Buffer.from(were[altered] ?? "");
  changed.writeUInt8(changed.readUInt8(69_000) ^ 1, 69_000);
  await put(altered, changed);
  await put(swapped, await bytes(sound));
  const { code, lines } = await verify();
  expect(code).toBe(1);
  expect(lines.slice(0, -1).sort()).toEqual(
    [
      `MISSING   ${lost}  EV-${number}`,
      `ALTERED   ${altered}  no evidence`,
      `ALTERED   ${swapped}  no evidence`,
    ].sort(),
  );
  expect(lines.at(-1)).toBe("2 files are as they were stored, 3 are not");
  const damage = `SELECT damage, count(*)::int AS n FROM stored_files
    WHERE verified_at IS NOT NULL GROUP BY 1 ORDER BY 1 NULLS LAST`;
  expect(await world.db().query(damage)).toEqual([
    { damage: "altered", n: 2 },
    { damage: "missing", n: 1 },
    { damage: null, n: 2 },
  ]);

  expect(await verify(["--workspace", other])).toMatchObject({ code: 0 });
  expect((await verify(["--older-than", "1"])).lines.at(-1)).toBe(
    "0 files are as they were stored, 3 are not",
  );
  for (const [key, content] of Object.entries(were)) await put(key, content);
  expect((await verify()).lines.at(-1)).toBe("4 files are as they were stored, 1 are not");

  // Deleted while it is read.
  const going: Storage = {
    ...world.files(),
    sizeBytes: async (key) => {
      const id = key.split("/")[1];
      await world.db().query("UPDATE stored_files SET state = 'deleting' WHERE id = $1", [id]);
      return null;
    },
  };
  expect(await verify(["--workspace", other], going)).toMatchObject({ code: 0 });
  expect(ofOther.isKnown).toBe(false);
  await begun.part.close();
});

test("a store that does not answer is no damage; what cannot be meant is told in words", async () => {
  const workspaceId = await world.newWorkspace();
  await world.keep(workspaceId, randomBytes(10));
  const away: Storage = {
    ...world.files(),
    sizeBytes: () => Promise.reject(new Error("connect ECONNREFUSED")),
  };
  await expect(verify([], away)).rejects.toThrow("ECONNREFUSED");
  expect(await verify(["--workspace", workspaceId])).toMatchObject({ code: 0 });
  await expect(verify(["--older-than", "a week"])).rejects.toThrow("number of days");
  await expect(verify(["--workspace", "x"])).rejects.toThrow("named by its id");
  // Mistyped, it would be found well.
  const nobody = randomUUID();
  await expect(verify(["--workspace", nobody])).rejects.toThrow(`there is no workspace ${nobody}`);
});

test("what cannot be read is no damage, is told why, and keeps nobody from the next", async () => {
  const workspaceId = await world.newWorkspace();
  const [locked, sound] = [
    await world.keep(workspaceId, randomBytes(10)),
    await world.keep(workspaceId, randomBytes(11)),
  ];
  const refusing: Storage = {
    ...world.files(),
    read: async (key, from, to) => {
      if (key.endsWith(locked.storedFileId)) throw new StoredFileRefused(key, "EACCES");
      return world.files().read(key, from, to);
    },
  };
  const only = ["--workspace", workspaceId];
  expect(await verify(only, refusing)).toEqual({
    code: 1,
    lines: [
      `REFUSED   ${workspaceId}/${locked.storedFileId}  no evidence  EACCES`,
      "1 files are as they were stored, 0 are not, 1 could not be read",
    ],
  });
  const keyring = createKeyring([{ version: 7, key: randomBytes(32) }]);
  const { code, lines } = await verify(only, world.files(), { keyring });
  expect(code).toBe(1);
  expect(lines.slice(0, -1).sort()).toEqual(
    [locked, sound]
      .map(
        ({ storedFileId }) =>
          `NO KEY    ${workspaceId}/${storedFileId}  no evidence  sealed with key v1, which is not in ENCRYPTION_KEYS`,
      )
      .sort(),
  );
  const damaged = "SELECT FROM stored_files WHERE workspace_id = $1 AND damage IS NOT NULL";
  expect(await world.db().query(damaged, [workspaceId])).toEqual([]);
});

test("interrupted, it ends in the middle of a file, and goes on from there the next time", async () => {
  const workspaceId = await world.newWorkspace();
  for (let n = 0; n < 4; n++) await world.keep(workspaceId, randomBytes(200_000));
  const only = ["--workspace", workspaceId];
  const stop = new AbortController();
  const read: string[] = [];
  const watched = (stopAt: number): Storage => ({
    ...world.files(),
    read: async (key, from, to) => {
      read.push(key);
      const content = await world.files().read(key, from, to);
      if (read.length === stopAt) stop.abort(new Error("interrupted"));
      return content;
    },
  });
  expect(await verify(only, watched(3), { signal: stop.signal })).toEqual({
    code: 130,
    lines: [
      "interrupted: so far 2 files are as they were stored, 0 are not; with --older-than 1 it goes on",
    ],
  });
  expect(read).toHaveLength(3);
  const [half] = read.splice(0).slice(-1);
  expect(await verify([...only, "--older-than", "1"], watched(0))).toMatchObject({ code: 0 });
  expect(read).toHaveLength(2);
  expect(read).toContain(half);
});
