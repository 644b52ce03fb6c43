import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll } from "@jest/globals";
import { createVault, type Kept, type Vault } from "../../src/evidence/index.ts";
import { sweepVault } from "../../src/evidence/vault-sweep.ts";
import { createKeyring, type Database, type Keyring } from "../../src/platform/index.ts";
import { openStorage, type Storage } from "../../src/storage/index.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";

export interface VaultParts {
  db: Database;
  storage: Storage;
  keyring: Keyring;
}

/** A database, a folder and a vault on both, made before a file's tests and dropped after them. */
export function vaultWorld() {
  const firstKey = { version: 1, key: randomBytes(32) };
  const keyring = createKeyring([firstKey]);
  let database: TestDatabase | undefined;
  let storage: Storage | undefined;
  let folder = "";

  beforeAll(async () => {
    database = await createTestDatabase();
    folder = await mkdtemp(path.join(tmpdir(), "heliograph-vault-"));
    storage = await openStorage({ kind: "local", folder: path.join(folder, "files") });
  });
  afterAll(async () => {
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });
  const made = <Made>(what: Made | undefined): Made => {
    if (what === undefined) throw new Error("the world is made before the first test");
    return what;
  };
  const db = () => made(database).db;
  const owner = () => made(database).owner;
  const files = () => made(storage);
  const partsFolder = () => path.join(folder, "parts");

  /** As another process has it; with parts of it that fail, where a test wants that. */
  const vaultWith = (parts: Partial<VaultParts> = {}): Vault =>
    createVault({ db: db(), storage: files(), keyring, partsFolder: partsFolder(), ...parts });

  async function newWorkspace(): Promise<string> {
    const id = randomUUID();
    await owner().query("INSERT INTO workspaces (id, name) VALUES ($1, 'W')", [id]);
    return id;
  }

  async function keep(workspaceId: string, content: Buffer, vault = vaultWith()): Promise<Kept> {
    const { storedFileId, part } = await vault.begin({ workspaceId, fileId: randomUUID() });
    await part.append(content);
    return vault.keep(storedFileId, part, { contentType: "application/pdf" });
  }

  /** Evidence with a file that refers to what is stored. */
  async function refer(workspaceId: string, { storedFileId, sha256, sizeBytes }: Kept) {
    const [evidence] = await db().query<{ id: string; number: string }>(
      `INSERT INTO evidence (workspace_id, status, created_by, revision)
       VALUES ($1, 'in_review', 'person:a', 1) RETURNING id, number`,
      [workspaceId],
    );
    const { id: evidenceId = "", number = "" } = evidence ?? {};
    const params = [workspaceId, evidenceId];
    await db().query(
      `INSERT INTO evidence_revisions (workspace_id, evidence_id, number, submitted_by)
       VALUES ($1, $2, 1, 'person:a')`,
      params,
    );
    const fileId = randomUUID();
    await db().query(
      `INSERT INTO evidence_files (workspace_id, evidence_id, id, revision, state, name, kind,
         stored_file_id, sha256, size_bytes)
       VALUES ($1, $2, $3, 1, 'stored', 'a.pdf', 'document', $4, $5, $6)`,
      [...params, fileId, storedFileId, sha256, sizeBytes],
    );
    return { evidenceId, number, fileId };
  }

  async function objects(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of files().list("")) keys.push(key);
    return keys;
  }

  const rows = async () =>
    (
      await db().query<{ row: string }>(
        `SELECT workspace_id || '/' || id || ' ' || state AS row FROM stored_files ORDER BY 1`,
      )
    ).map(({ row }) => row);

  return {
    firstKey,
    keyring,
    db,
    owner,
    files,
    partsFolder,
    vaultWith,
    newWorkspace,
    keep,
    refer,
    objects,
    /** Keys and states. */
    rows,
    /** Parts on disk. */
    parts: async (): Promise<string[]> => {
      const machines = await readdir(partsFolder()).catch(() => []);
      const names = machines.map((name) => readdir(path.join(partsFolder(), name)));
      return (await Promise.all(names)).flat();
    },
    /** Two hours pass: whoever was at work is taken for dead. */
    age: async (): Promise<void> => {
      await owner().query(
        `UPDATE stored_files SET touched_at = touched_at - interval '2 hours',
           loose_since = loose_since - interval '2 hours'`,
      );
    },
    sweep: () => sweepVault({ db: db(), storage: files() }),
    content: async (vault: Vault, workspaceId: string, storedFileId: string): Promise<Buffer> => {
      const { content } = await vault.open({ workspaceId, storedFileId });
      const parts: Buffer[] = [];
      for await (const part of content) parts.push(part);
      return Buffer.concat(parts);
    },
  };
}
