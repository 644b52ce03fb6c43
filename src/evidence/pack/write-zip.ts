import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { ZipFile } from "yazl";
import type { PackedFile, PackPlan } from "./plan.ts";
import { readmeOf } from "./readme.ts";

/** Where the contents come from. */
export interface PackSources {
  /** A stored file's content; throws where it is not what was stored. */
  read(file: PackedFile): Promise<AsyncIterable<Uint8Array>>;
  /** Lines of the audit log. */
  chain(numbers: { first: number; last: number }): AsyncIterable<string>;
}

/** A file's content is not what its row says. */
export class PackedFileDamaged extends Error {
  override name = "PackedFileDamaged";
}

/**
 * The pack as a zip file, piece by piece as it is read; a reader that goes away closes what is open. What
 * fails on the way ends the stream with that error: half a pack is never a whole one. Nothing is
 * compressed: photos and documents are already, and sizes stay as the manifest says them.
 */
export function writeZip(plan: PackPlan, sources: PackSources): Readable {
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  const sums: string[] = [];
  let current: Readable | undefined;
  const fail = (error: unknown) => output.destroy(error as Error);
  zip.on("error", fail);
  // Whoever reads it is told; until somebody does, nobody is to be thrown at.
  output.on("error", () => {});
  output.on("close", () => current?.destroy());

  const options = { mtime: plan.madeAt, mode: 0o100644, compress: false };
  const note = (path: string, hash: string) => void sums.push(`${hash}  ${path}\n`);
  const add = (
    path: string,
    open: () => Promise<AsyncIterable<Uint8Array>>,
    size?: number,
  ): void => {
    zip.addReadStreamLazy(path, { ...options, size }, (done) => {
      // Whoever waits for it has gone away meanwhile.
      if (output.destroyed) return;
      open().then((content) => {
        current = Readable.from(content, { objectMode: false });
        current.on("error", fail);
        if (output.destroyed) current.destroy();
        else done(null, current);
      }, fail);
    });
  };
  const addText = (path: string, text: Buffer) => {
    zip.addBuffer(text, path, options);
    note(path, createHash("sha256").update(text).digest("hex"));
  };

  addText("README.txt", Buffer.from(readmeOf(plan)));
  addText("manifest.json", plan.manifest);
  for (const file of plan.files) {
    const open = async () => checked(await sources.read(file), file);
    add(file.path, open, file.sizeBytes);
    note(file.path, file.sha256);
  }
  const { chain } = plan;
  if (chain !== null) {
    const hashed = (hash: string) => note("audit.jsonl", hash);
    add("audit.jsonl", async () => linesOf(sources.chain(chain), hashed));
  }
  add("SHA256SUMS", async () => once(() => sums.sort(byPath).join("")));
  zip.end();
  return output;
}

const byPath = (one: string, other: string) => (one.slice(66) < other.slice(66) ? -1 : 1);

/** What the row says and what is read must be the same, or nobody is to take it for that. */
async function* checked(
  content: AsyncIterable<Uint8Array>,
  { sha256, path }: PackedFile,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for await (const part of content) {
    hash.update(part);
    yield part;
  }
  if (hash.digest("hex") !== sha256) {
    throw new PackedFileDamaged(`${path} is not what was stored`);
  }
}

async function* linesOf(
  lines: AsyncIterable<string>,
  hashed: (hash: string) => void,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for await (const line of lines) {
    const part = Buffer.from(`${line}\n`);
    hash.update(part);
    yield part;
  }
  hashed(hash.digest("hex"));
}

async function* once(text: () => string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text());
}
