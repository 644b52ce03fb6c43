import { randomBytes, randomUUID } from "node:crypto";
import { beforeEach, describe, expect, test } from "@jest/globals";
import { migrations } from "../../migrations/index.ts";
import { auditWorld } from "../../test/support/audit-world.ts";
import { adminQuery, createEmptyDatabase, withDatabase } from "../../test/support/database.ts";
import {
  ENGINE_ROLE,
  migrate,
  openDatabase,
  silentLogger,
  TENANT_ROLE,
} from "../platform/index.ts";
import {
  actAs,
  listEntries,
  type NewAuditEntry,
  recordAudit,
  startAuditSealer,
  verifyChain,
} from "./index.ts";

const world = auditWorld();
const { keyring, db, entry, record, verdict } = world;

let workspaceId = "";
beforeEach(() => {
  workspaceId = world.newWorkspace();
});

describe("recording", () => {
  test("an entry says who, what and in which request; a process acts by its own name", async () => {
    const requestId = randomUUID();
    await actAs({ kind: "api_key", id: "key-1" }, requestId, () => record(1));
    await record(2);
    const [second, first] = await listEntries(db(), { workspaceId }, { limit: 10 });
    expect(first).toMatchObject({
      workspaceId,
      actorKind: "api_key",
      actorId: "key-1",
      action: "message.submitted",
      subjectKind: "message",
      subjectId: "message-1",
      details: { connectorId: "connector-1" },
      requestId,
      number: null,
    });
    expect(second).toMatchObject({
      actorKind: "system",
      actorId: "heliograph-test",
      requestId: null,
    });
  });

  test("a rollback leaves none, neither in the log nor waiting for the chain", async () => {
    const work = db().transaction(async (tx) => {
      await recordAudit(tx, entry(1));
      throw new Error("no");
    });
    await expect(work).rejects.toThrow("no");
    expect(await listEntries(db(), { workspaceId }, { limit: 10 })).toEqual([]);
    expect(await verdict()).toMatchObject({ waiting: 0, fault: null });
  });

  test("what an action does not know is refused, whatever the types were told", async () => {
    const strange = { ...entry(1), details: { text: "hello" } } as unknown as NewAuditEntry;
    await expect(recordAudit(db(), strange)).rejects.toThrow("says nothing called text");
  });
});

describe("append-only", () => {
  test.each(["audit_entries", "audit_seals"])("%s refuses all that is no INSERT", async (table) => {
    await record(1);
    await world.sealer().runOnce();
    const column = table === "audit_entries" ? "actor_id = 'me'" : "number = number + 1";
    for (const sql of [
      `UPDATE ${table} SET ${column}`,
      `UPDATE ${table} SET ${column} WHERE false`,
      `DELETE FROM ${table}`,
      `TRUNCATE ${table}`,
    ]) {
      // The engine has no right to, and whoever has every right is told by the trigger.
      await expect(db().query(sql)).rejects.toThrow("permission denied");
      await expect(world.owner().query(sql)).rejects.toThrow("is append-only");
    }
    const rights = await db().query(
      `SELECT grantee::regrole, privilege_type FROM pg_class, aclexplode(relacl)
       WHERE relname = $1 AND privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')`,
      [table],
    );
    expect(rights).toEqual([]);
  });

  test("nor are the triggers passed by a session that calls itself a replica", async () => {
    await record(1);
    const replica = world.owner().transaction(async (tx) => {
      await tx.query("SET LOCAL session_replication_role = replica");
      await tx.query("DELETE FROM audit_entries");
    });
    await expect(replica).rejects.toThrow("is append-only");
  });
});

test("an owner that is no superuser migrates, writes and seals, and has no right to change", async () => {
  const empty = await createEmptyDatabase({ max: 2 });
  const role = `owner_${randomBytes(4).toString("hex")}`;
  const password = randomBytes(8).toString("hex");
  await empty.db.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
  try {
    await empty.db.query(`ALTER SCHEMA public OWNER TO ${role}`);
    await empty.db.query(`GRANT ${ENGINE_ROLE}, ${TENANT_ROLE} TO ${role}`);
    await empty.db.query(
      `GRANT CREATE ON DATABASE "${new URL(empty.url).pathname.slice(1)}" TO ${role}`,
    );
    const url = new URL(empty.url);
    url.username = role;
    url.password = password;
    await migrate(url.toString(), migrations);
    const own = openDatabase({ url: url.toString(), max: 2 });
    await recordAudit(own, entry(1), entry(2));
    for (const sql of [
      "UPDATE audit_entries SET actor_id = 'x'",
      "DELETE FROM audit_seals",
      "TRUNCATE audit_entries",
    ]) {
      await expect(own.query(sql)).rejects.toThrow("permission denied");
    }
    const ofOwner = startAuditSealer({ db: own, keyring, log: silentLogger, tickMs: 0 });
    expect(await ofOwner.runOnce()).toBe(2);
    await ofOwner.stop();
    expect(await verifyChain(own, keyring, workspaceId)).toMatchObject({
      verified: 2,
      fault: null,
    });
    await own.close();
  } finally {
    const { url } = empty;
    await empty.drop();
    await adminQuery(withDatabase(url, "postgres"), `DROP ROLE ${role}`);
  }
});
