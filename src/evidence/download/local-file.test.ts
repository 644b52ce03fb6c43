import { appendFile, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { DownloadFault } from "./fault.ts";
import { openLocalFile } from "./local-file.ts";

const CONTENT = Buffer.alloc(600_000, "evidence ");
let root: string;
let folder: string;
let file: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "heliograph-local-"));
  folder = path.join(root, "server");
  await mkdir(path.join(folder, "documents"), { recursive: true });
  file = path.join(folder, "documents", "file_1.pdf");
  await writeFile(file, CONTENT);
  await writeFile(path.join(root, "secret.txt"), "secret");
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function take(name: string, within: string | null, from = 0): Promise<Buffer> {
  const opened = await openLocalFile(name, { folder: within });
  const parts: Buffer[] = [];
  try {
    for await (const part of opened.read(from)) parts.push(Buffer.from(part));
  } finally {
    await opened.close();
  }
  return Buffer.concat(parts);
}

const faultOf = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof DownloadFault)) throw new Error(`no fault: ${String(error)}`);
  expect(`${error.stack}`).not.toContain(root);
  return error.kind;
};

test("a file is read from any byte on, with and without the server's folder", async () => {
  expect((await take(file, folder)).equals(CONTENT)).toBe(true);
  expect((await take(file, null, 333_333)).equals(CONTENT.subarray(333_333))).toBe(true);
});

test("what lies elsewhere, or is no file, is not read, however it is reached", async () => {
  const outside = path.join(root, "secret.txt");
  const link = path.join(folder, "link.txt");
  const linked = path.join(folder, "linked");
  await symlink(outside, link);
  await symlink(root, linked);
  expect(await faultOf(take(outside, folder))).toBe("unreadable");
  expect(await faultOf(take(`${folder}/documents/../../secret.txt`, folder))).toBe("unreadable");
  expect(await faultOf(take(link, folder))).toBe("unreadable");
  expect(await faultOf(take(path.join(linked, "secret.txt"), folder))).toBe("unreadable");
  // Without a folder a last part that is a link is still none of the server's.
  expect(await faultOf(take(link, null))).toBe("unreadable");
  expect(await faultOf(take(folder, null))).toBe("unreadable");
  expect(await faultOf(take("/dev/zero", null))).toBe("unreadable");
  expect(await faultOf(take(path.join(folder, "documents", "none.pdf"), folder))).toBe("not-there");
});

test("a file that changes while it is read is no file", async () => {
  const name = path.join(folder, "documents", "changing.bin");
  for (const change of [() => appendFile(name, "more"), () => truncate(name, 10)]) {
    await writeFile(name, CONTENT);
    const opened = await openLocalFile(name, { folder });
    const reading = opened.read(0);
    await reading.next();
    await change();
    const rest = async () => {
      for await (const _part of reading);
    };
    expect(await faultOf(rest())).toBe("changed");
    await opened.close();
  }
});
