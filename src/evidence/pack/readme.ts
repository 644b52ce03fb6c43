import type { PackPlan } from "./plan.ts";

/** In plain words, for whoever opens a pack a year later. */
export const readmeOf = ({ madeAt, count, files, chain, workspaceId }: PackPlan): string => `\
EVIDENCE PACK

Made ${madeAt.toISOString()} for the workspace ${workspaceId}.
${count} ${count === 1 ? "piece" : "pieces"} of evidence, ${files.length} ${files.length === 1 ? "file" : "files"}.

WHAT IS IN IT

evidence/EV-<number>/r<revision>/   the files as they were handed in, byte for byte. Their names are
                                    shortened to letters and digits; the manifest has them as they were.
manifest.json                       of each file: who handed it in, when, in which chat and message, its
                                    size, its type and its SHA-256; of each revision: who decided what.
${
  chain === null
    ? ""
    : `audit.jsonl                         the piece of the audit log from the first entry that is about this
                                    evidence (number ${chain.first}) to the last (number ${chain.last}), none left out.
`
}SHA256SUMS                          the SHA-256 of everything else in this pack.

HOW TO CHECK IT

The zip file as it is, or what it was unpacked into, an empty folder before. With nothing but Node 18 or
newer, and the scripts verify-pack.mjs, pack-contents.mjs, read-zip.mjs and verify-audit.mjs from the
software's sources, NOT from this pack or from whoever gave it to you:

    node verify-pack.mjs PACK

It says "ok", or names the first thing that is wrong: a byte that was changed, a file that is missing, was
added or has another name, a decision about other files than those that are here, a gap or a change in
the log. "sha256sum --check SHA256SUMS" checks the files alone.

What that proves: that nothing in this pack was changed by itself. Somebody who makes everything anew,
log and sums together, is told by the log's head alone: a count and a hash, noted at that time in a place
that they cannot write. With one that is within this piece:

    node verify-pack.mjs PACK --expect COUNT:HASH

The workspace's own audit log has an entry "evidence.packed" with the SHA-256 of this pack's manifest.json.
`;
