import type { DecisionRefused, SubmitRefused } from "../../evidence/index.ts";
import type { Language } from "../../platform/index.ts";
import type { Dialog, DialogKind } from "./dialog.ts";

/**
 * What all dialogs have in common, without I/O. A machine says which states there are, what is shown in
 * each (its card), and where an event leads. What a card shows is what may be pressed: a press counts
 * when it is of the version that is shown and of a button on it, so that neither a forged action nor
 * yesterday's card does anything.
 */

export interface Button {
  text: string;
  action: string;
  /** Which of several that do the same: an index into what the dialog's data holds. */
  n?: number;
}

export interface Card {
  /** Plain. */
  text: string;
  /** Rows. */
  buttons: Button[][];
}

/** What is known of a piece of evidence that a dialog is about. */
export interface Standing {
  /** As evidence has it: requested, draft, in_review, approved, rejected, expired. */
  status: string;
  revision: number;
  /** Who decided, by name; null: nobody, or it is not known. */
  decidedBy: string | null;
  reason: string | null;
}

export interface ControlOption {
  id: string;
  code: string;
  title: string;
}

/** What a group is shown of a control: its title is for private chats. */
export const codeOnly = <Control extends Pick<ControlOption, "code" | "title">>(
  control: Control | null,
): Control | null => (control === null ? null : { ...control, title: "" });

/** Evidence that somebody asked for and nobody handed in yet. */
export interface OpenRequest {
  id: string;
  /** As people call it, without `EV-`. */
  number: string;
  description: string;
  control: ControlOption | null;
}

/** Each 1 to 5. */
export interface Rating {
  likelihood: number;
  impact: number;
}

/** As the register has them. */
export type Treatment = "mitigate" | "accept" | "avoid" | "transfer";

export interface Assessment {
  /** Of the risk as it was when this began. */
  version: number;
  inherent: Rating;
  residual: Rating | null;
  treatment: Treatment;
  /** Why it is accepted; null: it is not. */
  reason: string | null;
}

/** What happens to a dialog. */
export type DialogEvent =
  | { type: "pressed"; version: number; action: string; n: number | null }
  | { type: "words"; text: string }
  | {
      type: "file";
      /** document, photo, video, … */
      kind: string;
      caption: string | null;
      mediaGroupId: string | null;
    }
  /** Its first words said all: `/evidence document "Quarterly report"`. */
  | { type: "described"; evidenceType: string; description: string }
  | { type: "time-over" }
  /** Whoever has it has begun too many others since. */
  | { type: "crowded-out" }
  /** By somebody else, or by the API. */
  | { type: "standing-changed"; standing: Standing }
  // What effects came to.
  | { type: "evidence-created"; id: string; number: string }
  | { type: "request-found"; request: OpenRequest }
  | { type: "request-gone"; id: string }
  | { type: "control-set"; id: string }
  | { type: "control-gone" }
  | { type: "description-set"; description: string }
  | { type: "controls-found"; query: string; page: number; options: ControlOption[]; more: boolean }
  | { type: "submitted" }
  | { type: "not-submitted"; why: SubmitRefused }
  | { type: "decided"; standing: Standing }
  | { type: "not-decided"; why: DecisionRefused }
  | { type: "assessed" }
  /** The risk is another by now. */
  | { type: "not-assessed"; version: number };

/** What is to be done, in this order; those with a result come back as an event before the next. */
export type DialogEffect =
  /** Shown where a button was pressed: at most 200 characters. The last one counts. */
  | { type: "answer"; text: string }
  /** Beside the card. */
  | { type: "say"; text: string }
  | { type: "create-evidence"; evidenceType: string; description: string }
  /** The file of the event. */
  | { type: "take-file" }
  | { type: "describe"; description: string }
  | { type: "find-request"; id: string }
  | { type: "find-controls"; query: string; page: number }
  | { type: "set-control"; controlId: string }
  | { type: "submit" }
  | {
      type: "decide";
      decision: "approved" | "rejected";
      revision: number;
      reason: string | null;
    }
  | { type: "assess"; assessment: Assessment };

export interface Context {
  nowMs: number;
  /** Telegram's id of who caused the event; "0": nobody, time did. */
  userId: string;
  /** Of who caused it, who is answered in it; absent: nobody did, and the dialog's own is spoken. */
  language?: Language;
}

export interface Step<State extends string = string, Data extends object = object> {
  dialog: Dialog<State, Data>;
  effects: DialogEffect[];
}

/** What may happen in a state, and where it leads. */
export interface StateRule<State extends string = string> {
  /** By the action of a button. */
  presses: Readonly<Record<string, readonly State[]>>;
  /** Where words lead; absent: they are not for this dialog. */
  words?: readonly State[];
  /** Where a file leads; absent: it begins another dialog. */
  file?: readonly State[];
  isEnd?: true;
}

export interface Machine<State extends string = string, Data extends object = object> {
  kind: DialogKind;
  states: Readonly<Record<State, StateRule<State>>>;
  /** How long it waits for the next step. */
  lifeMs: number;
  /** So long before its end somebody is reminded, once. */
  remindMs: number;
  card(dialog: Dialog<State, Data>): Card;
  /** Of a press that is on the card; of any event in any state: what means nothing there changes nothing. */
  step(dialog: Dialog<State, Data>, event: DialogEvent, context: Context): Step<State, Data>;
  /** Who is asked to go on, in a sentence. */
  reminder(dialog: Dialog<State, Data>): string;
}

export const stay = <State extends string, Data extends object>(
  dialog: Dialog<State, Data>,
  effects: DialogEffect[] = [],
): Step<State, Data> => ({ dialog, effects });

/** What changes with a step beside the state. */
interface Change<Data extends object>
  extends Partial<Pick<Dialog, "evidenceId" | "userId" | "mediaGroupId" | "cardId" | "isOver">> {
  data?: Partial<Data>;
  effects?: DialogEffect[];
}

/** To another state; what is left out stays. */
export function go<State extends string, Data extends object>(
  dialog: Dialog<State, Data>,
  state: State,
  { data, effects = [], ...rest }: Change<Data> = {},
): Step<State, Data> {
  return { dialog: { ...dialog, ...rest, state, data: { ...dialog.data, ...data } }, effects };
}
