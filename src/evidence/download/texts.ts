import { type Language, shownSize } from "../../platform/index.ts";
import type { FileFault, FileFaultKind } from "./file-fault.ts";
import { TEXTS_DE } from "./texts-de.ts";
import { TEXTS_EN } from "./texts-en.ts";

/**
 * What people are told of their files, in one language. Plain text. Another language is a file like
 * these, and its line in `TEXTS`.
 */
export interface Texts {
  language: Language;
  uploaded: string;
  notAccepted: string;
  /** Behind the name of one of several. */
  isNotAccepted: string;
  ofFiles(stored: number, all: number): string;
  size: string;
  evidence: string;
  /** Why it is not here and what to do; those below where what they name is known. */
  faults: Record<FileFaultKind, string>;
  tooLarge(most: string): string;
  typeNotTaken(contentType: string): string;
  harmful(finding: string): string;
}

const TEXTS: Record<Language, Texts> = { en: TEXTS_EN, de: TEXTS_DE };

export const textsIn = (language: Language): Texts => TEXTS[language];

/** Why a file is not here, in a sentence or two. */
export function faultText(texts: Texts, { kind, about }: FileFault): string {
  if (about !== undefined) {
    switch (kind) {
      case "too-large":
        return texts.tooLarge(shownSize(Number(about), texts.language));
      case "type-not-taken":
        return texts.typeNotTaken(String(about));
      case "harmful":
        return texts.harmful(String(about));
    }
  }
  return texts.faults[kind] ?? texts.faults.unknown;
}
