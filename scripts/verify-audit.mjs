/**
 * Checks an exported audit log with nothing but Node (18 or newer), apart from the system that wrote it:
 *
 *   node verify-audit.mjs FILE [--expect COUNT:HASH]
 *
 * Each line's hash must be the SHA-256 of its canonical JSON (RFC 8785) without the hash, each line must
 * name the hash of the line before it, and the numbers must rise by one from the first to the last that
 * the file speaks of. `--expect` is a head noted earlier: the file must still hold that entry. A file
 * that hangs together proves that nothing inside it was changed afterwards, and, with a head that was
 * noted elsewhere, that it is the log it was then.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const FORMAT = "heliograph-audit-1";
const NO_HASH = "0".repeat(64);
/** The installation's own chain. */
const NIL = "00000000-0000-0000-0000-000000000000";

/** RFC 8785, for what JSON can hold. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

const hashOf = ({ hash: _, ...line }) =>
  createHash("sha256").update(canonical(line), "utf8").digest("hex");

/**
 * Checks lines of an export. Answers how many entries there are and where they end; throws an `Error`
 * that names the first thing that is wrong. `onEntry` is told of each entry that is in the chain: the
 * first and the last line are in none, and whatever else stands in them is nobody's word.
 */
export async function verifyLines(lines, expect, onEntry = () => {}) {
  let header;
  let end;
  let next = 0;
  let previous = NO_HASH;
  let isExpectedMet = false;
  for await (const text of lines) {
    if (text.trim() === "") continue;
    const line = JSON.parse(text);
    if (header === undefined) {
      if (line.format !== FORMAT) throw new Error(`the first line is not of a ${FORMAT} file`);
      header = line;
      next = line.first;
      continue;
    }
    if (end !== undefined) throw new Error("something follows the end of the file's chain");
    if (line.head !== undefined) {
      end = line.head;
      continue;
    }
    if (line.number !== next) throw new Error(`entry ${next} is missing`);
    if (line.missing) throw new Error(`entry ${next} was deleted`);
    if (next > header.last) throw new Error(`entry ${next} is not among those of the first line`);
    if ((line.workspaceId ?? NIL) !== header.workspaceId) {
      throw new Error(`entry ${next} is of another chain`);
    }
    if ((next > header.first || next === 1) && line.previous !== previous) {
      throw new Error(`entry ${next} does not follow the entry before it`);
    }
    if (hashOf(line) !== line.hash) throw new Error(`entry ${next} was changed`);
    if (expect?.count === next) {
      if (expect.hash !== line.hash) throw new Error(`entry ${next} is not the one that was noted`);
      isExpectedMet = true;
    }
    onEntry(line);
    previous = line.hash;
    next++;
  }
  if (header === undefined) throw new Error("the file is empty");
  if (next !== header.last + 1) throw new Error(`entries ${next} to ${header.last} are missing`);
  if (end === undefined) throw new Error("the last line is missing: where the chain ends");
  if (end.count < header.last) throw new Error("the chain ends before the file does");
  if (end.count === header.last && header.last >= header.first && end.hash !== previous) {
    throw new Error("the last entry is not the one that the chain ends with");
  }
  if (expect !== undefined && !isExpectedMet) {
    throw new Error(`entry ${expect.count}, which was noted, is not in this file`);
  }
  // Where the chain goes on behind a piece, its end is the file's word alone: the head is the piece's.
  const head = next > header.first ? { count: header.last, hash: previous } : end;
  return { chain: header.workspaceId, first: header.first, last: header.last, head };
}

async function main([file, option, noted]) {
  const expected = /^([0-9]+):([0-9a-f]{64})$/.exec(noted ?? "");
  if (file === undefined || (option !== undefined && (option !== "--expect" || !expected))) {
    throw new Error("use: node verify-audit.mjs FILE [--expect COUNT:HASH]");
  }
  const expect = expected ? { count: Number(expected[1]), hash: expected[2] } : undefined;
  const lines = createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  const { chain, first, last, head } = await verifyLines(lines, expect);
  process.stdout.write(
    `ok: entries ${first} to ${last} of ${chain}\nhead: ${head.count}:${head.hash}\n`,
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  main(process.argv.slice(2)).catch((error) => {
    process.stderr.write(`not ok: ${error.message}\n`);
    process.exitCode = 1;
  });
}
