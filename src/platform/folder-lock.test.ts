import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { projectUrl, type RunningScript, startInline } from "../../test/support/script.ts";
import { FolderInUse, lockFolder } from "./folder-lock.ts";

let folder: string;
const scripts: RunningScript[] = [];
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heliograph-lock-"));
});
afterEach(async () => {
  for (const script of scripts.splice(0)) script.child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** A process that takes the lock and stays. */
async function holder() {
  const script = startInline(
    `import { lockFolder } from "${projectUrl("src/platform/folder-lock.ts")}";
     await lockFolder(process.argv.at(-1));
     console.log("locked");
     setInterval(() => {}, 1000);`,
    { args: [folder] },
  );
  scripts.push(script);
  await script.line("locked");
  return script;
}

describe("lockFolder", () => {
  test("the second is told who has it, in one line", async () => {
    const first = await holder();
    const error = await lockFolder(folder).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(FolderInUse);
    expect((error as Error).message).toContain(`(process ${first.child.pid})`);
    expect((error as Error).message).not.toContain("\n");
  });

  test("a crash lets go of it", async () => {
    const first = await holder();
    first.child.kill("SIGKILL");
    await first.exited;
    await (await lockFolder(folder)).release();
  });

  test("the number a crash left behind means nothing, whoever has it now", async () => {
    await writeFile(path.join(folder, "heliograph.pid"), `${process.ppid}\n`);
    await (await lockFolder(folder)).release();
  });

  test("of many at once, one gets it", async () => {
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(folder)));
    const locks = results.flatMap((result) =>
      result.status === "fulfilled" ? [result.value] : [],
    );
    expect(locks).toHaveLength(1);
    await locks[0]?.release();
    await (await lockFolder(folder)).release();
  });

  test("of a folder that is gone meanwhile it is no other folder's", async () => {
    const lock = await lockFolder(path.join(folder, "first"));
    await rm(path.join(folder, "first"), { recursive: true });
    for (let n = 0; n < 50; n++) {
      await (await lockFolder(path.join(folder, String(n)))).release();
    }
    await lock.release();
  });

  test("another path to the same folder is the same folder; another folder is not", async () => {
    const lock = await lockFolder(folder);
    const alias = `${folder}-alias`;
    await symlink(folder, alias);
    try {
      await expect(lockFolder(alias)).rejects.toThrow(FolderInUse);
      await (await lockFolder(path.join(folder, "inside"))).release();
    } finally {
      await rm(alias);
      await lock.release();
    }
  });
});
