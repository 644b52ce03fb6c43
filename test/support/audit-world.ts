import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "@jest/globals";
import {
  type AuditSealer,
  type NewAuditEntry,
  recordAudit,
  startAuditSealer,
  verifyChain,
} from "../../src/audit/index.ts";
import { createKeyring, type Database, silentLogger } from "../../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";

/**
 * A database with a sealer that seals when it is told to; made before a file's tests, dropped after
 * them. Each test begins a chain of its own.
 */
export function auditWorld() {
  const firstKey = { version: 1, key: randomBytes(32) };
  const keyring = createKeyring([firstKey]);
  let database: TestDatabase | undefined;
  let sealer: AuditSealer | undefined;
  let workspaceId = "";

  beforeAll(async () => {
    database = await createTestDatabase();
    sealer = startAuditSealer({ db: database.db, keyring, log: silentLogger, tickMs: 0 });
  });
  afterAll(async () => {
    await sealer?.stop();
    await database?.drop();
  });
  const made = <Made>(what: Made | undefined): Made => {
    if (what === undefined) throw new Error("the world is made before the first test");
    return what;
  };
  const db = (): Database => made(database).db;
  const entry = (n: number): NewAuditEntry => ({
    workspaceId,
    action: "message.submitted",
    subjectId: `message-${n}`,
    details: { connectorId: `connector-${n}` },
  });
  return {
    firstKey,
    keyring,
    db,
    /** The owner of the tables. */
    owner: (): Database => made(database).owner,
    sealer: () => made(sealer),
    /** A workspace without entries, which what follows is about. */
    newWorkspace: () => {
      workspaceId = randomUUID();
      return workspaceId;
    },
    entry,
    record: async (...numbers: number[]): Promise<void> => {
      for (const n of numbers) await recordAudit(db(), entry(n));
    },
    verdict: () => verifyChain(db(), keyring, workspaceId),
  };
}
