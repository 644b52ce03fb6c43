import { createHash, randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll } from "@jest/globals";
import { startAuditSealer } from "../../src/audit/index.ts";
import { createWorkspace } from "../../src/connectors/index.ts";
import {
  addUpload,
  createEvidence,
  createPacks,
  decide,
  type PackPlan,
  type Packs,
  submitForReview,
} from "../../src/evidence/index.ts";
import { createKeyring, silentLogger } from "../../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";
import { unzip } from "./unzip.ts";

/**
 * A workspace with an approved piece of evidence, whose names are hostile, a draft, and one for which
 * nothing was handed in yet; made before a file's tests and dropped after them.
 */
export function packWorld() {
  const keyring = createKeyring([{ version: 1, key: randomBytes(32) }]);
  /** Of files, by the id of what is stored. */
  const contents = new Map<string, Buffer>();
  let made: { database: TestDatabase; packs: Packs } | undefined;
  let workspaceId = "";
  let approvedId = "";

  const world = () => {
    if (made === undefined) throw new Error("the world is made before the first test");
    return made;
  };

  /** What was done is in the log's chain. */
  async function seal(): Promise<void> {
    const { db } = world().database;
    const sealing = startAuditSealer({ db, keyring, log: silentLogger, tickMs: 0 });
    await sealing.runOnce();
    await sealing.stop();
  }

  /** One file of evidence, stored. */
  async function upload(evidenceId: string, name: string, content: Buffer): Promise<void> {
    const { database } = world();
    const sha256 = createHash("sha256").update(content).digest();
    const [row] = await database.owner.query<{ id: string }>(
      `INSERT INTO stored_files (workspace_id, state, key_sealed, sha256, size_bytes, stored_at)
       VALUES ($1, 'stored', '\\x00', $2, $3, now()) RETURNING id`,
      [workspaceId, sha256, content.length],
    );
    const storedFileId = row?.id ?? "";
    contents.set(storedFileId, content);
    const file = { storedFileId, contentType: "text/plain", sizeBytes: content.length, sha256 };
    await database.db.transaction((tx) =>
      addUpload(tx, {
        workspaceId,
        evidenceId,
        fileId: crypto.randomUUID(),
        submittedBy: "key:sender",
        name,
        claimedType: null,
        content: file,
        quarantine: null,
      }),
    );
  }

  async function begin(description: string): Promise<string> {
    const evidence = { workspaceId, type: "document", description, status: "requested" } as const;
    const { db } = world().database;
    return (await createEvidence(db, { ...evidence, createdBy: "key:asker" })).id;
  }

  async function open({ storedFileId }: { storedFileId: string }) {
    const content = contents.get(storedFileId) ?? Buffer.alloc(0);
    const pieces = async function* () {
      for (let at = 0; at < content.length; at += 1_000) yield content.subarray(at, at + 1_000);
    };
    return { sizeBytes: content.length, content: pieces() };
  }

  beforeAll(async () => {
    const database = await createTestDatabase();
    made = { database, packs: createPacks({ db: database.db, keyring, vault: { open } }) };
    workspaceId = (await createWorkspace(database.db, "Ours")).id;
    approvedId = await begin("The signed form");
    await upload(approvedId, "../..\\Prüfung\u202E 1.pdf", randomBytes(5_000));
    await upload(approvedId, "con", Buffer.from("x"));
    const key = { workspaceId, evidenceId: approvedId };
    await submitForReview(database.db, { ...key, by: "key:asker" });
    const said = { revision: 1, decision: "approved", by: "key:reviewer" } as const;
    await database.db.transaction((tx) => decide(tx, { ...key, ...said }));
    await upload(approvedId, "later.txt", Buffer.from("the next revision"));
    await upload(await begin("A draft"), "draft.txt", Buffer.from("a draft"));
    await begin("Nothing yet");
    await seal();
  });
  afterAll(() => made?.database.drop());

  return {
    keyring,
    contents,
    seal,
    begin,
    db: () => world().database.db,
    packs: () => world().packs,
    workspaceId: () => workspaceId,
    approvedId: () => approvedId,
    pack: async (asked: { evidenceId?: string }): Promise<{ plan: PackPlan; zip: Buffer }> => {
      const plan = await world().packs.plan(workspaceId, asked);
      return { plan, zip: await buffer(world().packs.write(plan)) };
    },
    /** Answers the names of its files, in their order. */
    unpack: async (zip: Buffer, to: string): Promise<string[]> => {
      const files = await unzip(zip);
      for (const [name, content] of files) {
        await mkdir(path.dirname(path.join(to, name)), { recursive: true });
        await writeFile(path.join(to, name), content);
      }
      return [...files.keys()];
    },
  };
}
