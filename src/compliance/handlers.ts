import type { Reply } from "../conversations/index.ts";
import { type Clock, systemClock } from "../platform/index.ts";
import {
  createCommandHandler,
  escaped,
  handleListPress,
  LIST_DATA,
  message,
  overButton,
  parseArguments,
  textsFor,
} from "./commands/index.ts";
import { DIALOG_DATA, type Dialogs } from "./dialogs/index.ts";
import { createInlineQueryHandler } from "./inline/index.ts";
import type { Asker, RequestHandlers, RequestOf } from "./request-sink.ts";

export interface HandlersOptions {
  /** Files and words that are none of theirs they leave unanswered. */
  dialogs: Dialogs;
  clock?: Clock;
}

/**
 * All that people ask in chats, each by whom it is for. Nobody who asked something is left without an
 * answer, and no button goes on spinning; in groups what people say to each other is left alone.
 */
export function createHandlers({ dialogs, clock = systemClock }: HandlersOptions): RequestHandlers {
  const lists = createCommandHandler(clock);

  return {
    command: (tx, request, asker) => {
      const begun = beginning(request);
      if (begun === null) return lists(tx, request, asker);
      return begun.kind === "evidence"
        ? dialogs.evidence(tx, request, asker, begun.words)
        : dialogs.assess(tx, request, asker, { code: begun.code });
    },

    press: async (tx, request, asker) => {
      const { data } = request;
      if (data.startsWith(LIST_DATA)) {
        const behind = data.slice(LIST_DATA.length);
        return handleListPress(tx, { ...request, data: behind }, asker);
      }
      if (data.startsWith(DIALOG_DATA)) return dialogs.press(tx, request, asker);
      return [overButton(request, textsFor(request.user.languageCode).nothingBehindButton)];
    },

    file: async (tx, request, asker) => {
      // To a bot that speaks of the register to the workspace's own alone others come for support.
      if (isCustomer(asker) && request.chatType === "private") {
        return { replies: [thanks(request)], isTaken: false };
      }
      // Dialogs tell what they don't take; a file that adds to others is told of once it is here.
      return dialogs.file(tx, request, asker);
    },

    text: async (tx, request, asker) => {
      const offered = await dialogs.text(tx, request, asker);
      const isTold = offered.isTaken || offered.replies.length > 0;
      if (isTold || request.chatType !== "private") return offered;
      return { replies: [thanks(request)], isTaken: false };
    },

    inlineQuery: createInlineQueryHandler({ clock }),
  };
}

const isCustomer = ({ viewer, access }: Asker): boolean =>
  viewer.personId === null && access === "members";

type Beginning = { kind: "evidence"; words: string[] } | { kind: "assess"; code: string };

/** Null: the command begins no dialog, or is written wrong, which is told as of any other. */
function beginning({ name, args }: RequestOf<"command">): Beginning | null {
  if (name !== "evidence" && name !== "risk") return null;
  const parsed = parseArguments(args);
  if ("fault" in parsed) return null;
  const { words } = parsed;
  if (name === "evidence") return { kind: "evidence", words };
  const [first = "", ...code] = words;
  return first.toLowerCase() === "assess" ? { kind: "assess", code: code.join(" ") } : null;
}

/** Nobody asked for it to be said: it is for the team. */
function thanks(request: RequestOf<"file"> | RequestOf<"text">): Reply {
  const html = escaped(textsFor(request.user.languageCode).wordsNotTaken);
  return message(request, { html, isCourtesy: true });
}
