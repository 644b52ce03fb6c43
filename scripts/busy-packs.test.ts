import { createHash, randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startAuditSealer, verifyChain } from "../src/audit/index.ts";
import { createWorkspace } from "../src/connectors/index.ts";
import {
  addUpload,
  changeEvidence,
  createEvidence,
  createPacks,
  type Packs,
} from "../src/evidence/index.ts";
import { createKeyring, silentLogger } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "../test/support/database.ts";
import { unzip } from "../test/support/unzip.ts";
import { verifyPack } from "./verify-pack.mjs";

/** Packs of workspaces in which something is done all the time. */
const keyring = createKeyring([{ version: 1, key: randomBytes(32) }]);
/** By the id of the stored file. */
const contents = new Map<string, Buffer>();
const vault = {
  open: async ({ storedFileId }: { storedFileId: string }) => {
    const bytes = contents.get(storedFileId) ?? Buffer.alloc(0);
    const content = (async function* () {
      yield bytes;
    })();
    return { sizeBytes: bytes.length, content };
  },
};
let database: TestDatabase;
let workspaceId = "";
let packs: Packs;
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "busy-pack-"));
  database = await createTestDatabase({ max: 8 });
  packs = createPacks({ db: database.db, keyring, vault });
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

/** Evidence with a file, each in a transaction of its own. Answers its id. */
async function handIn(): Promise<string> {
  const asked = { workspaceId, type: "document", description: "d", status: "requested" } as const;
  const { id } = await database.db.transaction((tx) =>
    createEvidence(tx, { ...asked, createdBy: "key:asker" }),
  );
  const content = randomBytes(100);
  const sha256 = createHash("sha256").update(content).digest();
  const [row] = await database.owner.query<{ id: string }>(
    `INSERT INTO stored_files (workspace_id, state, key_sealed, sha256, size_bytes, stored_at)
     VALUES ($1, 'stored', '\\x00', $2, $3, now()) RETURNING id`,
    [workspaceId, sha256, content.length],
  );
  const storedFileId = row?.id ?? "";
  contents.set(storedFileId, content);
  await database.db.transaction((tx) =>
    addUpload(tx, {
      workspaceId,
      evidenceId: id,
      fileId: randomUUID(),
      submittedBy: "key:sender",
      name: "a.txt",
      claimedType: null,
      content: { storedFileId, contentType: "text/plain", sizeBytes: content.length, sha256 },
      quarantine: null,
    }),
  );
  return id;
}

/** What the pack's own check says of it. */
async function checked(asked: { evidenceId?: string }, name: string) {
  const plan = await packs.plan(workspaceId, asked);
  const to = path.join(folder, name);
  for (const [file, content] of await unzip(await buffer(packs.write(plan)))) {
    await mkdir(path.dirname(path.join(to, file)), { recursive: true });
    await writeFile(path.join(to, file), content);
  }
  return verifyPack(to, undefined);
}

test("a pack holds what was done just now, with its place in the log, whoever seals", async () => {
  workspaceId = (await createWorkspace(database.db, "Quick")).id;
  const evidenceId = await handIn();
  expect(await checked({ evidenceId }, "quick")).toMatchObject({ evidence: 1, files: 1 });
  // What the sealer finds afterwards is one chain still.
  await handIn();
  const sealer = startAuditSealer({ db: database.db, keyring, log: silentLogger, tickMs: 0 });
  await sealer.runOnce();
  await sealer.stop();
  const verdict = await verifyChain(database.db, keyring, workspaceId);
  expect(verdict).toMatchObject({ fault: null, waiting: 0 });
  expect(await checked({}, "both")).toMatchObject({ evidence: 2, files: 2 });
});

test("while evidence is handed in and sealed all the time, rows and log are of one moment", async () => {
  workspaceId = (await createWorkspace(database.db, "Busy")).id;
  await handIn();
  const sealer = startAuditSealer({ db: database.db, keyring, log: silentLogger, tickMs: 5 });
  let isOver = false;
  const handingIn = [1, 2, 3].map(async () => {
    while (!isOver) {
      const evidenceId = await handIn();
      for (let n = 0; n < 20 && !isOver; n++) {
        const change = { description: `change ${n}` };
        await database.db.transaction((tx) =>
          changeEvidence(tx, { workspaceId, evidenceId }, change),
        );
      }
    }
  });
  const counts: number[] = [];
  try {
    for (let n = 0; n < 5; n++) counts.push((await checked({}, `busy-${n}`)).evidence);
  } finally {
    isOver = true;
    await Promise.all(handingIn);
    await sealer.stop();
  }
  expect(counts.at(-1)).toBeGreaterThan(counts[0] ?? Number.POSITIVE_INFINITY);
});

test("who is at the log for long is not waited for", async () => {
  workspaceId = (await createWorkspace(database.db, "Held")).id;
  const evidenceId = await handIn();
  const impatient = createPacks({ db: database.db, keyring, vault, sealWithinMs: 50 });
  await packs.plan(workspaceId, { evidenceId });
  await database.owner.transaction(async (tx) => {
    await tx.query("SELECT FROM audit_heads WHERE workspace_id = $1 FOR UPDATE", [workspaceId]);
    const refused = impatient.plan(workspaceId, { evidenceId });
    await expect(refused).rejects.toMatchObject({ name: "PackRefused", fault: "unsealed" });
  });
  await expect(impatient.plan(workspaceId, { evidenceId })).resolves.toMatchObject({ count: 1 });
});
