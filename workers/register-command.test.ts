import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createWorkspace } from "../src/connectors/index.ts";
import { projectFile } from "../src/platform/index.ts";
import { KINDS } from "../src/register/index.ts";
import { createTestDatabase, type TestDatabase } from "../test/support/database.ts";
import { registerCommand } from "./register-command.ts";

let database: TestDatabase;
let workspaceId: string;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  ({ id: workspaceId } = await createWorkspace(database.db, "Test"));
  folder = await mkdtemp(path.join(tmpdir(), "heliograph-register-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await database.drop();
});

async function register(...args: string[]) {
  const printed: string[] = [];
  const stdout = new PassThrough();
  const written = text(stdout);
  const print = (line: string) => void printed.push(line);
  const isWell = await registerCommand(database, args, print, stdout);
  stdout.end();
  return { isWell, printed, written: await written };
}

const own = (...args: string[]) => register(...args, "--workspace", workspaceId);

describe("heliograph register", () => {
  test("the examples of the documentation are brought in one after the other, and given back", async () => {
    const docs = await readFile(projectFile("docs/import-export.md"), "utf8");
    const examples = [...docs.matchAll(/^### (\w+)\n[\s\S]*?```csv\n([\s\S]*?)```/gm)];
    expect(examples.map(([, plural]) => plural)).toEqual(KINDS.map(({ plural }) => plural));
    await database.db.query(
      "INSERT INTO people (workspace_id, name) VALUES ($1, 'Ada Lovelace'), ($1, 'Grace Hopper')",
      [workspaceId],
    );
    for (const [, plural = "", csv = ""] of examples) {
      const file = path.join(folder, `${plural}.csv`);
      await writeFile(file, csv);
      const { isWell, printed } = await own("import", file, "--kind", plural);
      expect({ plural, isWell, printed }).toEqual({
        plural,
        isWell: true,
        printed: [expect.stringMatching(/^(\d) entr(?:y|ies): \1 new, 0 changed, 0 as they were$/)],
      });
    }
    const { written } = await own("export", "--kind", "all");
    const file = path.join(folder, "all.json");
    await writeFile(file, written);
    const { printed } = await own("import", file, "--kind", "all", "--dry-run");
    expect(printed).toEqual([expect.stringMatching(/ 0 new, 0 changed, .* nothing was changed$/)]);
  });

  test("problems are printed by line, and nothing is imported", async () => {
    const file = path.join(folder, "wrong.csv");
    await writeFile(file, "code,titel\nX-1,x\n");
    expect(await own("import", file, "--kind", "risks", "--only-new")).toMatchObject({
      isWell: false,
      printed: [
        "line 1  titel  there is no such column; is it title?",
        "line 2  title  X-1  is needed for a new entry",
        "nothing was imported: 2 problems",
      ],
    });
  });

  test.each([
    [["show"], /takes import or export/],
    [["import", "f.csv", "--kind", "risks"], /--workspace is named by its id/],
    [["import", "f.csv", "--workspace", "ID", "--kind", "control"], /is it controls\?/],
    [["import", "f.txt", "--workspace", "ID", "--kind", "risks"], /--format is csv or json/],
    [["import", "f.csv", "--workspace", "ID", "--kind", "all"], /one kind/],
    [["import", "none.csv", "--workspace", "ID", "--kind", "risks"], /none of that name/],
    [["import", "--workspace", "ID", "--kind", "risks", "--format", "csv"], /takes one file/],
    [["export", "--workspace", "ID", "--kind", "risks", "--dry-run"], /no --dry-run/],
    [["export", "--workspace", randomUUID(), "--kind", "risks"], /there is no workspace/],
  ])("%j: one line that says what is wrong", async (args, words) => {
    const named = args.map((arg) => (arg === "ID" ? workspaceId : arg));
    await expect(register(...named)).rejects.toThrow(words);
  });
});
