import type { ControlOption, Rating, Treatment } from "./machine.ts";
import type { ReviewData, ReviewState } from "./machine-compliance-review.ts";
import type { CollectionData, CollectionState } from "./machine-evidence-collection.ts";
import type { AssessmentData, AssessmentState } from "./machine-risk-assessment.ts";

/** What dialogs say. Plain text: nothing that somebody typed is read as markup. */

/** At most so many UTF-16 units, and no half of a character, which jsonb refuses. */
export const atMost = (text: string, length: number): string =>
  text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "");

const cut = (text: string, length: number): string =>
  text.length <= length ? text : `${atMost(text, length - 1)}…`;

/** What somebody else wrote, which must not look like lines of ours, nor turn around what follows. */
export const line = (text: string, length = 200): string =>
  cut(text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, " ").trim(), length);

/** What pops up at a pressed button: at most 200 characters (Bot API: answerCallbackQuery). */
export const ANSWERS = {
  unknown: "This button does nothing any more.",
  changed: "This card has changed since. Use the buttons that it shows now.",
  over: "This is over.",
  notYours: "Only who began this may press its buttons.",
  notReviewer: "Only who reviews evidence can decide this.",
  notAssessor: "Only compliance officers assess risks.",
  approved: "Approved.",
  rejected: "Rejected.",
} as const;

const text = (...lines: Array<string | null>): string =>
  lines.filter((one) => one !== null).join("\n");

const about = (description: string): string | null =>
  description === "" ? null : `Description: ${line(description, 500)}`;
const controlLine = (control: Pick<ControlOption, "code" | "title"> | null): string =>
  `Control: ${control === null ? "none" : line(`${control.code} ${control.title}`)}`;
const by = (name: string | null): string => (name === null ? "" : ` by ${line(name, 100)}`);
const because = (reason: string | null): string =>
  reason === null ? "." : `: ${line(reason, 1_000)}`;

export const USAGE = text(
  "Usage: /evidence [type] [description]",
  'Example: /evidence document "Quarterly compliance report"',
);

export const REFUSED = {
  place: "Evidence is handed in in a private chat with me, or in a group for compliance.",
  supportChat: "This chat is for support: no evidence is taken here.",
  rights:
    "You may not hand in evidence here. Somebody of your workspace can send you a link that says who you are.",
  assess: "Only compliance officers assess risks.",
  assessPlace: "Risks are assessed in a private chat with me.",
  tooLong: "That is too long: a type has at most 100 characters, a description 4,000.",
  notYours: "You have begun no such evidence, or it is submitted already.",
  noRisk: "There is no such risk.",
  closedRisk: "That risk is closed.",
} as const;

const KIND_NAMES: Record<string, string> = {
  video: "videos",
  video_note: "video messages",
  voice: "voice messages",
  audio: "audio files",
  animation: "animations",
  location: "places",
  venue: "places",
};

export const notAccepted = (kind: string): string =>
  `Your message has arrived, but ${KIND_NAMES[kind] ?? "such messages"} are not taken as evidence here. For evidence, send a document or a photo.`;

export const tooLarge = (name: string | null, maxBytes: number): string => {
  const file = name === null ? "This file" : `“${line(name, 100)}”`;
  return `${file} is too large: at most ${size(maxBytes)} are taken.`;
};

const UNITS = ["bytes", "KB", "MB", "GB"];
function size(bytes: number): string {
  const power = Math.min(3, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return `${Math.floor((bytes / 1_024 ** power) * 10) / 10} ${UNITS[power]}`;
}

/** In a group most of what is written is said to others: only replies are taken. */
const writing = (isPrivate: boolean): string =>
  isPrivate ? "write" : "write in reply to this message";

export const COLLECTION = {
  submitted: "Submitted for review.",
  notTaken: "What this album belongs to is over: this file was not taken.",
  refused: {
    unknown: "That evidence is gone.",
    "not-draft": "It is submitted already, or nothing was handed in yet.",
    "no-content": "None of its files could be kept. Please send another one first.",
  },
  gone: "That is not asked for any more.",
  controlGone: "That control is not there any more.",
  approved: (number: string, name: string | null) => `EV-${number} was approved${by(name)}.`,
  rejected: (number: string, name: string | null, reason: string | null) =>
    `EV-${number} was rejected${by(name)}${because(reason)}`,
  choosingType: (hasRequests: boolean) =>
    text(
      USAGE,
      "",
      "Evidence collection",
      "Select the type of evidence:",
      hasRequests ? "Or answer what was asked for." : null,
    ),
  ready: (id: string, { number, evidenceType, description }: CollectionData) =>
    text(
      "Evidence record created.",
      `ID: EV-${number} (${id})`,
      `Type: ${line(evidenceType, 100)}`,
      about(description),
    ),
  awaitingFile: ({ number, description, rejected }: CollectionData, isPrivate: boolean) =>
    text(
      rejected,
      `Please upload the file for evidence EV-${number}.`,
      about(description),
      `What you ${writing(isPrivate)} before it becomes its description.`,
    ),
  choosingControl: (data: CollectionData, isPrivate: boolean) =>
    text(
      `EV-${data.number}: your file was received.`,
      about(data.description),
      data.query === "" ? null : `Searched for: ${line(data.query, 100)}`,
      data.options.length === 0 && data.query !== "" ? "No control was found." : null,
      `Which control does it prove? Choose one, or ${writing(isPrivate)} a part of its code or title.`,
      "Further files are added to it.",
    ),
  confirming: ({ number, description, control }: CollectionData) =>
    text(
      `EV-${number}: your file was received.`,
      about(description),
      controlLine(control),
      "Submit it for review, or send further files first.",
    ),
  over: (
    state: Extract<CollectionState, "submitted" | "approved" | "cancelled" | "expired">,
    { number, description, control, crowdedOut }: CollectionData,
  ) => {
    if (state === "submitted" || state === "approved") {
      const end = state === "submitted" ? "was submitted for review." : "was approved.";
      return text(`EV-${number} ${end}`, about(description), controlLine(control));
    }
    const why = crowdedOut ? "Ended, because newer ones were begun." : "Cancelled.";
    const stays =
      number === null
        ? ""
        : ` EV-${number} stays as it is; /evidence EV-${number} goes on with it.`;
    return `${state === "expired" ? "Expired: nothing came in time." : why}${stays}`;
  },
  reminder: (state: CollectionState, number: string | null) => {
    const what = number === null ? "Your evidence" : `EV-${number}`;
    const waits = state === "confirming" ? "to be submitted for review" : "for your next step";
    return `${what} still waits ${waits}. It expires soon.`;
  },
} as const;

const OUTCOMES: Record<ReviewState, string | null> = {
  deciding: null,
  "awaiting-reason": "Why is it rejected? Answer this message in words.",
  approved: "Approved",
  rejected: "Rejected",
  superseded: "It is not as it was when you were asked: this card decides nothing any more.",
  left: "Left to others.",
  expired: "Nobody decided here in time. It still waits for its review.",
};

/** More are not counted. */
export const MOST_WAITING = 1_000;
const waitingOf = (count: number): string =>
  count > MOST_WAITING
    ? "More than 1,000 others wait for their review."
    : `${count} more wait for their review.`;

export const REVIEW = {
  reminder: (number: string) => `EV-${number} still waits for its review.`,
  refused: {
    own: "Whoever handed it in does not approve it.",
    "not-in-review": "Somebody else has decided this.",
    superseded: "Another file came since: this card is of an older revision.",
    incomplete: "A file of it is not here yet, or could not be fetched. Try again later.",
    over: "The last day on which it counts is over. It can be approved once it has another one.",
    unknown: "That evidence is gone.",
  },
  card: (state: ReviewState, data: ReviewData) => {
    const { number, evidenceType, description, control, revision, files, fileCount, waiting } =
      data;
    const more = fileCount - files.length;
    const outcome = OUTCOMES[state];
    const decided =
      state === "approved" || state === "rejected"
        ? `${outcome}${by(data.outcome?.decidedBy ?? null)}${because(
            state === "rejected" ? (data.outcome?.reason ?? null) : null,
          )}`
        : outcome;
    return text(
      `Review of EV-${number}, revision ${revision}`,
      `Type: ${line(evidenceType, 100)}`,
      about(description),
      controlLine(control),
      data.submittedBy === null ? null : `Handed in${by(data.submittedBy)}`,
      ...files.map((name) => `File: ${line(name, 100)}`),
      more > 0 ? `… and ${more} more` : null,
      decided === null ? null : "",
      decided,
      state === "deciding" && waiting > 0 ? `\n${waitingOf(waiting)}` : null,
    );
  },
} as const;

const times = ({ likelihood, impact }: Rating): string =>
  `${likelihood} × ${impact} = ${likelihood * impact}`;

const QUESTIONS: Record<AssessmentState, string> = {
  "inherent-likelihood": "How likely is it, before anything is done? 1: rare, 5: almost certain.",
  "inherent-impact": "How bad would it be, before anything is done? 1: hardly, 5: severe.",
  "asking-residual": "Is something done about it already, that leaves less of it?",
  "residual-likelihood": "How likely is what is left of it? 1: rare, 5: almost certain.",
  "residual-impact": "How bad would what is left of it be? 1: hardly, 5: severe.",
  treatment: "How is it treated?",
  "awaiting-reason": "Why is it accepted? Answer in words.",
  confirming: "Save this assessment?",
  saved: "Saved.",
  cancelled: "Cancelled: the risk is as it was.",
  expired: "Expired: the risk is as it was.",
};

const TREATMENTS: Record<Treatment, string> = {
  mitigate: "Mitigate",
  accept: "Accept",
  avoid: "Avoid",
  transfer: "Transfer",
};

export const ASSESSMENT = {
  saved: "Saved.",
  treatments: TREATMENTS,
  reminder: (code: string) =>
    `Your assessment of ${line(code, 60)} is not saved yet. It expires soon.`,
  card: (state: AssessmentState, data: AssessmentData) => {
    const { code, title, inherent, residual, treatment, reason, hasChanged, crowdedOut } = data;
    return text(
      `Risk assessment: ${line(`${code} ${title}`)}`,
      inherent === null ? null : `Inherent: ${times(inherent)}`,
      residual === null ? null : `Residual: ${times(residual)}`,
      treatment === null ? null : `Treatment: ${TREATMENTS[treatment]}`,
      reason === null ? null : `Reason: ${line(reason, 1_000)}`,
      hasChanged && state === "confirming"
        ? "Somebody changed this risk since you began. Saving replaces what they said."
        : null,
      "",
      crowdedOut ? "Ended, because newer ones were begun." : QUESTIONS[state],
    );
  },
} as const;
