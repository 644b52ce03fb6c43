/** Names inside a pack are for every system and every program that opens it; the manifest has the real ones. */
const MAX_NAME = 80;
const MAX_EXTENSION = 12;

/**
 * Where a file lies in a pack: `evidence/EV-17/r2/003-report.pdf`. Letters, digits, `.`, `_` and `-` alone,
 * unique by its number. Pure.
 *
 * @param place of the file in its revision, from 0
 */
export function pathInPack(code: string, revision: number, place: number, name: string): string {
  const number = String(place + 1).padStart(3, "0");
  return `evidence/${code}/r${revision}/${number}-${plainName(name)}`;
}

function plainName(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9._-]+/g, "_")
    .replace(/\.{2,}/g, ".")
    .replace(/^[._]+|[._]+$/g, "");
  if (plain === "") return "file";
  const dot = plain.lastIndexOf(".");
  const extension = dot > 0 && plain.length - dot <= MAX_EXTENSION ? plain.slice(dot) : "";
  const stem = plain.slice(0, plain.length - extension.length).slice(0, MAX_NAME);
  // Cut off behind a dot; one at the end of a name Windows leaves out.
  return stem.replace(/\.$/, "") + extension;
}
