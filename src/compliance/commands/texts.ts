import { LANGUAGES, type Language, languageOf } from "../../platform/index.ts";
import type { CONTROL_STATUSES, RiskLevel, TREATMENTS } from "../../register/index.ts";
import type { CommandName } from "./command-list.ts";
import { TEXTS_DE } from "./texts-de.ts";
import { TEXTS_EN } from "./texts-en.ts";

export type ControlStatus = (typeof CONTROL_STATUSES)[number];
export type Treatment = (typeof TREATMENTS)[number];
export type ReportType = "compliance" | "risk" | "evidence" | "audit";

/**
 * All that commands say, in one language. Plain text: whoever puts it together makes it safe, and marks
 * it up. Another language is a file like these, and its line in `TEXTS`.
 */
export interface Texts {
  /** BCP 47: how numbers are written. */
  locale: string;

  /** What each command does: at most 256 characters (Bot API: BotCommand). */
  commands: Record<CommandName, string>;
  help: {
    title: string;
    /** In a private chat where files are taken as evidence. */
    files: string;
    /** In a private chat. */
    writing: string;
    /** In a group. */
    inGroups: string;
    sent: string;
  };

  usage: string;
  example: string;
  faults: { "unfinished-quote": string; "too-many": string; "too-long": string };
  /** To whoever may not; then how to become somebody who may. */
  refused: string;
  howToJoin: string;
  /** At most 200 characters, as what is shown over a button. */
  refusedShort: string;

  answeredInPrivate: string;
  cannotWriteInPrivate: string;
  openBot: string;

  nothingBehindButton: string;
  onlyInPrivate: string;
  tooOld: string;
  page(page: number, pages: number): string;
  moreElsewhere: string;

  /** `score`: from 0 to 100; null: nothing to tell it from. */
  ofHundred(score: number | null): string;
  compliance: {
    title: string;
    overall: string;
    criticalIssues: string;
    openTasks: string;
    updated: string;
    noFrameworks: string;
    score: string;
    requirements: string;
    met: string;
    withoutControl: string;
    controls: string;
    statuses: Record<ControlStatus, string>;
    all: string;
    unknown(name: string): string;
    didYouMean: string;
    seeAll: string;
  };
  risk: {
    title: string;
    total: string;
    levels: Record<RiskLevel, string>;
    unassessed: string;
    treatments: Record<Treatment, string>;
    top: string;
    /** On a button. */
    assess(code: string): string;
    ofLevel(level: string): string;
    none: string;
    unknownLevel(word: string): string;
    levelsAre: string;
    /** What people call levels, lower case. */
    levelWords: Record<string, RiskLevel>;
  };
  audit: {
    underWay: string;
    noneUnderWay: string;
    statuses: { planned: string; in_progress: string };
    planned(code: string): string;
    type: string;
    framework: string;
    next: string;
  };
  reports: {
    ready: string;
    titles: Record<ReportType, string>;
    period: string;
    generated: string;
    types: string;
    periods: string;
    unknownType(word: string): string;
    unknownPeriod(word: string): string;
    notBegun: string;
    /** What people call types, lower case. */
    typeWords: Record<string, ReportType>;
    now: string;
    inPeriod: string;
    figures: {
      findingsRecorded: string;
      auditsPlanned: string;
      auditsUnderWay: string;
      auditsRecorded: string;
      risksRecorded: string;
      risksAccepted: string;
      evidenceHandedIn: string;
      evidenceApproved: string;
      evidenceRejected: string;
      evidenceInReview: string;
    };
    moreThan(count: string): string;
  };

  wordsNotTaken: string;
}

const TEXTS: Record<Language, Texts> = { en: TEXTS_EN, de: TEXTS_DE };

/** Languages that lists of commands are made in, besides English for everybody else. */
export const OTHER_LANGUAGES = LANGUAGES.filter((language) => language !== "en");

/** Words are understood in whatever language they are. */
export const ALL_TEXTS: readonly Texts[] = Object.values(TEXTS);

/** By what the user's app says it speaks; else English. */
export const textsFor = (languageCode: string | null): Texts => TEXTS[languageOf(languageCode)];
