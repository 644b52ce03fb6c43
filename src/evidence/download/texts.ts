/**
 * What senders are told of their files: plain text, so that no name is taken for markup. In a group it is
 * read by everybody: names, sizes, hashes and ids, and nothing else of the evidence.
 */

/** A file of which it is known what became of it. */
export interface EndedFile {
  state: "stored" | "failed" | "quarantined";
  name: string;
  sizeBytes: number | null;
  /** In hex. */
  sha256: string | null;
  /** In words; null: nothing is wrong. */
  error: string | null;
}

export interface NamedEvidence {
  id: string;
  /** People call it EV-<number>. */
  number: string;
}

const MAX_NAME_IN_LIST = 60;

const evidenceLine = ({ id, number }: NamedEvidence) => `Evidence: EV-${number} (${id})`;

/** Of one file. */
export function fileText(file: EndedFile, evidence: NamedEvidence): string {
  const lines =
    file.state === "stored"
      ? [`Uploaded: ${file.name}`, ...proofOf(file)]
      : [`Not accepted: ${file.name}`, file.error ?? "It could not be fetched."];
  return [...lines, evidenceLine(evidence)].join("\n");
}

/** Of the files of an album, in their order. */
export function albumText(files: readonly EndedFile[], evidence: NamedEvidence): string {
  const stored = files.filter(({ state }) => state === "stored").length;
  const whole = `Uploaded: ${stored} of ${files.length} ${files.length === 1 ? "file" : "files"}`;
  const items = files.map((file, n) => {
    const title = `${n + 1}. ${shortName(file.name)}`;
    const lines =
      file.state === "stored"
        ? [title, ...proofOf(file)]
        : [`${title}: not accepted`, file.error ?? "It could not be fetched."];
    return lines.join("\n");
  });
  return [`${whole}\n${evidenceLine(evidence)}`, ...items].join("\n\n");
}

const proofOf = ({ sizeBytes, sha256 }: EndedFile): string[] => [
  `Size: ${shownSize(sizeBytes ?? 0)}`,
  `SHA-256: ${sha256 ?? ""}`,
];

/** By whole characters; its extension stays. */
function shortName(name: string): string {
  const characters = [...name];
  if (characters.length <= MAX_NAME_IN_LIST) return name;
  const end = 12;
  const start = MAX_NAME_IN_LIST - end - 1;
  return `${characters.slice(0, start).join("")}…${characters.slice(-end).join("")}`;
}

const UNITS = ["kB", "MB", "GB"];

/** As people read it, and exactly: sizes are compared. */
export function shownSize(bytes: number): string {
  const exact = `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
  let value = bytes;
  let unit = "";
  for (const next of UNITS) {
    if (value < 1_000) break;
    value /= 1_000;
    unit = next;
  }
  return unit === "" ? exact : `${value.toFixed(1)} ${unit} (${exact})`;
}
