import { spawnSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { canonicalJson } from "../src/audit/chain.ts";
import { exportChain, recordAudit, startAuditSealer } from "../src/audit/index.ts";
import { createKeyring, projectFile, silentLogger } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "../test/support/database.ts";
import { fc } from "../test/support/property.ts";
import { canonical, verifyLines } from "./verify-audit.mjs";

const keyring = createKeyring([{ version: 1, key: randomBytes(32) }]);
const SCRIPT = projectFile("scripts/verify-audit.mjs");
const workspaceId = randomUUID();

let database: TestDatabase;
let folder = "";
const lines: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "audit-"));
  database = await createTestDatabase();
  const sealer = startAuditSealer({ db: database.db, keyring, log: silentLogger, tickMs: 0 });
  for (let n = 1; n <= 5; n++) {
    const details = { fields: ["name", "description"] };
    const subjectId = `connector-${n}`;
    await recordAudit(database.db, {
      workspaceId,
      action: "connector.updated",
      subjectId,
      details,
    });
  }
  await sealer.runOnce();
  await sealer.stop();
  for await (const line of exportChain(database.db, keyring, { workspaceId })) lines.push(line);
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

/** What the script says of a file with these lines. */
const verify = (file: string[], expected?: { count: number; hash: string }): Promise<string> =>
  verifyLines(file, expected).then(
    ({ chain, first, last }) => `ok: entries ${first} to ${last} of ${chain}`,
    (error: Error) => error.message,
  );

/** The script by itself, with nothing but Node. */
async function run(file: string[], ...options: string[]) {
  const name = path.join(folder, "export.jsonl");
  await writeFile(name, `${file.join("\n")}\n`);
  const args = [SCRIPT, name, ...options];
  return spawnSync(process.execPath, args, { encoding: "utf8", env: {}, cwd: folder });
}

describe("the script that auditors run", () => {
  const whole = () => `ok: entries 1 to 5 of ${workspaceId}`;

  test("says ok to an export, and to a piece of it", async () => {
    expect(await verify(lines)).toBe(whole());
    // Times are kept to the microsecond and asked for to the millisecond.
    const rows = await database.db.query<{ ms: number }>(
      `SELECT (extract(epoch FROM at) * 1000)::float8 AS ms FROM audit_entries
       WHERE workspace_id = $1 ORDER BY id`,
      [workspaceId],
    );
    const [from, to] = [rows[1]?.ms ?? 0, rows[4]?.ms ?? 0].map((ms) => new Date(Math.floor(ms)));
    const within = rows.flatMap(({ ms }, n) =>
      ms >= Number(from) && ms < Number(to) ? [n + 1] : [],
    );
    const piece: string[] = [];
    for await (const line of exportChain(database.db, keyring, { workspaceId, from, to })) {
      piece.push(line);
    }
    // Nothing is within where all were made in one millisecond.
    const [first, last] = [within[0] ?? 1, within.at(-1) ?? 0];
    expect(await verify(piece)).toBe(`ok: entries ${first} to ${last} of ${workspaceId}`);
  });

  test("names what was changed, taken out, cut off or turned around", async () => {
    const altered = lines.with(3, lines[3]?.replace("connector-3", "connector-33") ?? "");
    expect(await verify(altered)).toBe("entry 3 was changed");
    expect(await verify(lines.toSpliced(3, 1))).toBe("entry 3 is missing");
    expect(await verify(lines.slice(0, -1))).toBe("the last line is missing: where the chain ends");
    expect(await verify(lines.toSpliced(5, 1))).toBe("entries 5 to 5 are missing");
    const turned = lines.with(2, lines[3] ?? "").with(3, lines[2] ?? "");
    expect(await verify(turned)).toBe("entry 2 is missing");
    expect(await verify([])).toBe("the file is empty");
  });

  test("holds an export against a head that was noted", async () => {
    const { hash } = JSON.parse(lines[3] ?? "") as { hash: string };
    expect(await verify(lines, { count: 3, hash })).toBe(whole());
    expect(await verify(lines, { count: 2, hash })).toBe("entry 2 is not the one that was noted");
    expect((await run(lines, "--expect", `3:${hash}`)).stdout).toContain(whole());
    const other = await run(lines, "--expect", `4:${hash}`);
    expect(other.stderr).toBe("not ok: entry 4 is not the one that was noted\n");
    expect(other.status).toBe(1);
    expect(await verify(lines, { count: 6, hash })).toBe(
      "entry 6, which was noted, is not in this file",
    );
  });
});

test("both sides write the same canonical JSON, in whatever order fields come", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const stored = JSON.parse(JSON.stringify(value)) as unknown;
      expect(canonical(stored)).toBe(canonicalJson(stored));
      expect(JSON.parse(canonicalJson(stored))).toEqual(stored);
    }),
  );
  expect(canonicalJson({ b: [1, "é\n"], a: { d: null, c: true } })).toBe(
    '{"a":{"c":true,"d":null},"b":[1,"é\\n"]}',
  );
});
