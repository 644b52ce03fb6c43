import type { Asked, Reply } from "../conversations/index.ts";
import { type Clock, systemClock, type Transaction } from "../platform/index.ts";
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
import type { Asker, RequestHandler, RequestHandlers, RequestOf } from "./request-sink.ts";

/** What dialogs do with what people ask. Files and words that are none of theirs they leave unanswered. */
export interface DialogHandlers extends Pick<RequestHandlers, "press" | "file" | "text"> {
  /** `/evidence`, its arguments as words. */
  evidence(
    tx: Transaction,
    request: Asked,
    asker: Asker,
    words: readonly string[],
  ): Promise<Reply[]>;
  /** `/risk assess CODE`. */
  assess(tx: Transaction, request: Asked, asker: Asker, wanted: { code: string }): Promise<Reply[]>;
}

/** What the data of dialogs' buttons goes on with. */
const DIALOG_DATA = "d:";

export interface HandlersOptions {
  dialogs?: DialogHandlers;
  inlineQuery?: RequestHandler<RequestOf<"inline-query">>;
  clock?: Clock;
}

/**
 * All that people ask in chats, each by whom it is for. Nobody who asked something is left without an
 * answer, and no button goes on spinning; in groups what people say to each other is left alone.
 */
export function createHandlers({
  dialogs,
  inlineQuery,
  clock = systemClock,
}: HandlersOptions = {}): RequestHandlers {
  const lists = createCommandHandler(clock);

  return {
    command: (tx, request, asker) => {
      const begun = dialogs === undefined ? null : beginning(request);
      if (dialogs === undefined || begun === null) return lists(tx, request, asker);
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
      if (data.startsWith(DIALOG_DATA) && dialogs !== undefined) {
        return dialogs.press(tx, request, asker);
      }
      return [overButton(request, textsFor(request.user.languageCode).nothingBehindButton)];
    },

    file: async (tx, request, asker) => {
      // To a bot that speaks of the register to the workspace's own alone others come for support.
      if (isCustomer(asker) && request.chatType === "private") {
        return [besides(request, "wordsNotTaken")];
      }
      // Dialogs tell what they don't take; a file that adds to others is told of once it is here.
      if (dialogs !== undefined) return dialogs.file(tx, request, asker);
      return [besides(request, "fileNotTaken")];
    },

    text: async (tx, request, asker) => {
      const said = (await dialogs?.text(tx, request, asker)) ?? [];
      const isTold = said.length > 0 || request.chatType !== "private";
      return isTold ? said : [besides(request, "wordsNotTaken")];
    },

    inlineQuery: async (tx, request, asker) =>
      inlineQuery === undefined ? [] : inlineQuery(tx, request, asker),
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

/** Nobody asked for it to be said. */
function besides(
  request: RequestOf<"file"> | RequestOf<"text">,
  which: "fileNotTaken" | "wordsNotTaken",
): Reply {
  const { user, chatType, messageId } = request;
  const html = escaped(textsFor(user.languageCode)[which]);
  const answered = chatType === "private" ? {} : { replyToMessageId: messageId };
  return message(request, { html, isCourtesy: true, ...answered });
}
