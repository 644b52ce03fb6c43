/**
 * Checks an evidence pack, the zip file or the folder that it was unpacked into, with nothing but Node (18
 * or newer) and the other files of its own that it imports, apart from the system that made it:
 *
 *   node verify-pack.mjs PACK [--expect COUNT:HASH]
 *
 * A zip file must be one as read-zip.mjs takes it, so that it is for everybody what it is for this. It
 * must hold what SHA256SUMS names and nothing else, each file with its hash; the manifest must
 * name the same files with the same hashes and sizes; each decision must be about the files that are
 * there. The piece of the audit log must hang together (verify-audit.mjs), and what it says of decisions,
 * files and expiry must be what the manifest says, no less and no more.
 * `--expect` is a head of the log that was noted earlier.
 */
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import { openContents, readLines, readWhole } from "./pack-contents.mjs";
import { verifyLines } from "./verify-audit.mjs";

const FORMAT = "heliograph-evidence-pack-1";
const SUMS = "SHA256SUMS";
const MANIFEST = "manifest.json";
const LOG = "audit.jsonl";
const SUMS_LINE = /^([0-9a-f]{64}) {2}([A-Za-z0-9._/-]+)$/;

async function hashOf(contents, name) {
  const hash = createHash("sha256");
  for await (const part of contents.read(name)) hash.update(part);
  return hash.digest("hex");
}

async function readSums(contents) {
  const text = (await readWhole(contents, SUMS)).toString("latin1");
  if (!text.endsWith("\n")) throw new Error(`${SUMS} does not end with its last line`);
  const sums = new Map();
  for (const line of text.slice(0, -1).split("\n")) {
    const [, hash, name] = SUMS_LINE.exec(line) ?? [];
    if (name === undefined) throw new Error(`${SUMS} has a line that is none of it`);
    if (sums.has(name)) throw new Error(`${SUMS} names ${name} twice`);
    sums.set(name, hash);
  }
  return sums;
}

/** Nothing missing, nothing added, every byte as it was. */
async function verifyFiles(contents) {
  const found = new Set(contents.sizes.keys());
  if (!found.delete(SUMS)) throw new Error(`${SUMS} is missing`);
  const sums = await readSums(contents);
  for (const name of sums.keys()) if (!found.has(name)) throw new Error(`${name} is missing`);
  for (const name of found) if (!sums.has(name)) throw new Error(`${name} was added`);
  for (const [name, hash] of sums) {
    if ((await hashOf(contents, name)) !== hash) throw new Error(`${name} was changed`);
  }
  return sums;
}

/** What a decision was about: as content-digest.ts has it. */
function contentDigest(files) {
  const lines = files
    .filter(({ isDecidedOn }) => isDecidedOn)
    .map(({ id, sha256, sizeBytes }) => `${id} ${sha256} ${sizeBytes}\n`);
  return createHash("sha256").update(lines.sort().join("")).digest("hex");
}

/** The manifest says of each file what is there, and of nothing else. Answers its decisions. */
function verifyManifest(contents, sums, manifest) {
  const others = new Set(sums.keys());
  for (const name of ["README.txt", MANIFEST]) {
    if (!others.delete(name)) throw new Error(`${name} is missing`);
  }
  if (others.delete(LOG) !== (manifest.audit !== null)) {
    throw new Error(`the manifest and ${LOG} do not go together`);
  }
  const decisions = [];
  const named = new Set();
  /** Of two under one name the log would speak of one, and the other be believed. */
  const once = (what, name) => {
    if (named.has(name)) throw new Error(`${what} stands in the manifest twice`);
    named.add(name);
  };
  for (const piece of manifest.evidence) {
    once(piece.code, `evidence ${piece.id}`);
    for (const revision of piece.revisions) {
      const what = `${piece.code}, revision ${revision.number}`;
      once(what, `revision ${piece.id} ${revision.number}`);
      for (const file of revision.files) {
        once(`${what}: file ${file.id}`, `file ${file.id}`);
        if (file.path === null) continue;
        if (file.state !== "stored") {
          throw new Error(`${what}: ${file.path} is of a file that is not stored`);
        }
        if (!others.delete(file.path)) throw new Error(`${what}: ${file.path} is missing`);
        if (sums.get(file.path) !== file.sha256) {
          throw new Error(`${what}: ${file.path} is not the file that the manifest names`);
        }
        if (contents.sizes.get(file.path) !== file.sizeBytes) {
          throw new Error(`${what}: ${file.path} has another size than the manifest says`);
        }
      }
      if (revision.decision === null) continue;
      const content = contentDigest(revision.files);
      if (content !== revision.content) {
        throw new Error(`${what}: it was decided about other files than these`);
      }
      decisions.push({ what, id: piece.id, ...revision });
    }
  }
  for (const name of others) throw new Error(`${name} is in no place of the manifest`);
  return decisions;
}

const keyOf = (id, number, decision) => `${id} ${number} ${decision}`;

/** What the log says of one piece of evidence. */
const newPieceLog = () => ({
  isCreated: false,
  decisions: new Map(),
  expired: new Set(),
  files: new Map(),
  removed: 0,
});

function note(log, { action, subjectId, details }) {
  switch (action) {
    case "evidence.created":
      log.isCreated = true;
      return;
    case "evidence.approved":
    case "evidence.rejected": {
      const decision = action.slice("evidence.".length);
      log.decisions.set(keyOf(subjectId, details.revision, decision), details);
      return;
    }
    case "evidence.expired":
      log.expired.add(details.revision);
      return;
    case "evidence.file_ended":
      // What failed may be fetched again; what is here stays what it is.
      if (isHere(details)) log.files.set(details.fileId, details);
      return;
    case "evidence.content_removed":
      log.removed += details.count;
  }
}

const isHere = ({ state }) => state === "stored" || state === "quarantined";

/** What was left out of the manifest, put in, or made out to be something else: the log tells. */
function verifyPiece(piece, log) {
  const { id, code, revisions } = piece;
  if (!log.isCreated) throw new Error(`${code}: the log does not say that there is such evidence`);
  const decided = new Map(revisions.map(({ number, decision }) => [number, decision]));
  for (const [key, { revision }] of log.decisions) {
    if (key !== keyOf(id, revision, decided.get(revision))) {
      throw new Error(`${code}: the log says of revision ${revision} what the manifest does not`);
    }
  }
  const files = revisions.flatMap((revision) => revision.files);
  const here = new Map(files.filter(isHere).map((file) => [file.id, file]));
  for (const fileId of new Set([...here.keys(), ...log.files.keys()])) {
    const [file, logged] = [here.get(fileId), log.files.get(fileId)];
    if (["state", "sha256", "sizeBytes"].some((name) => !file || file[name] !== logged?.[name])) {
      throw new Error(`${code}: the log says something else of file ${fileId}`);
    }
  }
  const gone = files.filter(({ state, path: place }) => state === "stored" && place === null);
  if (gone.length > log.removed) {
    throw new Error(`${code}: a file is not here, and the log does not say that it was removed`);
  }
  verifyStanding(piece, (number) => decided.get(number) === "approved" && !log.expired.has(number));
}

/** Where it is said to stand follows from its revisions. */
function verifyStanding({ code, status, approvedRevision, revisions }, counts) {
  const decision = { approved: "approved", expired: "approved", rejected: "rejected" }[status];
  if ((revisions.at(-1)?.decision ?? null) !== (decision ?? null)) {
    throw new Error(`${code}: it is said to be ${status}, which its newest revision is not`);
  }
  if (approvedRevision === null ? status === "approved" : !counts(approvedRevision)) {
    throw new Error(`${code}: a revision is said to count that was not approved, or has expired`);
  }
}

/** The log hangs together, and says of each decision what the manifest says. */
async function verifyLog(contents, manifest, decisions, expect) {
  const logs = new Map(manifest.evidence.map(({ id }) => [id, newPieceLog()]));
  const noting = (entry) => {
    const log = logs.get(entry.subjectId);
    if (log !== undefined) note(log, entry);
  };
  const lines = readLines(contents, LOG);
  const { chain, first, last, head } = await verifyLines(lines, expect, noting);
  if (chain !== manifest.workspaceId) throw new Error(`${LOG} is of another workspace`);
  if (first !== manifest.audit.first || last !== manifest.audit.last) {
    throw new Error(`${LOG} is another piece of the log than the manifest says`);
  }
  for (const { what, id, number, decision, decidedBy, content } of decisions) {
    const entry = logs.get(id).decisions.get(keyOf(id, number, decision));
    if (entry === undefined)
      throw new Error(`${what}: the log does not say that it was ${decision}`);
    if (entry.content !== content) {
      throw new Error(`${what}: the log says that other files were ${decision}`);
    }
    if (entry.by !== decidedBy) throw new Error(`${what}: the log says that somebody else decided`);
  }
  for (const piece of manifest.evidence) verifyPiece(piece, logs.get(piece.id));
  return { first, last, head };
}

/** Checks a pack; throws an `Error` that names the first thing that is wrong. */
export async function verifyPack(pack, expect) {
  const contents = await openContents(pack);
  try {
    return await verifyContents(contents, expect);
  } finally {
    await contents.close();
  }
}

async function verifyContents(contents, expect) {
  const sums = await verifyFiles(contents);
  if (!sums.has(MANIFEST)) throw new Error(`${MANIFEST} is missing`);
  const manifest = JSON.parse(await readWhole(contents, MANIFEST));
  if (manifest.format !== FORMAT) throw new Error(`${MANIFEST} is not of a ${FORMAT}`);
  const decisions = verifyManifest(contents, sums, manifest);
  // That there is evidence at all is in the log.
  if (manifest.audit === null) throw new Error("there is no log in this pack");
  const log = await verifyLog(contents, manifest, decisions, expect);
  return { evidence: manifest.evidence.length, files: sums.size - 3, log };
}

async function main([pack, option, noted]) {
  const expected = /^([0-9]+):([0-9a-f]{64})$/.exec(noted ?? "");
  if (pack === undefined || (option !== undefined && (option !== "--expect" || !expected))) {
    throw new Error("use: node verify-pack.mjs PACK [--expect COUNT:HASH]");
  }
  const expect = expected ? { count: Number(expected[1]), hash: expected[2] } : undefined;
  const { evidence, files, log } = await verifyPack(pack, expect);
  const pieces = evidence === 1 ? "1 piece" : `${evidence} pieces`;
  const filesFound = files === 1 ? "1 file" : `${files} files`;
  process.stdout.write(
    `ok: ${pieces} of evidence, ${filesFound}\nlog: entries ${log.first} to ${log.last}\nhead: ${plain(`${log.head.count}:${log.head.hash}`)}\n`,
  );
}

/** Names in a pack are whoever's who made it, and are not to steer a terminal. */
const plain = (text) => text.replace(/[\p{Cc}\p{Cf}]/gu, "?");

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  main(process.argv.slice(2)).catch((error) => {
    process.stderr.write(`not ok: ${plain(error.message)}\n`);
    process.exitCode = 1;
  });
}
