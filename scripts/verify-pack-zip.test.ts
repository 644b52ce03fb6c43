import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ZipFile } from "yazl";
import { projectFile } from "../src/platform/index.ts";
import { packWorld } from "../test/support/pack-world.ts";
import { unzip } from "../test/support/unzip.ts";
import { verifyPack } from "./verify-pack.mjs";

const world = packWorld();
let folder = "";
let file = "";
let zip: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "pack-zip-"));
  file = path.join(folder, "pack.zip");
  ({ zip } = await world.pack({}));
});
afterAll(() => rm(folder, { recursive: true }));

const verify = async (pack?: Buffer): Promise<string> => {
  if (pack !== undefined) await writeFile(file, pack);
  return verifyPack(file).then(
    () => "ok",
    (error: Error) => error.message,
  );
};

/** Names and contents of a zip file, as one text. */
const contents = async (pack: Buffer) =>
  [...(await unzip(pack))].map(([name, content]) => `${name} ${content.toString("hex")}`).join();

test("a pack is found whole as it was given, by the script alone", async () => {
  await writeFile(file, zip);
  const script = projectFile("scripts/verify-pack.mjs");
  const said = spawnSync(process.execPath, [script, file], { encoding: "utf8", env: {} });
  expect([said.stderr, said.stdout]).toEqual([
    "",
    expect.stringMatching(/^ok: 3 pieces of evidence, 4 files\nlog: entries \d+ to \d+\nhead: /),
  ]);
  await writeFile(file, "no pack");
  expect(spawnSync(process.execPath, [script, file], { encoding: "utf8" })).toMatchObject({
    status: 1,
    stderr: "not ok: the zip file is broken: it is cut off, or is none\n",
  });
});

test("a pack that somebody packed again in zip64's form is found whole, too", async () => {
  const again = new ZipFile();
  for (const [name, content] of await unzip(zip)) {
    const options = { compress: false, forceZip64Format: true };
    again.addReadStream(Readable.from([content]), name, options);
  }
  again.end({ forceZip64Format: true });
  await pipeline(again.outputStream, createWriteStream(file));
  expect(await verify()).toBe("ok");
});

test("any byte that is another, and any that is missing, is told, or is in a file's time", async () => {
  const taken: string[] = [];
  for (let n = 0; n < 300; n++) {
    const at = randomInt(zip.length);
    const other = Buffer.from(zip);
    other[at] = (other[at] ?? 0) ^ (1 << randomInt(8));
    // What is taken must say the same of every file.
    if ((await verify(other)) === "ok") {
      expect(await contents(other)).toBe(await contents(zip));
      taken.push(`${at}`);
    }
  }
  // Times, versions and rights: some bytes of each header.
  expect(taken.length).toBeLessThan(100);
  for (let n = 0; n < 50; n++) {
    const at = randomInt(zip.length);
    expect({ at, said: await verify(zip.subarray(0, at)) }).not.toMatchObject({ said: "ok" });
  }
});
