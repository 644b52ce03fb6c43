import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { vaultWorld } from "../../../test/support/vault-world.ts";
import { type LocalFiles, silentLogger } from "../../platform/index.ts";
import type { Storage } from "../../storage/index.ts";
import { createBotApiFactory } from "../../telegram/index.ts";
import type { Vault } from "../vault.ts";
import { DownloadFault } from "./fault.ts";
import type { DownloadRow } from "./file-rows.ts";
import type { LargeFileSource } from "./source.ts";
import { type TakenIn, takeIn } from "./take-in.ts";

const TOKEN = "123456789:AAHfakefakefakefakefakefakefakefakefak";
const CONTENT = Buffer.from(Array.from({ length: 700_001 }, (_, n) => (n * n) % 253));
const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");

const world = vaultWorld();
let server: Server;
let root: string;
let folder: string;
let workspaceId: string;
/** What the Bot API server says of the file, and how it gives it. */
let said: { file_path: string; file_size?: number };
let serve: RequestListener;
/** Where requests for the file began. */
let asked: (string | undefined)[];
beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url?.endsWith("/getFile")) {
      response.end(JSON.stringify({ ok: true, result: said }));
      return;
    }
    asked.push(request.headers.range);
    serve(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(path.join(tmpdir(), "heliograph-take-in-"));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  workspaceId = await world.newWorkspace();
  said = { file_path: "documents/file_1", file_size: CONTENT.length };
  asked = [];
  serve = gives(CONTENT);
});

/** A server that knows ranges, as nginx does; it breaks off after `most` bytes. */
const gives =
  (content: Buffer, most = Number.POSITIVE_INFINITY): RequestListener =>
  (request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const rest = content.subarray(from);
    const range = `bytes ${from}-${content.length - 1}/${content.length}`;
    const headers = {
      "content-length": rest.length,
      ...(from > 0 ? { "content-range": range } : {}),
    };
    response.writeHead(from > 0 ? 206 : 200, headers);
    if (rest.length <= most) response.end(rest);
    else response.write(rest.subarray(0, most), () => setTimeout(() => response.destroy(), 20));
  };

async function newFile(more: Partial<DownloadRow> = {}): Promise<DownloadRow> {
  return {
    workspaceId,
    id: randomUUID(),
    evidenceId: randomUUID(),
    connectorId: randomUUID(),
    chatId: "5",
    messageId: "7",
    kind: "document",
    telegramFileId: "file-id",
    written: null,
    telegramUniqueId: randomUUID(),
    claimedBytes: CONTENT.length,
    announcedBytes: null,
    maxBytes: 10_000_000,
    contentTypes: [],
    ...more,
  };
}

interface With {
  vault?: Vault;
  localFiles?: LocalFiles;
  largeFiles?: LargeFileSource;
  signal?: AbortSignal;
}

function take(
  file: DownloadRow,
  { vault, localFiles, largeFiles, signal }: With = {},
): Promise<TakenIn> {
  const api = createBotApiFactory({ apiRoot: root })(TOKEN);
  return takeIn(
    file,
    {
      db: world.db(),
      vault: vault ?? world.vaultWith(),
      source: {
        callNow: ({ method, params }, limits) => api.call(method, params, limits),
        botApiFor: async () => api,
        localFiles: localFiles ?? null,
        largeFiles: largeFiles ?? null,
        stallMs: 5_000,
        now: () => Date.now(),
      },
      scanner: null,
      log: silentLogger,
    },
    signal ?? new AbortController().signal,
  );
}

async function faultOf(taking: Promise<unknown>): Promise<DownloadFault> {
  const error = await taking.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof DownloadFault)) throw new Error(`no fault: ${String(error)}`);
  expect(`${error.stack} ${JSON.stringify(error.ending)}`).not.toContain(TOKEN);
  return error;
}

async function isStored({ content }: TakenIn, expected: Buffer): Promise<void> {
  expect([content.sizeBytes, content.sha256.toString("hex")]).toEqual([
    expected.length,
    sha256(expected),
  ]);
  const stored = await world.content(world.vaultWith(), workspaceId, content.storedFileId);
  expect(stored.equals(expected)).toBe(true);
}

test("a connection that breaks off again and again: it goes on where it was, and is right", async () => {
  const file = await newFile();
  for (let n = 0; n < 5; n++) {
    serve = gives(CONTENT, 133_000);
    expect((await faultOf(take(file))).kind).toBe("broken-off");
  }
  serve = gives(CONTENT);
  await isStored(await take(file), CONTENT);
  const begins = asked.map((range) => Number(/\d+/.exec(range ?? "0")?.[0]));
  expect(begins[0]).toBe(0);
  for (const [n, from] of begins.slice(1).entries()) expect(from).toBeGreaterThan(begins[n] ?? 0);
  expect(await world.parts()).toEqual([]);
});

test("a server that knows no ranges begins anew, and what is here already is passed over", async () => {
  const file = await newFile();
  serve = gives(CONTENT, 300_000);
  await faultOf(take(file));
  serve = (_request, response) => response.end(CONTENT);
  await isStored(await take(file), CONTENT);
  expect(asked.at(-1)).toMatch(/^bytes=/);
});

test("an attempt that got far costs nothing, but where the next one begins anew", async () => {
  const large = Buffer.alloc(10 * 2 ** 20, "x");
  serve = gives(large, 9 * 2 ** 20);
  said.file_size = large.length;
  const kept = await world.keep(workspaceId, Buffer.from("another"));
  const { fileId: id } = await world.refer(workspaceId, kept);
  // So much of it is noted on its row.
  await world
    .db()
    .query(`UPDATE evidence_files SET state = 'downloading', stored_file_id = NULL WHERE id = $1`, [
      id,
    ]);
  const file = { id, claimedBytes: large.length, maxBytes: 2 * large.length };
  expect(await faultOf(take(await newFile(file)))).toMatchObject({
    kind: "broken-off",
    gotFurther: true,
  });
  said = { file_path: "documents/file_1" };
  expect(await faultOf(take(await newFile(file)))).toMatchObject({
    kind: "broken-off",
    gotFurther: false,
  });
  serve = gives(large);
  await isStored(await take(await newFile(file)), large);
});

test("what became larger or smaller meanwhile is another file: nothing of the old one is in it", async () => {
  for (const other of [
    CONTENT.subarray(1, 600_000),
    Buffer.concat([CONTENT, CONTENT]).subarray(3),
  ]) {
    const file = await newFile();
    said.file_size = CONTENT.length;
    serve = gives(CONTENT, 300_000);
    await faultOf(take(file));
    said.file_size = other.length;
    serve = gives(other);
    await isStored(await take(file), other);
    expect(asked.at(-1)).toBeUndefined();
  }
});

test("a file that is not as long as getFile said is not stored, and nothing of it stays", async () => {
  for (const wrong of [CONTENT.subarray(1), Buffer.concat([CONTENT, Buffer.from("x")])]) {
    serve = (_request, response) => response.end(wrong);
    expect((await faultOf(take(await newFile()))).kind).toBe("changed");
  }
  expect(await world.parts()).toEqual([]);
});

test("a link that is not there any more is asked for once again", async () => {
  let isGone = true;
  serve = (request, response) => {
    if (!isGone) return gives(CONTENT)(request, response);
    isGone = false;
    response.writeHead(404).end();
  };
  await isStored(await take(await newFile()), CONTENT);
  serve = (_request, response) => void response.writeHead(404).end();
  const fault = await faultOf(take(await newFile()));
  expect([fault.kind, asked.length]).toEqual(["not-there", 4]);
});

test("what is too large, empty or of a type that is not taken is refused, with the limit in words", async () => {
  const large = await newFile({ maxBytes: 500_000 });
  const fault = await faultOf(take(large));
  expect([fault.ending, asked]).toEqual([{ kind: "too-large", about: 500_000 }, []]);
  // Nobody says how large it is.
  said = { file_path: "documents/file_1" };
  serve = (_request, response) => void response.writeHead(200).end(CONTENT);
  expect((await faultOf(take(await newFile({ maxBytes: 500_000, claimedBytes: null })))).kind).toBe(
    "too-large",
  );
  serve = (_request, response) => void response.writeHead(200).end();
  expect((await faultOf(take(await newFile({ claimedBytes: null })))).kind).toBe("empty");
  serve = (_request, response) => void response.end("%PDF-1.7\n");
  const typed = await faultOf(take(await newFile({ contentTypes: ["image/*"] })));
  expect(typed.ending).toEqual({ kind: "type-not-taken", about: "application/pdf" });
  expect(await world.parts()).toEqual([]);
});

test("a self-hosted server's file is read from its disk, and from nowhere else", async () => {
  const place = path.join(folder, "file_1");
  await writeFile(place, CONTENT);
  said.file_path = place;
  await isStored(await take(await newFile(), { localFiles: { folder } }), CONTENT);
  expect(asked).toEqual([]);
  said.file_path = "/etc/hostname";
  const fault = await faultOf(take(await newFile(), { localFiles: { folder } }));
  expect(fault.kind).toBe("unreadable");
});

test("a store that is full or away: it waits with what it has, and is not fetched again", async () => {
  const file = await newFile();
  let code = "ENOSPC";
  const failing: Storage = {
    ...world.files(),
    putPart: () => Promise.reject(Object.assign(new Error("no"), { code })),
  };
  expect((await faultOf(take(file, { vault: world.vaultWith({ storage: failing }) }))).kind).toBe(
    "disk-full",
  );
  code = "ECONNREFUSED";
  expect((await faultOf(take(file, { vault: world.vaultWith({ storage: failing }) }))).kind).toBe(
    "store-away",
  );
  await isStored(await take(file), CONTENT);
  expect(asked.length).toBe(1);
});

test("a disk that fails while it syncs: nothing of it is believed, and it is fetched anew", async () => {
  const file = await newFile();
  const any = await open(path.join(folder, "any"), "w");
  const handles = Object.getPrototypeOf(any) as FileHandle;
  await any.close();
  const broken = Object.assign(new Error("EIO"), { code: "EIO" });
  const sync = jest.spyOn(handles, "sync").mockRejectedValueOnce(broken);
  const fault = await faultOf(take(file));
  sync.mockRestore();
  expect([fault.kind, fault.message]).toEqual(["store-away", "store-away: EIO"]);
  expect(await world.parts()).toEqual([]);
  await isStored(await take(file), CONTENT);
  // From its beginning.
  expect(asked).toEqual([undefined, undefined]);
});

test("a worker that stops leaves the rest to the next one; two at once do not meet", async () => {
  const file = await newFile();
  const stop = new AbortController();
  serve = (_request, response) => {
    response.writeHead(200, { "content-length": CONTENT.length });
    response.write(CONTENT.subarray(0, 300_000));
  };
  const first = faultOf(take(file, { signal: stop.signal }));
  while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect((await faultOf(take(file))).kind).toBe("in-use");
  stop.abort();
  expect((await first).kind).toBe("stopped");
  serve = gives(CONTENT);
  await isStored(await take(file), CONTENT);
});

test("beyond what bots are given another source is asked, where there is one", async () => {
  const tooBig = "Bad Request: file is too big";
  const refusing = createServer((_request, response) => {
    response
      .writeHead(400)
      .end(JSON.stringify({ ok: false, error_code: 400, description: tooBig }));
  });
  await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
  const own = root;
  root = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}`;
  try {
    const fault = await faultOf(take(await newFile()));
    expect(fault.kind).toBe("too-large-for-bots");
    const largeFiles: LargeFileSource = {
      find: async () => ({
        sizeBytes: CONTENT.length,
        open: async (from) => ({
          sizeBytes: CONTENT.length,
          from,
          content: (async function* () {
            yield CONTENT.subarray(from);
          })(),
          close: async () => {},
        }),
      }),
    };
    await isStored(await take(await newFile(), { largeFiles }), CONTENT);
  } finally {
    root = own;
    refusing.closeAllConnections();
    refusing.close();
  }
});

test("what its row has is stored as it is, whatever types are taken, and nobody is asked for it", async () => {
  const written = "https://a.example/\r\n";
  const row = { kind: "link", written, telegramFileId: null, telegramUniqueId: null };
  said = { file_path: "never" };
  const none = { ...row, claimedBytes: null, contentTypes: ["application/pdf"] };
  const file = await newFile(none);
  const taken = await take(file);
  await isStored(taken, Buffer.from(written));
  expect(taken.content.contentType).toBe("text/uri-list");
  // A worker that died before it noted so.
  expect((await take(file)).content.storedFileId).toBe(taken.content.storedFileId);
  const { kind } = await faultOf(take(await newFile({ ...none, maxBytes: 5 })));
  expect([kind, asked]).toEqual(["too-large", []]);
});
