import { exactSize, shownSize } from "../../platform/index.ts";
import type { FileFault } from "./file-fault.ts";
import { faultText, type Texts } from "./texts.ts";

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
  /** Null: nothing is wrong. */
  fault: FileFault | null;
}

export interface NamedEvidence {
  id: string;
  /** People call it EV-<number>. */
  number: string;
}

const MAX_NAME_IN_LIST = 60;

const evidenceLine = (texts: Texts, { id, number }: NamedEvidence) =>
  `${texts.evidence}: EV-${number} (${id})`;

/** Of one file. */
export function fileText(texts: Texts, file: EndedFile, evidence: NamedEvidence): string {
  const lines =
    file.state === "stored"
      ? [`${texts.uploaded}: ${file.name}`, ...proofOf(texts, file)]
      : [`${texts.notAccepted}: ${file.name}`, whyNot(texts, file)];
  return [...lines, evidenceLine(texts, evidence)].join("\n");
}

/** Of the files of an album, in their order. */
export function albumText(
  texts: Texts,
  files: readonly EndedFile[],
  evidence: NamedEvidence,
): string {
  const stored = files.filter(({ state }) => state === "stored").length;
  const whole = `${texts.uploaded}: ${texts.ofFiles(stored, files.length)}`;
  const items = files.map((file, n) => {
    const title = `${n + 1}. ${shortName(file.name)}`;
    const lines =
      file.state === "stored"
        ? [title, ...proofOf(texts, file)]
        : [`${title}: ${texts.isNotAccepted}`, whyNot(texts, file)];
    return lines.join("\n");
  });
  return [`${whole}\n${evidenceLine(texts, evidence)}`, ...items].join("\n\n");
}

const whyNot = (texts: Texts, { fault }: EndedFile): string =>
  faultText(texts, fault ?? { kind: "unknown" });

const proofOf = (texts: Texts, { sizeBytes, sha256 }: EndedFile): string[] => [
  `${texts.size}: ${sizeOf(texts, sizeBytes ?? 0)}`,
  `SHA-256: ${sha256 ?? ""}`,
];

/** As people read it, and exactly: sizes are compared. */
function sizeOf({ language }: Texts, bytes: number): string {
  const [shown, exact] = [shownSize(bytes, language), exactSize(bytes, language)];
  return shown === exact ? exact : `${shown} (${exact})`;
}

/** By whole characters; its extension stays. */
function shortName(name: string): string {
  const characters = [...name];
  if (characters.length <= MAX_NAME_IN_LIST) return name;
  const end = 12;
  const start = MAX_NAME_IN_LIST - end - 1;
  return `${characters.slice(0, start).join("")}…${characters.slice(-end).join("")}`;
}
