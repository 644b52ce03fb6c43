import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { loadEmbeddedSecrets } from "./embedded-secrets.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heliograph-secrets-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const modeOf = async (name: string) => (await stat(path.join(folder, name))).mode & 0o777;

describe("loadEmbeddedSecrets", () => {
  test("makes them once, new the first time only, readable by their owner only", async () => {
    const first = await loadEmbeddedSecrets(folder);
    expect(first.adminTokenIsNew).toBe(true);
    expect(first.encryptionKeys).toHaveLength(1);
    expect(first.encryptionKeys[0]?.key).toHaveLength(32);
    expect(await loadEmbeddedSecrets(folder)).toEqual({ ...first, adminTokenIsNew: false });
    expect((await readdir(folder)).sort()).toEqual(["admin-token", "encryption-keys"]);
    for (const name of await readdir(folder)) expect(await modeOf(name)).toBe(0o600);
  });

  test("shuts a file that somebody has opened to others", async () => {
    await loadEmbeddedSecrets(folder);
    await chmod(path.join(folder, "encryption-keys"), 0o644);
    await loadEmbeddedSecrets(folder);
    expect(await modeOf("encryption-keys")).toBe(0o600);
  });

  test("never makes a key over one that it cannot read, and does not show it", async () => {
    await writeFile(path.join(folder, "encryption-keys"), "v1:hunter2\n");
    await expect(loadEmbeddedSecrets(folder)).rejects.toThrow(
      /encryption-keys has a key v1 that is not/,
    );
    await expect(loadEmbeddedSecrets(folder)).rejects.not.toThrow(/hunter2/);
    await writeFile(path.join(folder, "encryption-keys"), "");
    await expect(loadEmbeddedSecrets(folder)).rejects.toThrow(/restore it/);
  });

  test("an interrupted first time leaves nothing that stands in the way", async () => {
    await writeFile(path.join(folder, "encryption-keys.half-made"), "v1:AA");
    expect((await loadEmbeddedSecrets(folder)).encryptionKeys).toHaveLength(1);
  });
});
