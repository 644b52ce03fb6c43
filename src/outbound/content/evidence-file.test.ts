import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { CannotSend } from "./cannot-send.ts";
import type { Content, EvidenceFileRef } from "./content.ts";
import { EvidenceAway, type EvidenceFiles, evidenceUpload } from "./evidence-file.ts";
import { FileTaker } from "./take-files.ts";

const CONTENT = randomBytes(200_000);
const PIECE = 65_536;
const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");
const ref: EvidenceFileRef = {
  evidenceFileId: "f",
  name: "report.pdf",
  contentType: "application/pdf",
  sizeBytes: CONTENT.length,
  sha256: sha256(CONTENT),
};

async function* piecesOf(content: Buffer, failure?: Error): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += PIECE) yield content.subarray(at, at + PIECE);
  if (failure !== undefined) throw failure;
}

/** Evidence with this content, which breaks off with `failure` where one is given. */
const evidenceWith = (content: Buffer, failure?: Error): EvidenceFiles => ({
  open: async () => ({
    sizeBytes: CONTENT.length,
    sha256: ref.sha256,
    content: () => piecesOf(content, failure),
  }),
});

const asked = { workspaceId: "w", messageId: "m", maxBytes: 1_000_000, timeoutMs: 1_000 };
const upload = (evidence: EvidenceFiles, more: object = {}) =>
  evidenceUpload(evidence, ref, { ...asked, signal: new AbortController().signal, ...more });

/** What leaves of it, and what it broke off with. */
async function read({ upload: file }: Awaited<ReturnType<typeof upload>>) {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of file.open()) pieces.push(piece);
    return { content: Buffer.concat(pieces), error: null };
  } catch (error) {
    return { content: Buffer.concat(pieces), error };
  }
}

describe("a file of evidence that is to be sent", () => {
  test("is read from its beginning each time, in pieces, under its name and type", async () => {
    const file = await upload(evidenceWith(CONTENT));
    for (let n = 0; n < 2; n++) {
      const { content } = await read(file);
      expect(content.equals(CONTENT)).toBe(true);
    }
    expect(file.upload).toMatchObject({
      name: "report.pdf",
      contentType: "application/pdf",
      sizeBytes: CONTENT.length,
    });
    expect(file.broken()).toBeNull();
  });

  test("never leaves whole where it is not what was accepted: its last piece stays here", async () => {
    const altered = Buffer.from(CONTENT);
    altered[0] = (altered[0] ?? 0) ^ 1;
    const file = await upload(evidenceWith(altered));
    const { content, error } = await read(file);
    expect(content.length).toBeLessThan(CONTENT.length);
    expect(error).toMatchObject({ errorClass: "evidence-file-damaged" });
    expect(file.broken()).toBe(error);
  });

  test("that breaks off may come later, unless somebody knows better; no words of others stay", async () => {
    const away = await upload(evidenceWith(CONTENT, new Error("s3://bucket/secret")));
    const { error } = await read(away);
    expect(error).toBeInstanceOf(EvidenceAway);
    expect(String((error as Error).stack)).not.toContain("bucket");
    const gone = new CannotSend("evidence-file-gone", "It is gone.");
    const final = await upload(evidenceWith(CONTENT, gone));
    expect((await read(final)).error).toBe(gone);
  });

  test("that is another by now, or too large, is not read at all", async () => {
    const other: EvidenceFiles = {
      open: async () => ({
        sizeBytes: CONTENT.length,
        sha256: "0".repeat(64),
        content: () => {
          throw new Error("it was read");
        },
      }),
    };
    await expect(upload(other)).rejects.toMatchObject({ errorClass: "evidence-file-changed" });
    await expect(upload(evidenceWith(CONTENT), { maxBytes: 1_000 })).rejects.toMatchObject({
      errorClass: "evidence-file-too-large",
    });
  });

  test("whose store says nothing is not waited for for ever, nor when the process ends", async () => {
    const silent: EvidenceFiles = { open: () => new Promise(() => {}) };
    await expect(upload(silent, { timeoutMs: 20 })).rejects.toBeInstanceOf(EvidenceAway);
    const ending = new AbortController();
    const ended = upload(silent, { signal: ending.signal });
    ending.abort();
    await expect(ended).rejects.toMatchObject({ fault: "aborted" });
    await expect(upload(silent, { signal: ending.signal })).rejects.toMatchObject({
      fault: "aborted",
    });
  });
});

test("a message's files of evidence take one of its places, and say what broke off", async () => {
  const taker = new FileTaker({ atOnce: 1 });
  const content: Content = {
    type: "album",
    items: [
      { type: "document", file: ref },
      { type: "document", file: { fileId: "BQAC" } },
    ],
  };
  const evidence = evidenceWith(CONTENT, new Error("broken"));
  const { signal } = new AbortController();
  for (let n = 0; n < 2; n++) {
    const taken = await taker.take(content, { ...asked, signal, evidence });
    const [first, second] = taken.list;
    expect(second).toBeNull();
    expect(taken.broken()).toBeNull();
    await first
      ?.open()
      .toArray()
      .catch(() => {});
    expect(taken.broken()).toBeInstanceOf(EvidenceAway);
    await taken.close();
  }
});
