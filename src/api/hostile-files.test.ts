import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { unzip } from "../../test/support/unzip.ts";
import { startAuditSealer } from "../audit/index.ts";
import { findEvidence, takeFiles } from "../evidence/index.ts";
import { projectFile } from "../platform/index.ts";

/** Files that are meant to do harm, from where they come in to where they are given out. */
let world: TestSystem;
let evidenceId = "";
let folder = "";
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  evidenceId = await newEvidence();
  folder = await mkdtemp(path.join(tmpdir(), "heliograph-hostile-"));
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

async function newEvidence(): Promise<string> {
  const { body } = await world.api("POST", "/v1/evidence", { description: "hostile" });
  return (body as { id: string }).id;
}

const call = (method: string, address: string, body?: Uint8Array) =>
  fetch(world.url + address, {
    method,
    headers: { authorization: `Bearer ${world.apiKey}` },
    ...(body === undefined ? {} : { body }),
  });

interface Handed {
  status: number;
  file: { id: string; name: string; contentType: string; sizeBytes: number };
  detail: string;
  errors: object[];
}

async function upload(name: string, content: Uint8Array = Buffer.from("x")): Promise<Handed> {
  const address = `/v1/evidence/${evidenceId}/files?name=${encodeURIComponent(name)}`;
  const response = await call("POST", address, content);
  const body = (await response.json()) as Handed & { files: Handed["file"][] };
  return { ...body, status: response.status, file: body.files?.at(-1) as Handed["file"] };
}

/** As a document of a message in a chat, whose name is whatever a client of Telegram's wrote there. */
async function handIn(name: string): Promise<string> {
  const { db, jobs } = world.system;
  const { workspaceId } = world;
  const id = await newEvidence();
  const file = {
    connectorId: randomUUID(),
    chatId: "5",
    messageId: "7",
    threadId: null,
    mediaGroupId: null,
    telegramFileId: "f",
    telegramUniqueId: "AgAD",
    sentAt: new Date(),
    kind: "document",
    name,
    claimedType: null,
    claimedBytes: null,
  };
  const taken = { workspaceId, evidenceId: id, submittedBy: "telegram:5", files: [file] };
  await db.transaction((tx) => takeFiles(tx, jobs, taken));
  const evidence = await findEvidence(db, { workspaceId, id });
  return evidence?.files[0]?.name ?? "";
}

const HARMLESS = /^(?![. ])[^/\\<>:"|?*]{1,255}(?<![. ])$/u;
const UNSEEN = /(?!\u200D)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const DEVICE = /^(?:con|nul|com1|aux)(?:\.|$)/i;

test.each([
  ["a way up", "../../../etc/passwd"],
  ["a way up, as another system writes it", "..\\..\\boot.ini"],
  ["a place on the disk", "/etc/shadow"],
  ["a drive", "C:\\Windows\\system.ini"],
  ["NUL", "report.pdf\0.exe"],
  ["line breaks", "a\r\nSet-Cookie: b=c"],
  ["marks of direction", "invoice\u202Efdp.exe"],
  ["isolates of direction", "\u2066a\u2069.pdf"],
  ["what cannot be seen", "\uFEFFa\u200Bb.pdf"],
  ["4 KB", `${"long ".repeat(800)}.pdf`],
  ["4 KB of emoji", `${"👩‍👩‍👧‍👦".repeat(160)}.pdf`],
  ["emoji", "🎉.pdf"],
  ["only dots", "....."],
  ["only spaces", "     "],
  ["a device of Windows'", "con"],
  ["a device with an extension", "nul.tar.gz"],
  ["a device behind a space", " COM1 .txt"],
  ["spaces and dots at its end", "report.pdf . . ."],
  ["quotes and a header", 'a"; filename="b.html'],
  ["another stream of the file", "a.txt:evil.exe"],
  ["a shell's words", "$(reboot)`id`;|&.txt"],
  ["a page", "<img src=x onerror=alert(1)>.html"],
  ["percents", "%2e%2e%2f%00.pdf"],
  ["a hidden file", ".htaccess"],
])("a name of %s is harmless wherever it is shown, and however it came", async (_what, name) => {
  const inChat = await handIn(name);
  expect(inChat).toMatch(HARMLESS);
  expect(inChat).not.toMatch(UNSEEN);
  expect(inChat).not.toMatch(DEVICE);
  expect(Buffer.byteLength(inChat)).toBeLessThanOrEqual(255);

  const handed = await upload(name);
  if (name.includes("\0") || name.length > 1_000) {
    expect(handed).toMatchObject({ status: 400, errors: [{ path: "name" }] });
    return;
  }
  expect(handed.status).toBe(201);
  // What has no name left is called after what is known of it, which differs.
  if (/[^. ]/.test(name)) expect(handed.file.name).toBe(inChat);
  expect(handed.file.name).toMatch(HARMLESS);
  const given = await call("GET", `/v1/evidence/${evidenceId}/files/${handed.file.id}`);
  const disposition = given.headers.get("content-disposition") ?? "";
  const [, plain, encoded] =
    /^attachment; filename="([ !#$&-:<-[\]-~]*)"; filename\*=UTF-8''([\w!%~.-]*)$/.exec(
      disposition,
    ) ?? [];
  expect(plain).toBeDefined();
  expect(decodeURIComponent(encoded ?? "")).toBe(handed.file.name);
  expect(await given.text()).toBe("x");
});

const GIF = Buffer.from("GIF89a\x01\0\x01\0\0\0\0;", "latin1");
const PDF = Buffer.from("%PDF-1.7\n%%EOF\n");
const JPEG = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0x10, 0x4a, 0x46, 0x49, 0x46, 0, 1]);
const SCRIPT = Buffer.from("<html><script>alert(1)</script>");
/** An archive with nothing in it: enough for a program that looks for one from the end. */
const ARCHIVE = Buffer.concat([Buffer.from("PK\x05\x06", "latin1"), Buffer.alloc(18)]);
const BOMB = gzipSync(Buffer.alloc(50_000_000));

test.each<[string, Buffer, string]>([
  ["a PDF that is an archive too", Buffer.concat([PDF, ARCHIVE]), "application/pdf"],
  ["a picture that is an archive too (GIFAR)", Buffer.concat([GIF, ARCHIVE]), "image/gif"],
  ["a picture that is a page too", Buffer.concat([JPEG, SCRIPT]), "image/jpeg"],
  ["a page", SCRIPT, "text/plain"],
  ["a drawing with a script in it", Buffer.from("<svg onload='alert(1)'/>"), "text/plain"],
  ["an archive that would be 50 MB", BOMB, "application/gzip"],
])(
  "%s is kept byte for byte, is what its beginning is, and is shown by no browser",
  async (_what, content, type) => {
    const { status, file } = await upload("a.bin", content);
    expect([status, file]).toEqual([
      201,
      expect.objectContaining({ contentType: type, sizeBytes: content.length }),
    ]);
    const given = await call("GET", `/v1/evidence/${evidenceId}/files/${file.id}`);
    expect(Buffer.from(await given.arrayBuffer()).equals(content)).toBe(true);
    expect(Object.fromEntries(given.headers)).toMatchObject({
      "content-disposition": expect.stringMatching(/^attachment;/),
      "x-content-type-options": "nosniff",
      "content-security-policy": expect.stringMatching(/^default-src 'none';.* sandbox$/),
    });
    expect(given.headers.get("content-type")).not.toMatch(/html|svg|xml|script/);
  },
);

test("a file of no bytes is refused, and nothing of it stays", async () => {
  const before = await storedFiles();
  expect(await upload("empty.pdf", Buffer.alloc(0))).toMatchObject({
    status: 422,
    detail: "The file is empty.",
  });
  expect(await storedFiles()).toBe(before);
});

async function storedFiles(): Promise<number> {
  const [row] = await world.owner.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM stored_files",
  );
  return row?.n ?? 0;
}

test("all of them go into one pack, under names for every system, and it is found whole", async () => {
  const { db, keyring, log } = world.system;
  const sealer = startAuditSealer({ db, keyring, log, tickMs: 0 });
  await sealer.runOnce();
  await sealer.stop();
  const given = await call("GET", `/v1/evidence-packs?evidenceId=${evidenceId}`);
  const zip = Buffer.from(await given.arrayBuffer());
  const names = [...(await unzip(zip)).keys()];
  const files = names.filter((name) => name.startsWith("evidence/"));
  expect(files.length).toBeGreaterThan(20);
  for (const name of files) {
    expect(name).toMatch(/^evidence\/EV-\d+\/r1\/\d{3}-[A-Za-z0-9-](?:[\w.-]*[\w-])?$/);
    expect(name).not.toContain("..");
  }
  expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
  const pack = path.join(folder, "pack.zip");
  await writeFile(pack, zip);
  const script = projectFile("scripts/verify-pack.mjs");
  expect(spawnSync(process.execPath, [script, pack], { encoding: "utf8" })).toMatchObject({
    stderr: "",
    status: 0,
  });
});
