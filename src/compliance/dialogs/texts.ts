import type { DecisionRefused, SubmitRefused } from "../../evidence/index.ts";
import type { Language } from "../../platform/index.ts";
import type { LinkFault } from "./links.ts";
import type { Treatment } from "./machine.ts";
import type { ReviewState } from "./machine-compliance-review.ts";
import type { AssessmentState } from "./machine-risk-assessment.ts";
import { TEXTS_DE } from "./texts-de.ts";
import { TEXTS_EN } from "./texts-en.ts";

/**
 * All that dialogs say, in one language. Plain text: what somebody else wrote is made safe by whoever puts
 * it together (`words.ts`). Another language is a file like these, and its line in `TEXTS`.
 */
export interface Texts {
  language: Language;

  /** What pops up at a pressed button: at most 200 characters (Bot API: answerCallbackQuery). */
  answers: {
    unknown: string;
    changed: string;
    over: string;
    notYours: string;
    notReviewer: string;
    notAssessor: string;
    approved: string;
    rejected: string;
  };
  /** Why nothing is begun; at most 200 characters, some pop up at a button. */
  refused: {
    place: string;
    supportChat: string;
    rights: string;
    assess: string;
    assessPlace: string;
    tooLong: string;
    notYours: string;
    noRisk: string;
    closedRisk: string;
  };
  usage: string;
  example: string;
  buttons: Record<
    | "cancel"
    | "uploadDocument"
    | "uploadPhoto"
    | "previous"
    | "next"
    | "skip"
    | "submit"
    | "chooseControl"
    | "changeControl"
    | "approve"
    | "reject"
    | "leave"
    | "yes"
    | "no"
    | "save"
    | "again",
    string
  >;

  /** Messages that are not taken, in the plural, by kind. */
  kinds: Record<string, string>;
  otherKinds: string;
  notAccepted(kinds: string): string;
  /** `name`: null: it has none. */
  tooLarge(name: string | null, most: string): string;
  places: {
    /** Beside the card: the file of a place that moves says the same. */
    live: string;
    none: string;
  };
  linksRefused: Readonly<Record<LinkFault, string>>;

  id: string;
  type: string;
  /** Types of evidence that buttons and files make; others are in the words of who began it. */
  types: Record<string, string>;
  description: string;
  control: string;
  noControl: string;
  /** Who did it, behind what was done; begins with a space. */
  by(name: string): string;
  crowdedOut: string;

  collection: {
    title: string;
    selectType: string;
    orRequests: string;
    created: string;
    upload(number: string): string;
    /** `inReply`: in a group most of what is written is said to others, and only replies are taken. */
    describe(inReply: boolean): string;
    received(number: string): string;
    searched: string;
    noControlFound: string;
    whichControl(inReply: boolean): string;
    furtherFiles: string;
    submitOrMore: string;
    /** Over a button. */
    submitted: string;
    wasSubmitted(number: string): string;
    /** `by`: null: it is not known. */
    wasApproved(number: string, by: string | null): string;
    /** Without its end: a reason may follow. */
    wasRejected(number: string, by: string | null): string;
    cancelled: string;
    expired: string;
    stays(number: string): string;
    /** `number`: null: there is no record yet. */
    reminder(number: string | null, waitsFor: "submission" | "step"): string;
    notTaken: string;
    /** Over a button. */
    gone: string;
    /** Over a button. */
    controlGone: string;
    /** Over a button. */
    refused: Record<SubmitRefused, string>;
  };

  review: {
    title(number: string, revision: number): string;
    handedIn: string;
    file: string;
    moreFiles(count: number): string;
    /** How much more waits than a chat is shown. */
    waiting(count: number): string;
    /** `most`: as the language writes the number; there is more than that. */
    manyWait(most: string): string;
    /** Null: nothing is said in this state. Of a decision without who made it. */
    outcomes: Record<ReviewState, string | null>;
    reminder(number: string): string;
    /** Over a button, or as a message. */
    refused: Record<DecisionRefused, string>;
  };

  assessment: {
    title: string;
    inherent: string;
    residual: string;
    treatment: string;
    reason: string;
    hasChanged: string;
    questions: Record<AssessmentState, string>;
    treatments: Record<Treatment, string>;
    /** Over a button. */
    saved: string;
    reminder(code: string): string;
  };
}

const TEXTS: Record<Language, Texts> = { en: TEXTS_EN, de: TEXTS_DE };

export const textsIn = (language: Language): Texts => TEXTS[language];

/** For who caused an event; where nobody did, for whom the dialog asks. */
export const textsTo = (dialog: { language: Language }, context: { language?: Language }): Texts =>
  textsIn(context.language ?? dialog.language);
