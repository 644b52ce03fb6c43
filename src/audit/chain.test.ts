import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, test } from "@jest/globals";
import { auditWorld } from "../../test/support/audit-world.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createKeyring, type Keyring, silentLogger } from "../platform/index.ts";
import {
  exportChain,
  INSTALLATION,
  listEntries,
  recordAudit,
  startAuditSealer,
  verifyChain,
  verifyChains,
} from "./index.ts";

const world = auditWorld();
const { keyring, db, entry, record, verdict } = world;

let workspaceId = "";
beforeEach(() => {
  workspaceId = world.newWorkspace();
});

/** As somebody would who may do anything to the tables, but has no key. */
async function tamper(sql: string, params: unknown[] = [workspaceId]): Promise<void> {
  const table = /audit_\w+/.exec(sql)?.[0];
  await world.owner().query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
  try {
    await world.owner().query(sql, params);
  } finally {
    await world
      .owner()
      .query(`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER audit_is_append_only`)
      .catch(() => {});
    if (table === "audit_entries") {
      await world.owner().query(`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER audit_entry_waits`);
    }
  }
}

describe("the chain", () => {
  test("numbers what is there without a gap, each with the hash of the one before", async () => {
    await record(1, 2, 3);
    expect(await verdict()).toMatchObject({ verified: 0, waiting: 3, fault: null });
    await world.sealer().runOnce();
    const listed = await listEntries(db(), { workspaceId }, { limit: 10 });
    expect(listed.map(({ number }) => number)).toEqual([3, 2, 1]);
    expect(listed[0]?.previous).toBe(listed[1]?.hash);
    expect(listed[2]?.previous).toBe("0".repeat(64));
    expect(await verdict()).toEqual({
      workspaceId,
      verified: 3,
      waiting: 0,
      fault: null,
      head: { count: 3, hash: listed[0]?.hash },
    });
  });

  test("an entry that commits after later ones goes behind them", async () => {
    const client = await db().connect();
    await client.query("BEGIN");
    const query = async <Row extends object>(sql: string, params: readonly unknown[] = []) =>
      (await client.query(sql, [...params])).rows as Row[];
    await recordAudit({ query }, entry(1));
    await record(2);
    await world.sealer().runOnce();
    await client.query("COMMIT");
    await client.end();
    await record(3);
    await world.sealer().runOnce();
    const listed = await listEntries(db(), { workspaceId }, { limit: 10 });
    const byNumber = [...listed].sort((a, b) => (a.number ?? 0) - (b.number ?? 0));
    expect(byNumber.map(({ subjectId }) => subjectId)).toEqual([
      "message-2",
      "message-1",
      "message-3",
    ]);
    expect(await verdict()).toMatchObject({ verified: 3, waiting: 0, fault: null });
  });

  test("two sealers at once, over several batches: each entry once, one chain", async () => {
    const numbers = Array.from({ length: 1_200 }, (_, n) => n);
    await record(0);
    await world.sealer().runOnce();
    await recordAudit(db(), ...numbers.map(entry));
    const faults: unknown[] = [];
    const log = { ...silentLogger, error: (fields: object) => void faults.push(fields) };
    const sealers = [1, 2, 3].map(() => startAuditSealer({ db: db(), keyring, log, tickMs: 0 }));
    const sealed = await Promise.all(sealers.map((one) => one.runOnce()));
    await Promise.all(sealers.map((one) => one.stop()));
    expect(sealed.reduce((sum, count) => sum + count, 0)).toBe(1_200);
    // None of them came into another's way: the seals' own key would refuse the second.
    expect(faults).toEqual([]);
    expect(await verdict()).toMatchObject({ verified: 1_201, waiting: 0, fault: null });
  });

  test("is made by itself, a moment after the commit, whoever's turn it is", async () => {
    const options = { db: db(), keyring, log: silentLogger, tickMs: 20 };
    const sealers = [startAuditSealer(options), startAuditSealer(options)];
    await record(1, 2);
    await waitFor(async () => (await verdict()).verified === 2, { what: "the seals" });
    await Promise.all(sealers.map((one) => one.stop()));
    expect(await verdict()).toMatchObject({ verified: 2, waiting: 0, fault: null });
  });

  test("a sealer that is cut off leaves all waiting, and the next one seals it", async () => {
    await record(1, 2);
    await world
      .owner()
      .query(
        `ALTER TABLE audit_heads ADD CONSTRAINT cut CHECK (head_sealed IS NULL OR workspace_id <> '${workspaceId}')`,
      );
    expect(await world.sealer().runOnce()).toBe(0);
    expect(await verdict()).toMatchObject({ verified: 0, waiting: 2, fault: null });
    await world.owner().query("ALTER TABLE audit_heads DROP CONSTRAINT cut");
    expect(await world.sealer().runOnce()).toBe(2);
    expect(await verdict()).toMatchObject({ verified: 2, waiting: 0, fault: null });
  });
});

describe("tampering is found, and where", () => {
  beforeEach(async () => {
    await record(1, 2, 3, 4);
    await world.sealer().runOnce();
  });

  const thirdIs = "(SELECT entry_id FROM audit_seals s WHERE s.workspace_id = $1 AND s.number = 3)";

  const CHANGES: Record<string, string> = {
    workspace_id: "gen_random_uuid()",
    id: "id + 1000000",
    at: "at + interval '1 microsecond'",
    actor_kind: "'admin'",
    actor_id: "actor_id || 'x'",
    action: "'key.revoked'",
    subject_kind: "'job'",
    subject_id: "NULL",
    details: `'{"connectorId": "connector-30"}'`,
    request_id: "gen_random_uuid()",
  };

  test("there is a change for every column", async () => {
    const columns = await db().query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute
       WHERE attrelid = 'audit_entries'::regclass AND attnum > 0 AND NOT attisdropped`,
    );
    expect(columns.map(({ name }) => name).sort()).toEqual(Object.keys(CHANGES).sort());
  });

  test.each(Object.entries(CHANGES))("column %s of an entry", async (column, value) => {
    if (column === "id") {
      await tamper(
        `WITH gone AS (DELETE FROM audit_entries WHERE workspace_id = $1 AND id = ${thirdIs} RETURNING *)
         INSERT INTO audit_entries OVERRIDING SYSTEM VALUE
         SELECT workspace_id, id + 1000000, at, actor_kind, actor_id, action, subject_kind, subject_id,
           details, request_id FROM gone`,
      );
    } else {
      await tamper(
        `UPDATE audit_entries SET ${column} = ${value} WHERE workspace_id = $1 AND id = ${thirdIs}`,
      );
    }
    expect(await verdict()).toMatchObject({ verified: 2, fault: { number: 3 } });
  });

  test.each([
    ["number", "number = 30"],
    ["entry_id", "entry_id = entry_id + 1000000"],
    ["hash", "hash = sha256(hash)"],
    ["workspace_id", "workspace_id = gen_random_uuid()"],
  ])("column %s of a seal", async (_, change) => {
    await tamper(`UPDATE audit_seals SET ${change} WHERE workspace_id = $1 AND number = 3`);
    expect(await verdict()).toMatchObject({ verified: 2, fault: { number: 3 } });
  });

  test("an entry deleted in the middle, with its seal or without", async () => {
    await tamper(`DELETE FROM audit_entries WHERE workspace_id = $1 AND id = ${thirdIs}`);
    expect((await verdict()).fault?.what).toBe("entry 3 was deleted");
    await tamper("DELETE FROM audit_seals WHERE workspace_id = $1 AND number = 3");
    expect((await verdict()).fault?.what).toBe("entry 3 is missing from the chain");
  });

  test("the end cut off, with its seals: the head knows better, and so do later entries", async () => {
    await tamper(`DELETE FROM audit_entries WHERE workspace_id = $1 AND id >= ${thirdIs}`);
    await tamper("DELETE FROM audit_seals WHERE workspace_id = $1 AND number >= 3");
    const what = "entries 3 to 4 are missing at the end of the chain";
    expect((await verdict()).fault?.what).toBe(what);
    await record(5);
    await world.sealer().runOnce();
    expect((await verdict()).fault?.what).toBe("entry 3 is missing from the chain");
  });

  test("the head cannot be written by who has no key, and a chain without one is not begun again", async () => {
    await db().query(
      `UPDATE audit_heads SET head_sealed = set_byte(head_sealed, 99, 255 - get_byte(head_sealed, 99))
       WHERE workspace_id = $1`,
      [workspaceId],
    );
    expect((await verdict()).fault?.what).toMatch(/^the head: .*does not open/);
    await record(5);
    expect(await world.sealer().runOnce()).toBe(0);
    await db().query("DELETE FROM audit_heads WHERE workspace_id = $1", [workspaceId]);
    expect((await verdict()).fault?.what).toBe("entry 1 is beyond the chain's head");
    expect(await world.sealer().runOnce()).toBe(0);
    await db().query("DELETE FROM audit_unsealed WHERE workspace_id = $1", [workspaceId]);
  });

  test("another chain's head does not stand for this one", async () => {
    await db().query(
      `UPDATE audit_heads h SET head_sealed = o.head_sealed FROM audit_heads o
       WHERE h.workspace_id = $1 AND o.workspace_id <> $1`,
      [workspaceId],
    );
    expect((await verdict()).fault?.what).toMatch(/^the head: /);
  });

  test("an older head put back with its end: told by a head that was noted elsewhere", async () => {
    const noted = (await verdict()).head ?? undefined;
    const [old] = await db().query<{ head: Buffer }>(
      "SELECT head_sealed AS head FROM audit_heads WHERE workspace_id = $1",
      [workspaceId],
    );
    await record(5);
    await world.sealer().runOnce();
    const later = (await verdict()).head ?? undefined;
    await tamper("DELETE FROM audit_entries WHERE workspace_id = $1 AND subject_id = 'message-5'");
    await tamper("DELETE FROM audit_seals WHERE workspace_id = $1 AND number = 5");
    await db().query("UPDATE audit_heads SET head_sealed = $2 WHERE workspace_id = $1", [
      workspaceId,
      old?.head,
    ]);
    expect(await verifyChain(db(), keyring, workspaceId, noted)).toMatchObject({ fault: null });
    const found = await verifyChain(db(), keyring, workspaceId, later);
    expect(found.fault?.what).toBe("the chain ends at 4, but had 5 entries before");
  });

  test("an entry kept from the chain, or deleted before it got there", async () => {
    await record(5, 6);
    await db().query(
      `DELETE FROM audit_unsealed WHERE workspace_id = $1 AND entry_id =
        (SELECT id FROM audit_entries WHERE workspace_id = $1 AND subject_id = 'message-6')`,
      [workspaceId],
    );
    expect((await verdict()).fault?.what).toMatch(/is in no chain and does not wait for one$/);
    await tamper(
      "DELETE FROM audit_entries WHERE workspace_id = $1 AND subject_id IN ('message-5', 'message-6')",
    );
    await world.sealer().runOnce();
    expect((await verdict()).fault?.what).toMatch(/was deleted before it was sealed$/);
    await db().query("DELETE FROM audit_unsealed WHERE workspace_id = $1", [workspaceId]);
  });

  test("a whole chain gone: the installation's chain knows of its workspace", async () => {
    await recordAudit(db(), {
      workspaceId: INSTALLATION,
      action: "workspace.created",
      subjectId: workspaceId,
    });
    await world.sealer().runOnce();
    for (const table of ["audit_entries", "audit_seals"]) {
      await tamper(`DELETE FROM ${table} WHERE workspace_id = $1`);
    }
    await db().query("DELETE FROM audit_heads WHERE workspace_id = $1", [workspaceId]);
    const broken: string[] = [];
    for await (const one of verifyChains(db(), keyring, { workspaceId })) {
      if (one.fault !== null) broken.push(one.fault.what);
    }
    expect(broken).toEqual([
      "the chain of a workspace that was created does not hold its beginning",
    ]);
  });
});

test("keys change: a chain in use goes over to the newest; without its key it waits, untouched", async () => {
  await record(1);
  await world.sealer().runOnce();
  const secondKey = { version: 2, key: randomBytes(32) };
  const both = createKeyring([secondKey, world.firstKey]);
  const only = createKeyring([secondKey]);
  const sealWith = async (keys: Keyring) => {
    const one = startAuditSealer({ db: db(), keyring: keys, log: silentLogger, tickMs: 0 });
    await one.runOnce();
    await one.stop();
  };
  await record(2);
  await sealWith(only);
  const missing = (await verifyChain(db(), only, workspaceId)).fault?.what;
  expect(missing).toMatch(/v1, which is not in ENCRYPTION_KEYS/);
  expect(await verdict()).toMatchObject({ verified: 1, waiting: 1, fault: null });
  await sealWith(both);
  expect(await verifyChain(db(), only, workspaceId)).toMatchObject({ verified: 2, fault: null });
});

test("an export holds all of it, and speaks of where the chain ends", async () => {
  await record(1, 2, 3);
  await world.sealer().runOnce();
  const lines: Array<Record<string, unknown>> = [];
  for await (const line of exportChain(db(), keyring, { workspaceId }))
    lines.push(JSON.parse(line));
  expect(lines[0]).toEqual({ format: "heliograph-audit-1", workspaceId, first: 1, last: 3 });
  expect(lines.slice(1, 4).map(({ subjectId }) => subjectId)).toEqual([
    "message-1",
    "message-2",
    "message-3",
  ]);
  expect(lines[4]).toEqual({ head: (await verdict()).head });
});
