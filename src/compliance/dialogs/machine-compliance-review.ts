import type { Dialog } from "./dialog.ts";
import {
  type Card,
  type Context,
  type ControlOption,
  codeOnly,
  type DialogEvent,
  go,
  type Machine,
  type Standing,
  type StateRule,
  type Step,
  stay,
} from "./machine.ts";
import { textsIn, textsTo } from "./texts.ts";
import { atMost, REVIEW } from "./words.ts";

export type ReviewState =
  | "deciding"
  | "awaiting-reason"
  | "approved"
  | "rejected"
  | "superseded"
  | "left"
  | "expired";

export interface ReviewData {
  number: string;
  evidenceType: string;
  description: string;
  /** That it is to prove; null: none was chosen. */
  control: Pick<ControlOption, "code" | "title"> | null;
  revision: number;
  /** Names, as far as they are shown. */
  files: string[];
  fileCount: number;
  /** Who handed it in, by name; null: it is not known. */
  submittedBy: string | null;
  /** How much more waited when this was shown, beside a chat's other cards; 0: nothing, or it had room. */
  waiting: number;
  /** What became of it; null: nothing yet. */
  outcome: Standing | null;
}

type Review = Dialog<ReviewState, ReviewData>;
type Advance = Step<ReviewState, ReviewData>;

const DAY_MS = 86_400_000;
/** As evidence has it. */
const MAX_REASON = 2_000;

const states: Record<ReviewState, StateRule<ReviewState>> = {
  deciding: {
    presses: {
      approve: ["approved", "deciding"],
      reject: ["awaiting-reason"],
      cancel: ["left"],
    },
  },
  "awaiting-reason": {
    presses: { cancel: ["deciding"] },
    words: ["rejected", "awaiting-reason"],
  },
  approved: { presses: {}, isEnd: true },
  rejected: { presses: {}, isEnd: true },
  superseded: { presses: {}, isEnd: true },
  left: { presses: {}, isEnd: true },
  expired: { presses: {}, isEnd: true },
};

/** One card of those that ask whether a piece of evidence proves what it should. */
export const complianceReview: Machine<ReviewState, ReviewData> = {
  kind: "compliance_review",
  states,
  lifeMs: 7 * DAY_MS,
  remindMs: DAY_MS,
  card,
  step,
  reminder: ({ data, language }) => REVIEW.reminder(textsIn(language), data.number),
};

/** In a group nobody in particular is asked, until somebody is asked why. */
const everybody = ({ isPrivate, userId }: Review): string => (isPrivate ? userId : "0");

function step(dialog: Review, event: DialogEvent, context: Context): Advance {
  const { state, data } = dialog;
  const { revision } = data;
  switch (event.type) {
    case "pressed":
      if (event.action === "approve") {
        return stay(dialog, [{ type: "decide", decision: "approved", revision, reason: null }]);
      }
      if (event.action === "reject") {
        return go(dialog, "awaiting-reason", { userId: context.userId });
      }
      if (event.action !== "cancel") return stay(dialog);
      return state === "awaiting-reason"
        ? go(dialog, "deciding", { userId: everybody(dialog) })
        : go(dialog, "left", { isOver: true });
    case "words": {
      const reason = atMost(event.text.trim(), MAX_REASON);
      if (state !== "awaiting-reason" || reason === "") return stay(dialog);
      return stay(dialog, [{ type: "decide", decision: "rejected", revision, reason }]);
    }
    case "decided":
    case "standing-changed":
      return settled(dialog, event.standing, context);
    case "not-decided": {
      const text = textsTo(dialog, context).review.refused[event.why];
      // Words are not answered by what pops up at a button.
      return stay(dialog, [{ type: state === "deciding" ? "answer" : "say", text }]);
    }
    case "time-over":
      return dialog.isOver ? stay(dialog) : go(dialog, "expired", { isOver: true });
    default:
      return stay(dialog);
  }
}

function settled(dialog: Review, standing: Standing, context: Context): Advance {
  if (dialog.isOver) return stay(dialog);
  const { status, revision } = standing;
  const isSame = revision === dialog.data.revision;
  if (isSame && status === "in_review") return stay(dialog);
  const isDecided = isSame && (status === "approved" || status === "rejected");
  const { answers } = textsTo(dialog, context);
  return go(dialog, isDecided ? status : "superseded", {
    isOver: true,
    userId: everybody(dialog),
    data: { outcome: standing },
    effects: isDecided ? [{ type: "answer", text: answers[status] }] : [],
  });
}

function card({ state, data: asked, isPrivate, language }: Review): Card {
  const texts = textsIn(language);
  const { buttons } = texts;
  const data = isPrivate ? asked : { ...asked, control: codeOnly(asked.control) };
  const text = REVIEW.card(texts, state, data);
  if (state === "awaiting-reason") {
    return { text, buttons: [[{ text: buttons.cancel, action: "cancel" }]] };
  }
  if (state !== "deciding") return { text, buttons: [] };
  const decide = [
    { text: buttons.approve, action: "approve" },
    { text: buttons.reject, action: "reject" },
  ];
  // A group's card is not one person's to put away.
  const leave = isPrivate ? [[{ text: buttons.leave, action: "cancel" }]] : [];
  return { text, buttons: [decide, ...leave] };
}
