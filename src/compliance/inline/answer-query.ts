import type { ChatRequest, InlineButton, InlineResult, Reply } from "../../conversations/index.ts";
import { type Clock, languageOf, systemClock } from "../../platform/index.ts";
import { searchRegister } from "../../register/index.ts";
import type { RequestHandler } from "../request-sink.ts";
import { may } from "../rights.ts";
import { askedFor, offsetAfter, PAGE } from "./asked.ts";
import { resultOf } from "./result.ts";
import { type Texts, textsIn } from "./texts.ts";

type InlineQuery = Extract<ChatRequest, { kind: "inline-query" }>;

/** Telegram drops a query after so long. */
const LIFE_MS = 30_000;
/** What is left of it is for the way there: what was found later nobody would see. */
const WORTH_MS = 25_000;

/** For those who may not look: where to ask for more. */
const noAccess = ({ noAccess: text }: Texts): InlineButton => ({
  text,
  startParameter: "search",
});

interface Answer {
  results: InlineResult[];
  nextOffset: string;
  button: InlineButton | null;
}

/** Answers who types behind the bot's name; what is too old to be seen is not looked for. */
export function createInlineQueryHandler({
  clock = systemClock,
}: {
  clock?: Clock;
} = {}): RequestHandler<InlineQuery> {
  return async (tx, request, { viewer, access }) => {
    if (clock() - request.askedAtMs > WORTH_MS) return [];
    const answer = (found: Partial<Answer>): Reply[] => [
      {
        kind: "inline-answer",
        workspaceId: request.workspaceId,
        connectorId: request.connectorId,
        chatId: "0",
        text: "",
        inlineQueryId: request.queryId,
        results: [],
        nextOffset: "",
        button: null,
        ...found,
        expiresAt: new Date(request.askedAtMs + LIFE_MS),
        causeId: request.causeId,
      },
    ];
    const texts = textsIn(languageOf(request.user.languageCode));
    if (!may(viewer, "see-register", access)) return answer({ button: noAccess(texts) });
    const asked = askedFor(request.query, request.offset);
    if (asked === null) return answer({});
    // What people wrote about what they handed in is for people of the workspace, whomever the bot hears.
    const kinds = asked.kinds.filter((kind) => kind !== "evidence" || viewer.personId !== null);
    if (kinds.length === 0) return answer({});
    const found = await searchRegister(tx, {
      workspaceId: request.workspaceId,
      query: asked.words,
      kinds,
      limit: PAGE + 1,
      offset: asked.offset,
    });
    const isMore = found.length > PAGE;
    return answer({
      results: found.slice(0, PAGE).map((entry) => resultOf(texts, entry)),
      nextOffset: offsetAfter(asked, isMore),
    });
  };
}
