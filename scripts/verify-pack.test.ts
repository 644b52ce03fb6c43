import { spawnSync } from "node:child_process";
import { createHash, randomInt } from "node:crypto";
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createPacks, PackRefused, type Packs } from "../src/evidence/index.ts";
import { projectFile } from "../src/platform/index.ts";
import { packWorld } from "../test/support/pack-world.ts";
import { verifyPack } from "./verify-pack.mjs";

/** A pack of three pieces of evidence, unpacked; each test takes a copy of it and does something to it. */
const world = packWorld();
const { contents } = world;
let packs: Packs;
let folder = "";
let copy = "";
let names: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "pack-"));
  packs = world.packs();
  const { plan, zip } = await world.pack({});
  names = await world.unpack(zip, path.join(folder, "whole"));
  expect(plan.files).toHaveLength(4);
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  copy = path.join(folder, "copy");
  await rm(copy, { recursive: true, force: true });
  await cp(path.join(folder, "whole"), copy, { recursive: true });
});

/** What the script says of the copy. */
const verify = (expected?: { count: number; hash: string }): Promise<string> =>
  verifyPack(copy, expected).then(
    () => "ok",
    (error: Error) => error.message,
  );
const read = (name: string) => readFile(path.join(copy, name));
const write = (name: string, content: Buffer | string) => writeFile(path.join(copy, name), content);

/** The sums are made anew, by somebody who wants to be believed. */
async function sumAgain(of = names): Promise<void> {
  const lines: string[] = [];
  for (const name of of.filter((one) => one !== "SHA256SUMS").sort()) {
    const hash = createHash("sha256")
      .update(await read(name))
      .digest("hex");
    lines.push(`${hash}  ${name}\n`);
  }
  await write("SHA256SUMS", lines.join(""));
}

/** Folders in which nothing is left. */
async function prune(at: string): Promise<void> {
  for (const entry of await readdir(at, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const inside = path.join(at, entry.name);
    await prune(inside);
    await rmdir(inside).catch(() => {});
  }
}

describe("a pack", () => {
  test("is found whole, by the script alone", async () => {
    expect(names).toEqual(
      expect.arrayContaining(["README.txt", "manifest.json", "audit.jsonl", "SHA256SUMS"]),
    );
    for (const name of names) expect(name).toMatch(/^(evidence\/EV-\d+\/r\d+\/\d{3}-)?[\w.-]+$/);
    const script = projectFile("scripts/verify-pack.mjs");
    const said = spawnSync(process.execPath, [script, copy], { encoding: "utf8", env: {} });
    expect([said.stderr, said.stdout]).toEqual([
      "",
      expect.stringMatching(/^ok: 3 pieces of evidence, 4 files\nlog: entries \d+ to \d+\nhead: /),
    ]);
    const [, count, hash] = /head: (\d+):([0-9a-f]{64})/.exec(said.stdout) ?? [];
    const head = { count: Number(count), hash: hash ?? "" };
    expect(await verify(head)).toBe("ok");
    expect(await verify({ ...head, hash: "0".repeat(64) })).toMatch(/not the one that was noted/);
    await write("manifest.json", "{}");
    expect(spawnSync(process.execPath, [script, copy], { encoding: "utf8" })).toMatchObject({
      status: 1,
      stderr: "not ok: manifest.json was changed\n",
    });
  });

  test("of one piece says so", async () => {
    const one = path.join(folder, "one");
    await world.unpack((await world.pack({ evidenceId: world.approvedId() })).zip, one);
    const script = projectFile("scripts/verify-pack.mjs");
    const said = spawnSync(process.execPath, [script, one], { encoding: "utf8", env: {} });
    expect(said.stdout).toMatch(/^ok: 1 piece of evidence, 3 files\n/);
  });

  test("is told from one in which any byte of any file is another", async () => {
    for (const name of names) {
      const content = await read(name);
      for (let n = 0; n < 8; n++) {
        const at = n === 0 ? 0 : n === 1 ? content.length - 1 : randomInt(content.length);
        const other = Buffer.from(content);
        other[at] = (other[at] ?? 0) ^ (1 << randomInt(8));
        await write(name, other);
        expect({ name, at, said: await verify() }).not.toMatchObject({ said: "ok" });
      }
      await write(name, content.subarray(0, -1));
      expect({ name, said: await verify() }).not.toMatchObject({ said: "ok" });
      await write(name, content);
    }
    expect(await verify()).toBe("ok");
  });

  test("is told from one in which anything is missing, added or called otherwise", async () => {
    for (const name of names) {
      await rename(path.join(copy, name), path.join(copy, `${name}.other`));
      expect({ name, said: await verify() }).not.toMatchObject({ said: "ok" });
      await rename(path.join(copy, `${name}.other`), path.join(folder, "aside"));
      expect({ name, said: await verify() }).not.toMatchObject({ said: "ok" });
      await rename(path.join(folder, "aside"), path.join(copy, name));
    }
    await write("evidence/more.txt", "");
    expect(await verify()).toBe("evidence/more.txt was added");
    await rm(path.join(copy, "evidence/more.txt"));
    await mkdir(path.join(copy, "empty"));
    expect(await verify()).toBe("empty is empty");
    await rm(path.join(copy, "empty"), { recursive: true });
    await symlink("README.txt", path.join(copy, "link"));
    expect(await verify()).toBe("link is neither a file nor a folder");
  });

  test("with other files than were approved is told by the log, whoever makes the sums anew", async () => {
    const manifest = JSON.parse(String(await read("manifest.json")));
    const [file] = manifest.evidence[0].revisions[0].files;
    const forged = Buffer.from("another form");
    await write(file.path, forged);
    await sumAgain();
    expect(await verify()).toMatch(/is not the file that the manifest names/);
    file.sha256 = createHash("sha256").update(forged).digest("hex");
    file.sizeBytes = forged.length;
    await write("manifest.json", JSON.stringify(manifest));
    await sumAgain();
    expect(await verify()).toMatch(/decided about other files/);
    const revision = manifest.evidence[0].revisions[0];
    revision.content = createHash("sha256")
      .update(
        revision.files
          .map((one: typeof file) => `${one.id} ${one.sha256} ${one.sizeBytes}\n`)
          .sort()
          .join(""),
      )
      .digest("hex");
    await write("manifest.json", JSON.stringify(manifest));
    await sumAgain();
    expect(await verify()).toMatch(/the log says that other files were approved/);
    const lines = String(await read("audit.jsonl")).split("\n");
    const at = lines.findIndex((line) => line.includes("evidence.approved"));
    lines[at] = (lines[at] ?? "").replace(
      /"content":"[0-9a-f]+"/,
      `"content":"${revision.content}"`,
    );
    await write("audit.jsonl", lines.join("\n"));
    await sumAgain();
    expect(await verify()).toMatch(/entry \d+ was changed/);
  });

  test("whose manifest names what is not there, or not all that is, is told by it, whoever makes the sums anew", async () => {
    await write("evidence/more.txt", "more");
    await sumAgain([...names, "evidence/more.txt"]);
    expect(await verify()).toBe("evidence/more.txt is in no place of the manifest");
    await rm(path.join(copy, "evidence/more.txt"));
    const lost = names.find((name) => name.startsWith("evidence/")) ?? "";
    await rm(path.join(copy, lost));
    await prune(copy);
    await sumAgain(names.filter((name) => name !== lost));
    expect(await verify()).toMatch(new RegExp(`^EV-1, revision 1: ${lost} is missing$`));
    const rest = names.filter((name) => name !== "manifest.json");
    await rm(path.join(copy, "manifest.json"));
    await sumAgain(rest.filter((name) => name !== lost));
    expect(await verify()).toBe("manifest.json is missing");
  });

  test("from which a decision or a file was left out is told by the log, whoever makes the sums anew", async () => {
    type Manifest = { audit: unknown; evidence: Piece[] };
    type Piece = {
      id: string;
      status: string;
      approvedRevision: number | null;
      revisions: Revision[];
    };
    type Revision = { decision: string | null; content: string | null; files: File[] };
    type File = {
      id: string;
      path: string | null;
      sha256: string;
      sizeBytes: number;
      state: string;
    };
    const forge = async (
      change: (approved: Piece, draft: Piece, manifest: Manifest) => unknown,
      ...more: string[]
    ) => {
      await rm(copy, { recursive: true });
      await cp(path.join(folder, "whole"), copy, { recursive: true });
      const manifest: Manifest = JSON.parse(String(await read("manifest.json")));
      const [approved, draft] = manifest.evidence;
      if (!approved || !draft) throw new Error("two pieces");
      await change(approved, draft, manifest);
      await write("manifest.json", JSON.stringify(manifest));
      const held = new Set(
        manifest.evidence.flatMap(({ revisions }) =>
          revisions.flatMap(({ files }) => files.map((file) => file.path)),
        ),
      );
      const isLeft = (name: string) =>
        name === "audit.jsonl"
          ? manifest.audit !== null
          : !/^evidence/.test(name) || held.has(name);
      for (const name of names) if (!isLeft(name)) await rm(path.join(copy, name));
      await prune(copy);
      await sumAgain([...names, ...more].filter(isLeft));
      return verify();
    };
    const first = ({ revisions: [revision] }: Piece) => {
      const [file] = revision?.files ?? [];
      if (!revision || !file) throw new Error("a file");
      return { revision, file };
    };
    expect(await forge(() => {})).toBe("ok");
    const undecided = async (piece: Piece) => {
      const { revision, file } = first(piece);
      piece.approvedRevision = null;
      Object.assign(revision, { decision: null, content: null });
      await write(file.path ?? "", "another form");
      file.sizeBytes = 12;
      file.sha256 = createHash("sha256").update("another form").digest("hex");
    };
    expect(await forge(undecided)).toMatch(/the log says of revision 1 what the manifest does not/);
    const swapped = async (_: Piece, draft: Piece) => {
      const { file } = first(draft);
      await write(file.path ?? "", "b draft");
      file.sha256 = createHash("sha256").update("b draft").digest("hex");
    };
    expect(await forge(swapped)).toMatch(/the log says something else of file/);
    const dropped = (_: Piece, { revisions: [revision] }: Piece) => revision?.files.splice(0);
    expect(await forge(dropped)).toMatch(/the log says something else of file/);
    const withheld = (approved: Piece) => {
      first(approved).file.path = null;
    };
    expect(await forge(withheld)).toMatch(/the log does not say that it was removed/);
    const promoted = (_: Piece, draft: Piece) => {
      draft.status = "approved";
      draft.approvedRevision = 1;
    };
    expect(await forge(promoted)).toMatch(/is said to be approved/);
    const added = async (_: Piece, draft: Piece) => {
      const { file } = first(draft);
      draft.revisions[0]?.files.push({ ...file, id: crypto.randomUUID(), path: "evidence/more" });
      await cp(path.join(copy, file.path ?? ""), path.join(copy, "evidence/more"));
    };
    expect(await forge(added, "evidence/more")).toMatch(/the log says something else of file/);
    const invented = (_: Piece, draft: Piece) =>
      Object.assign(draft, { id: crypto.randomUUID(), revisions: [], status: "requested" });
    expect(await forge(invented)).toMatch(/does not say that there is such evidence/);
    const logless = (_: Piece, __: Piece, manifest: Manifest) => {
      manifest.audit = null;
      manifest.evidence = manifest.evidence.slice(1);
    };
    expect(await forge(logless)).toBe("there is no log in this pack");
    const counting = (_: Piece, draft: Piece) => {
      draft.approvedRevision = 1;
    };
    expect(await forge(counting)).toMatch(/said to count that was not approved/);

    const more = "evidence/more";
    /** Another content, and what the manifest would say of it. */
    const another = async () => {
      const content = "another form";
      await write(more, content);
      return {
        path: more,
        sizeBytes: content.length,
        sha256: createHash("sha256").update(content).digest("hex"),
      };
    };
    const besides = async (_: Piece, draft: Piece) => {
      const { revision, file } = first(draft);
      const id = crypto.randomUUID();
      revision.files.push({ ...file, id, state: "failed", ...(await another()) });
    };
    expect(await forge(besides, more)).toMatch(/is of a file that is not stored/);
    const again = async (_: Piece, draft: Piece) => {
      const { revision, file } = first(draft);
      revision.files.unshift({ ...file, ...(await another()) });
    };
    expect(await forge(again, more)).toMatch(/file \S+ stands in the manifest twice/);
    const [revised, named] = [
      ({ revisions }: Piece) => void revisions.push({ ...(revisions[0] as Revision), files: [] }),
      (piece: Piece, _: Piece, manifest: Manifest) =>
        void manifest.evidence.push({ ...piece, revisions: [] }),
    ];
    expect(await forge(revised)).toMatch(/EV-1, revision 1 stands in the manifest twice/);
    expect(await forge(named)).toMatch(/EV-1 stands in the manifest twice/);
  });

  test("in whose log the first or the last line speaks, which no hash holds, is told", async () => {
    const head = /"head":\{"count":(\d+),"hash":"([0-9a-f]+)"/;
    const log = String(await read("audit.jsonl"));
    const [, count, hash] = head.exec(log) ?? [];
    const noted = { count: Number(count), hash: hash ?? "" };
    const manifest = JSON.parse(String(await read("manifest.json")));
    const piece = manifest.evidence[1];
    const [file] = piece.revisions[0].files;
    await write(file.path, "another form");
    file.sha256 = createHash("sha256").update("another form").digest("hex");
    file.sizeBytes = 12;
    await write("manifest.json", JSON.stringify(manifest));
    const { id: fileId, sha256, sizeBytes, state } = file;
    const said = {
      subjectId: piece.id,
      action: "evidence.file_ended",
      details: { fileId, state, sha256, sizeBytes },
    };
    const lines = log.trimEnd().split("\n");
    for (const at of [0, lines.length - 1]) {
      const line = JSON.stringify({ ...JSON.parse(lines[at] ?? ""), ...said });
      await write("audit.jsonl", `${lines.with(at, line).join("\n")}\n`);
      await sumAgain();
      expect(await verify(noted)).toMatch(/the log says something else of file/);
    }
  });

  test("names no head of which its log holds no entry", async () => {
    const lines = String(await read("audit.jsonl"))
      .trimEnd()
      .split("\n");
    const { head } = JSON.parse(lines.at(-1) ?? "") as { head: { count: number; hash: string } };
    const beyond = JSON.stringify({ head: { count: head.count + 9, hash: "f".repeat(64) } });
    await write("audit.jsonl", `${lines.with(-1, beyond).join("\n")}\n`);
    await sumAgain();
    expect((await verifyPack(copy)).log.head).toEqual(head);
  });

  test("is not made of what is not there, or is too much", async () => {
    const faultOf = (asked: { evidenceId?: string }, of: Packs) =>
      of.plan(world.workspaceId(), asked).then(
        () => null,
        (error: unknown) => (error instanceof PackRefused ? error.fault : error),
      );
    expect(await faultOf({ evidenceId: crypto.randomUUID() }, packs)).toBe("nothing");
    const vault = { open: () => Promise.reject(new Error("not read")) };
    const most = { evidence: 10, files: 10, bytes: 1_000_000, entries: 1_000 };
    for (const less of [{ evidence: 2 }, { files: 3 }, { bytes: 5_000 }, { entries: 3 }]) {
      const limits = { ...most, ...less };
      const few = createPacks({ db: world.db(), keyring: world.keyring, vault, limits });
      expect({ less, fault: await faultOf({}, few) }).toEqual({ less, fault: "too-much" });
    }
  });

  test("ends in the middle where a content is not what was stored", async () => {
    const plan = await packs.plan(world.workspaceId(), { evidenceId: world.approvedId() });
    const [file] = plan.files;
    const whole = contents.get(file?.storedFileId ?? "") ?? Buffer.alloc(0);
    const altered = Buffer.from(whole);
    altered[4_999] = (altered[4_999] ?? 0) ^ 1;
    for (const content of [altered, whole.subarray(0, -1)]) {
      contents.set(file?.storedFileId ?? "", content);
      await expect(buffer(packs.write(plan))).rejects.toThrow();
    }
    contents.set(file?.storedFileId ?? "", whole);
    await expect(buffer(packs.write(plan))).resolves.toBeInstanceOf(Buffer);
  });
});
