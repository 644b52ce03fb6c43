import { shownSize } from "../../platform/index.ts";
import type { ControlOption, Rating } from "./machine.ts";
import type { ReviewData, ReviewState } from "./machine-compliance-review.ts";
import type { CollectionData, CollectionState } from "./machine-evidence-collection.ts";
import type { AssessmentData, AssessmentState } from "./machine-risk-assessment.ts";
import type { Texts } from "./texts.ts";

/** What cards say, in the words of a language. Plain text: nothing that somebody typed is read as markup. */

/** At most so many UTF-16 units, and no half of a character, which jsonb refuses. */
export const atMost = (text: string, length: number): string =>
  text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "");

const cut = (text: string, length: number): string =>
  text.length <= length ? text : `${atMost(text, length - 1)}…`;

/** What somebody else wrote, which must not look like lines of ours, nor turn around what follows. */
export const line = (text: string, length = 200): string =>
  cut(text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, " ").trim(), length);

const text = (...lines: Array<string | null>): string =>
  lines.filter((one) => one !== null).join("\n");

const named = (label: string, value: string): string => `${label}: ${value}`;
const nameOf = (name: string | null): string | null => (name === null ? null : line(name, 100));
const because = (reason: string | null): string =>
  reason === null ? "." : `: ${line(reason, 1_000)}`;

const about = (texts: Texts, description: string): string | null =>
  description === "" ? null : named(texts.description, line(description, 500));
const controlLine = (texts: Texts, control: Pick<ControlOption, "code" | "title"> | null): string =>
  named(
    texts.control,
    control === null ? texts.noControl : line(`${control.code} ${control.title}`),
  );
const wordFor = (words: Record<string, string>, kind: string): string | undefined =>
  Object.hasOwn(words, kind) ? words[kind] : undefined;
const typeLine = (texts: Texts, evidenceType: string): string =>
  named(texts.type, wordFor(texts.types, evidenceType) ?? line(evidenceType, 100));

export const notAccepted = (texts: Texts, kind: string): string =>
  texts.notAccepted(wordFor(texts.kinds, kind) ?? texts.otherKinds);

export const tooLarge = (texts: Texts, name: string | null, maxBytes: number): string =>
  texts.tooLarge(nameOf(name), shownSize(maxBytes, texts.language));

export const COLLECTION = {
  approved: ({ collection }: Texts, number: string, name: string | null) =>
    collection.wasApproved(number, nameOf(name)),
  rejected: ({ collection }: Texts, number: string, name: string | null, reason: string | null) =>
    `${collection.wasRejected(number, nameOf(name))}${because(reason)}`,
  choosingType: ({ usage, example, collection }: Texts, hasRequests: boolean) =>
    text(
      usage,
      example,
      "",
      collection.title,
      collection.selectType,
      hasRequests ? collection.orRequests : null,
    ),
  ready: (texts: Texts, id: string, { number, evidenceType, description }: CollectionData) =>
    text(
      texts.collection.created,
      named(texts.id, `EV-${number} (${id})`),
      typeLine(texts, evidenceType),
      about(texts, description),
    ),
  awaitingFile: (texts: Texts, data: CollectionData, isPrivate: boolean) =>
    text(
      data.rejected,
      texts.collection.upload(data.number ?? ""),
      about(texts, data.description),
      texts.collection.describe(!isPrivate),
    ),
  choosingControl: (texts: Texts, data: CollectionData, isPrivate: boolean) => {
    const words = texts.collection;
    return text(
      words.received(data.number ?? ""),
      about(texts, data.description),
      data.query === "" ? null : named(words.searched, line(data.query, 100)),
      data.options.length === 0 && data.query !== "" ? words.noControlFound : null,
      words.whichControl(!isPrivate),
      words.furtherFiles,
    );
  },
  confirming: (texts: Texts, { number, description, control }: CollectionData) =>
    text(
      texts.collection.received(number ?? ""),
      about(texts, description),
      controlLine(texts, control),
      texts.collection.submitOrMore,
    ),
  over: (
    texts: Texts,
    state: Extract<CollectionState, "submitted" | "approved" | "cancelled" | "expired">,
    { number, description, control, crowdedOut }: CollectionData,
  ) => {
    const words = texts.collection;
    if (state === "submitted" || state === "approved") {
      const end =
        state === "submitted"
          ? words.wasSubmitted(number ?? "")
          : words.wasApproved(number ?? "", null);
      return text(end, about(texts, description), controlLine(texts, control));
    }
    const cancelled = crowdedOut ? texts.crowdedOut : words.cancelled;
    const why = state === "expired" ? words.expired : cancelled;
    return number === null ? why : `${why} ${words.stays(number)}`;
  },
  reminder: ({ collection }: Texts, state: CollectionState, number: string | null) =>
    collection.reminder(number, state === "confirming" ? "submission" : "step"),
} as const;

/** More are not counted. */
export const MOST_WAITING = 1_000;
const waitingOf = ({ review, language }: Texts, count: number): string =>
  count > MOST_WAITING
    ? review.manyWait(MOST_WAITING.toLocaleString(language))
    : review.waiting(count);

export const REVIEW = {
  reminder: ({ review }: Texts, number: string) => review.reminder(number),
  card: (texts: Texts, state: ReviewState, data: ReviewData) => {
    const { number, evidenceType, description, control, revision, files, fileCount, waiting } =
      data;
    const words = texts.review;
    const more = fileCount - files.length;
    const decided = outcomeOf(texts, state, data);
    const sender = nameOf(data.submittedBy);
    return text(
      words.title(number, revision),
      typeLine(texts, evidenceType),
      about(texts, description),
      controlLine(texts, control),
      sender === null ? null : `${words.handedIn}${texts.by(sender)}`,
      ...files.map((name) => named(words.file, line(name, 100))),
      more > 0 ? words.moreFiles(more) : null,
      decided === null ? null : "",
      decided,
      state === "deciding" && waiting > 0 ? `\n${waitingOf(texts, waiting)}` : null,
    );
  },
} as const;

function outcomeOf(texts: Texts, state: ReviewState, { outcome }: ReviewData): string | null {
  const said = texts.review.outcomes[state];
  if (state !== "approved" && state !== "rejected") return said;
  const by = nameOf(outcome?.decidedBy ?? null);
  const reason = state === "rejected" ? (outcome?.reason ?? null) : null;
  return `${said}${by === null ? "" : texts.by(by)}${because(reason)}`;
}

const times = ({ likelihood, impact }: Rating): string =>
  `${likelihood} × ${impact} = ${likelihood * impact}`;

export const ASSESSMENT = {
  reminder: ({ assessment }: Texts, code: string) => assessment.reminder(line(code, 60)),
  card: (texts: Texts, state: AssessmentState, data: AssessmentData) => {
    const { code, title, inherent, residual, treatment, reason, hasChanged, crowdedOut } = data;
    const words = texts.assessment;
    return text(
      named(words.title, line(`${code} ${title}`)),
      inherent === null ? null : named(words.inherent, times(inherent)),
      residual === null ? null : named(words.residual, times(residual)),
      treatment === null ? null : named(words.treatment, words.treatments[treatment]),
      reason === null ? null : named(words.reason, line(reason, 1_000)),
      hasChanged && state === "confirming" ? words.hasChanged : null,
      "",
      crowdedOut ? texts.crowdedOut : words.questions[state],
    );
  },
} as const;
