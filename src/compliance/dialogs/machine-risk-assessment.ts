import type { Dialog } from "./dialog.ts";
import {
  type Button,
  type Card,
  type Context,
  type DialogEvent,
  go,
  type Machine,
  type Rating,
  type StateRule,
  type Step,
  stay,
  type Treatment,
} from "./machine.ts";
import { type Texts, textsIn, textsTo } from "./texts.ts";
import { ASSESSMENT, atMost } from "./words.ts";

export type AssessmentState =
  | "inherent-likelihood"
  | "inherent-impact"
  | "asking-residual"
  | "residual-likelihood"
  | "residual-impact"
  | "treatment"
  | "awaiting-reason"
  | "confirming"
  | "saved"
  | "cancelled"
  | "expired";

export interface AssessmentData {
  code: string;
  title: string;
  /** Of the risk as it was looked at. */
  version: number;
  inherent: Rating | null;
  residual: Rating | null;
  /** Likelihood, until the impact is said too. */
  likelihood: number | null;
  treatment: Treatment | null;
  reason: string | null;
  /** Somebody changed the risk since this began. */
  hasChanged: boolean;
  crowdedOut: boolean;
}

type Assessing = Dialog<AssessmentState, AssessmentData>;
type Advance = Step<AssessmentState, AssessmentData>;

export const emptyAssessment = (
  risk: Pick<AssessmentData, "code" | "title" | "version">,
): AssessmentData => ({
  ...risk,
  inherent: null,
  residual: null,
  likelihood: null,
  treatment: null,
  reason: null,
  hasChanged: false,
  crowdedOut: false,
});

export const TREATMENT_CHOICES: readonly Treatment[] = ["mitigate", "accept", "avoid", "transfer"];

const HOUR_MS = 3_600_000;
/** As acceptances have it. */
const MAX_REASON = 2_000;

const cancel = { cancel: ["cancelled"] } as const;
const rate = (next: AssessmentState): StateRule<AssessmentState> => ({
  presses: { rate: [next], ...cancel },
});

const states: Record<AssessmentState, StateRule<AssessmentState>> = {
  "inherent-likelihood": rate("inherent-impact"),
  "inherent-impact": rate("asking-residual"),
  "asking-residual": {
    presses: { yes: ["residual-likelihood"], no: ["treatment"], ...cancel },
  },
  "residual-likelihood": rate("residual-impact"),
  "residual-impact": rate("treatment"),
  treatment: { presses: { treat: ["confirming", "awaiting-reason"], ...cancel } },
  "awaiting-reason": { presses: cancel, words: ["confirming"] },
  confirming: {
    presses: { save: ["saved", "confirming"], again: ["inherent-likelihood"], ...cancel },
  },
  saved: { presses: {}, isEnd: true },
  cancelled: { presses: {}, isEnd: true },
  expired: { presses: {}, isEnd: true },
};

/** How likely a risk is and how bad, before and after what is done about it; and what that is. */
export const riskAssessment: Machine<AssessmentState, AssessmentData> = {
  kind: "risk_assessment",
  states,
  lifeMs: 24 * HOUR_MS,
  remindMs: 4 * HOUR_MS,
  card,
  step,
  reminder: ({ data, language }) => ASSESSMENT.reminder(textsIn(language), data.code),
};

function step(dialog: Assessing, event: DialogEvent, context: Context): Advance {
  switch (event.type) {
    case "pressed":
      return pressed(dialog, event.action, event.n ?? 0);
    case "words": {
      const reason = atMost(event.text.trim(), MAX_REASON);
      if (dialog.state !== "awaiting-reason" || reason === "") return stay(dialog);
      return go(dialog, "confirming", { data: { reason } });
    }
    case "assessed":
      if (dialog.state !== "confirming") return stay(dialog);
      return go(dialog, "saved", {
        isOver: true,
        effects: [{ type: "answer", text: textsTo(dialog, context).assessment.saved }],
      });
    case "not-assessed":
      return go(dialog, dialog.state, { data: { version: event.version, hasChanged: true } });
    case "time-over":
      return dialog.isOver ? stay(dialog) : go(dialog, "expired", { isOver: true });
    case "crowded-out":
      if (dialog.isOver) return stay(dialog);
      return go(dialog, "cancelled", { isOver: true, data: { crowdedOut: true } });
    default:
      return stay(dialog);
  }
}

function pressed(dialog: Assessing, action: string, n: number): Advance {
  const { data } = dialog;
  switch (action) {
    case "rate":
      return rated(dialog, n);
    case "yes":
      return go(dialog, "residual-likelihood");
    case "no":
      return go(dialog, "treatment", { data: { residual: null } });
    case "treat": {
      const treatment = TREATMENT_CHOICES[n];
      if (treatment === undefined) return stay(dialog);
      const next = treatment === "accept" ? "awaiting-reason" : "confirming";
      return go(dialog, next, { data: { treatment, reason: null } });
    }
    case "again":
      return go(dialog, "inherent-likelihood", { data: emptyAssessment(data) });
    case "save": {
      const { version, inherent, residual, treatment, reason } = data;
      if (inherent === null || treatment === null) return stay(dialog);
      const assessment = { version, inherent, residual, treatment, reason };
      return stay(dialog, [{ type: "assess", assessment }]);
    }
    case "cancel":
      return go(dialog, "cancelled", { isOver: true });
    default:
      return stay(dialog);
  }
}

function rated(dialog: Assessing, n: number): Advance {
  const { likelihood } = dialog.data;
  switch (dialog.state) {
    case "inherent-likelihood":
      return go(dialog, "inherent-impact", { data: { likelihood: n } });
    case "residual-likelihood":
      return go(dialog, "residual-impact", { data: { likelihood: n } });
    case "inherent-impact": {
      const inherent = { likelihood: likelihood ?? n, impact: n };
      return go(dialog, "asking-residual", { data: { inherent, likelihood: null } });
    }
    case "residual-impact": {
      const residual = { likelihood: likelihood ?? n, impact: n };
      return go(dialog, "treatment", { data: { residual, likelihood: null } });
    }
    default:
      return stay(dialog);
  }
}

const SCALE: Button[] = [1, 2, 3, 4, 5].map((n) => ({ text: String(n), action: "rate", n }));

function buttonsOf({ buttons, assessment }: Texts, state: AssessmentState): Button[][] {
  const cancelButton: Button = { text: buttons.cancel, action: "cancel" };
  switch (state) {
    case "inherent-likelihood":
    case "inherent-impact":
    case "residual-likelihood":
    case "residual-impact":
      return [SCALE, [cancelButton]];
    case "asking-residual":
      return [
        [
          { text: buttons.yes, action: "yes" },
          { text: buttons.no, action: "no" },
        ],
        [cancelButton],
      ];
    case "treatment": {
      const choices = TREATMENT_CHOICES.map((treatment, n) => ({
        text: assessment.treatments[treatment],
        action: "treat",
        n,
      }));
      return [choices.slice(0, 2), choices.slice(2), [cancelButton]];
    }
    case "awaiting-reason":
      return [[cancelButton]];
    case "confirming":
      return [
        [{ text: buttons.save, action: "save" }],
        [{ text: buttons.again, action: "again" }, cancelButton],
      ];
    case "saved":
    case "cancelled":
    case "expired":
      return [];
  }
}

function card({ state, data, language }: Assessing): Card {
  const texts = textsIn(language);
  return { text: ASSESSMENT.card(texts, state, data), buttons: buttonsOf(texts, state) };
}
