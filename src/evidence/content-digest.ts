import { sha256 } from "../platform/index.ts";

/** A stored file, as far as a decision is about it. */
export interface DecidedFile {
  id: string;
  /** In hex. */
  sha256: string;
  sizeBytes: number;
}

/**
 * What a decision is about: SHA-256, in hex, over a line `<id> <sha256> <size>` for each stored file of
 * the revision, in the order of their ids. It stands in the audit log's entry of the decision, so that
 * the log's chain holds what was decided on, and not only that somebody did. `scripts/verify-pack.mjs`
 * does the same with nothing but Node.
 */
export function contentDigest(files: readonly DecidedFile[]): string {
  const lines = files.map(({ id, sha256: hash, sizeBytes }) => `${id} ${hash} ${sizeBytes}\n`);
  return sha256(lines.sort().join("")).toString("hex");
}
