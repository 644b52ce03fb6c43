import type { Dialog } from "./dialog.ts";
import {
  type Button,
  type Card,
  type Context,
  type ControlOption,
  codeOnly,
  type DialogEffect,
  type DialogEvent,
  go,
  type Machine,
  type OpenRequest,
  type Standing,
  type StateRule,
  type Step,
  stay,
} from "./machine.ts";
import { type Texts, textsIn, textsTo } from "./texts.ts";
import { atMost, COLLECTION, line } from "./words.ts";

const STATES = [
  "choosing-type",
  "ready",
  "awaiting-file",
  "choosing-control",
  "confirming",
  "submitted",
  "approved",
  "cancelled",
  "expired",
] as const;
export type CollectionState = (typeof STATES)[number];

export interface CollectionData {
  /** As people call it, without `EV-`; null: there is none yet. */
  number: string | null;
  evidenceType: string;
  description: string;
  /** The description is somebody else's, who asked for it: a group is not shown it. */
  isAsked: boolean;
  /** That may be answered by it, as its buttons show them. */
  requests: OpenRequest[];
  control: ControlOption | null;
  /** What was looked for, and the page of it that is shown. */
  query: string;
  page: number;
  options: ControlOption[];
  hasMore: boolean;
  /** Why what was handed in before was rejected; null: it was not. */
  rejected: string | null;
  /** It was ended because of others. */
  crowdedOut: boolean;
}

type Collection = Dialog<CollectionState, CollectionData>;
type Advance = Step<CollectionState, CollectionData>;

export const emptyCollection = (requests: OpenRequest[] = []): CollectionData => ({
  number: null,
  evidenceType: "document",
  description: "",
  isAsked: false,
  requests,
  control: null,
  query: "",
  page: 0,
  options: [],
  hasMore: false,
  rejected: null,
  crowdedOut: false,
});

const HOUR_MS = 3_600_000;
/** As evidence has it. */
const MAX_DESCRIPTION = 4_000;

const cancel = { cancel: ["cancelled"] } as const;
const upload = { document: ["awaiting-file"], photo: ["awaiting-file"] } as const;

const states: Record<CollectionState, StateRule<CollectionState>> = {
  "choosing-type": {
    presses: { ...upload, request: ["awaiting-file"], ...cancel },
    file: ["choosing-control"],
  },
  ready: { presses: { ...upload, ...cancel }, file: ["choosing-control", "confirming"] },
  "awaiting-file": {
    presses: cancel,
    words: ["awaiting-file"],
    file: ["choosing-control", "confirming"],
  },
  "choosing-control": {
    presses: {
      control: ["confirming"],
      skip: ["confirming"],
      previous: ["choosing-control"],
      next: ["choosing-control"],
      ...cancel,
    },
    words: ["choosing-control"],
    file: ["choosing-control"],
  },
  confirming: {
    presses: { submit: ["submitted", "confirming"], change: ["choosing-control"], ...cancel },
    file: ["confirming"],
  },
  // Of an album that goes on: the rest of what was submitted.
  submitted: { presses: {}, file: ["confirming"], isEnd: true },
  approved: { presses: {}, file: ["confirming"], isEnd: true },
  cancelled: { presses: {}, isEnd: true },
  expired: { presses: {}, isEnd: true },
};

/** What somebody hands in: a record, its files, the control it proves, and off for review. */
export const evidenceCollection: Machine<CollectionState, CollectionData> = {
  kind: "evidence_collection",
  states,
  lifeMs: 24 * HOUR_MS,
  remindMs: 4 * HOUR_MS,
  card,
  step,
  reminder: ({ state, data, language }) =>
    COLLECTION.reminder(textsIn(language), state, data.number),
};

function step(dialog: Collection, event: DialogEvent, context: Context): Advance {
  const texts = textsTo(dialog, context);
  switch (event.type) {
    case "pressed":
      return pressed(dialog, event.action, event.n);
    case "file":
      return file(dialog, event, texts);
    case "words":
      return words(dialog, event.text.trim());
    case "described": {
      if (dialog.state !== "choosing-type") return stay(dialog);
      const { evidenceType, description } = event;
      const data = { evidenceType, description };
      return go(dialog, "ready", { data, effects: [creating(data)] });
    }
    case "evidence-created":
      return go(dialog, dialog.state, { evidenceId: event.id, data: { number: event.number } });
    case "request-found": {
      if (dialog.state !== "choosing-type") return stay(dialog);
      const { id: evidenceId, number, description, control } = event.request;
      const data = { number, description, isAsked: true, control };
      return go(dialog, "awaiting-file", { evidenceId, data });
    }
    case "request-gone":
      return go(dialog, dialog.state, {
        data: { requests: dialog.data.requests.filter(({ id }) => id !== event.id) },
        effects: [{ type: "answer", text: texts.collection.gone }],
      });
    case "control-set": {
      const control = dialog.data.options.find(({ id }) => id === event.id);
      if (control === undefined) return stay(dialog);
      return go(dialog, "confirming", { data: { control } });
    }
    case "description-set":
      return go(dialog, dialog.state, {
        data: { description: event.description, isAsked: false },
      });
    case "control-gone":
      return go(dialog, "choosing-control", {
        data: { control: null },
        effects: [{ type: "answer", text: texts.collection.controlGone }, finding("", 0)],
      });
    case "controls-found": {
      const { query, page, options, more: hasMore } = event;
      if (dialog.state !== "choosing-control") return stay(dialog);
      return go(dialog, dialog.state, { data: { query, page, options, hasMore } });
    }
    case "submitted":
      if (dialog.state !== "confirming") return stay(dialog);
      return go(dialog, "submitted", {
        isOver: true,
        effects: [{ type: "answer", text: texts.collection.submitted }],
      });
    case "not-submitted":
      return stay(dialog, [{ type: "answer", text: texts.collection.refused[event.why] }]);
    case "standing-changed":
      return decided(dialog, event, texts);
    case "time-over":
      return dialog.isOver ? stay(dialog) : go(dialog, "expired", { isOver: true });
    case "crowded-out":
      if (dialog.isOver) return stay(dialog);
      return go(dialog, "cancelled", { isOver: true, data: { crowdedOut: true } });
    default:
      return stay(dialog);
  }
}

const creating = ({
  evidenceType,
  description,
}: Pick<CollectionData, "evidenceType" | "description">): DialogEffect => ({
  type: "create-evidence",
  evidenceType,
  description,
});

const finding = (query: string, page: number): DialogEffect => ({
  type: "find-controls",
  query,
  page,
});

function pressed(dialog: Collection, action: string, n: number | null): Advance {
  const { state, data } = dialog;
  switch (action) {
    case "document":
    case "photo": {
      if (state !== "choosing-type") return go(dialog, "awaiting-file");
      const chosen = { evidenceType: action, description: "" };
      return go(dialog, "awaiting-file", { data: chosen, effects: [creating(chosen)] });
    }
    case "request": {
      const request = data.requests[n ?? -1];
      if (request === undefined) return stay(dialog);
      return stay(dialog, [{ type: "find-request", id: request.id }]);
    }
    case "control": {
      const control = data.options[n ?? -1];
      if (control === undefined) return stay(dialog);
      return stay(dialog, [{ type: "set-control", controlId: control.id }]);
    }
    case "skip":
      return go(dialog, "confirming");
    case "previous":
      return stay(dialog, [finding(data.query, data.page - 1)]);
    case "next":
      return stay(dialog, [finding(data.query, data.page + 1)]);
    case "change":
      return go(dialog, "choosing-control", { effects: [finding("", 0)] });
    case "submit":
      return stay(dialog, [{ type: "submit" }]);
    case "cancel":
      return go(dialog, "cancelled", { isOver: true });
    default:
      return stay(dialog);
  }
}

/** The first file says what it is about, unless that was said before. */
function file(
  dialog: Collection,
  { kind, caption, mediaGroupId: album }: Extract<DialogEvent, { type: "file" }>,
  texts: Texts,
): Advance {
  const { state, data } = dialog;
  const mediaGroupId = album ?? dialog.mediaGroupId;
  const words = atMost((caption ?? "").trim(), MAX_DESCRIPTION);
  const isNews = data.description === "" && words !== "";
  const description = isNews ? words : data.description;
  // After the file: what was decided on takes a file, and is a draft again, before it takes words.
  const about: DialogEffect[] = isNews ? [{ type: "describe", description }] : [];
  const take: DialogEffect = { type: "take-file" };
  switch (state) {
    case "choosing-type": {
      const begun = { evidenceType: kind, description };
      const effects = [creating(begun), take, finding("", 0)];
      return go(dialog, "choosing-control", { mediaGroupId, data: begun, effects });
    }
    case "ready":
    case "awaiting-file": {
      const isKnown = data.control !== null;
      const effects = [take, ...about, ...(isKnown ? [] : [finding("", 0)])];
      const rest = { mediaGroupId, data: { description, rejected: null }, effects };
      return go(dialog, isKnown ? "confirming" : "choosing-control", rest);
    }
    case "choosing-control":
    case "confirming":
      return go(dialog, state, { mediaGroupId, data: { description }, effects: [take, ...about] });
    case "submitted":
    case "approved": {
      if (album === null || album !== dialog.mediaGroupId) return stay(dialog);
      return go(dialog, "confirming", { isOver: false, cardId: null, effects: [take, ...about] });
    }
    case "cancelled":
    case "expired":
      return stay(dialog, [{ type: "say", text: texts.collection.notTaken }]);
  }
}

function words(dialog: Collection, text: string): Advance {
  if (text === "") return stay(dialog);
  if (dialog.state === "choosing-control") return stay(dialog, [finding(text, 0)]);
  if (dialog.state !== "awaiting-file") return stay(dialog);
  const description = atMost(text, MAX_DESCRIPTION);
  return stay(dialog, [{ type: "describe", description }]);
}

/** Somebody else submitted what was still being put together here, or decided on it: it is over here, too. */
function settledElsewhere(
  dialog: Collection,
  { status }: Standing,
  { collection }: Texts,
): Advance {
  if (dialog.isOver || (status !== "in_review" && status !== "approved")) return stay(dialog);
  const effects: DialogEffect[] = [{ type: "answer", text: collection.refused["not-draft"] }];
  return go(dialog, status === "approved" ? "approved" : "submitted", { isOver: true, effects });
}

/** What was submitted was decided, and whoever sent it is told; rejected, another file is asked for. */
function decided(
  dialog: Collection,
  { standing }: Extract<DialogEvent, { type: "standing-changed" }>,
  answering: Texts,
): Advance {
  const number = dialog.data.number ?? "";
  if (dialog.state !== "submitted") return settledElsewhere(dialog, standing, answering);
  const texts = textsIn(dialog.language);
  if (standing.status === "approved") {
    const text = COLLECTION.approved(texts, number, standing.decidedBy);
    return go(dialog, "approved", { effects: [{ type: "say", text }] });
  }
  if (standing.status !== "rejected") return stay(dialog);
  const rejected = COLLECTION.rejected(texts, number, standing.decidedBy, standing.reason);
  return go(dialog, "awaiting-file", {
    isOver: false,
    // Below what was said since, where it is seen.
    cardId: null,
    data: { rejected },
  });
}

const MAX_LABEL = 60;

const optionLabel = ({ code, title }: ControlOption): string => line(`${code} ${title}`, MAX_LABEL);

/** In a group everybody reads it: controls and what is asked for are shown there by their codes. */
function shownIn({ data, isPrivate }: Collection): CollectionData {
  if (isPrivate) return data;
  return {
    ...data,
    description: data.isAsked ? "" : data.description,
    control: codeOnly(data.control),
    options: data.options.map((option) => ({ ...option, title: "" })),
    requests: data.requests.map((one) => ({ ...one, description: one.control?.code ?? "" })),
  };
}

function card(dialog: Collection): Card {
  const data = shownIn(dialog);
  const texts = textsIn(dialog.language);
  const labels = texts.buttons;
  const cancelRow: Button[] = [{ text: labels.cancel, action: "cancel" }];
  const uploadRow: Button[] = [
    { text: labels.uploadDocument, action: "document" },
    { text: labels.uploadPhoto, action: "photo" },
  ];
  switch (dialog.state) {
    case "choosing-type": {
      const requests = data.requests.map(({ number, description }, n): Button[] => [
        { text: line(`EV-${number} ${description}`, MAX_LABEL), action: "request", n },
      ]);
      const text = COLLECTION.choosingType(texts, requests.length > 0);
      return { text, buttons: [uploadRow, ...requests, cancelRow] };
    }
    case "ready":
      return {
        text: COLLECTION.ready(texts, dialog.evidenceId ?? "", data),
        buttons: [uploadRow, cancelRow],
      };
    case "awaiting-file":
      return {
        text: COLLECTION.awaitingFile(texts, data, dialog.isPrivate),
        buttons: [cancelRow],
      };
    case "choosing-control": {
      const options = data.options.map((option, n): Button[] => [
        { text: optionLabel(option), action: "control", n },
      ]);
      const pages: Button[] = [
        ...(data.page > 0 ? [{ text: labels.previous, action: "previous" }] : []),
        ...(data.hasMore ? [{ text: labels.next, action: "next" }] : []),
      ];
      const skip: Button = { text: labels.skip, action: "skip" };
      const rows = [...options, pages, [skip, ...cancelRow]].filter((row) => row.length > 0);
      return { text: COLLECTION.choosingControl(texts, data, dialog.isPrivate), buttons: rows };
    }
    case "confirming": {
      const label = data.control === null ? labels.chooseControl : labels.changeControl;
      return {
        text: COLLECTION.confirming(texts, data),
        buttons: [
          [{ text: labels.submit, action: "submit" }],
          [{ text: label, action: "change" }, ...cancelRow],
        ],
      };
    }
    case "submitted":
    case "approved":
    case "cancelled":
    case "expired":
      return { text: COLLECTION.over(texts, dialog.state, data), buttons: [] };
  }
}
