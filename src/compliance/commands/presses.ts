import { REQUEST_DATA, type Reply } from "../../conversations/index.ts";
import { buttonsShownBy } from "../../outbound/index.ts";
import type { Transaction } from "../../platform/index.ts";
import { readSummary } from "../../register/index.ts";
import type { Asker, RequestHandler, RequestOf } from "../request-sink.ts";
import { may } from "../rights.ts";
import { type Answer, message, overButton } from "./answer.ts";
import { mayAssess, showFramework, showRisks } from "./commands.ts";
import { overviewPage } from "./compliance-pages.ts";
import { helpText } from "./help.ts";
import { LIST_DATA, type Press, readPress } from "./page-buttons.ts";
import { type Texts, textsFor } from "./texts.ts";

type Request = RequestOf<"press">;

const OWN_DATA = REQUEST_DATA + LIST_DATA;

/**
 * Turns the page that a button stands under, `request.data` being what follows `LIST_DATA`. Pages stand
 * in private chats, so whoever presses is whom they were shown to; that the message is a list of the
 * bot's own in that very chat is looked up, since data is forgeable, and rights are asked again, since
 * they may be gone. Every press is answered.
 */
export const handleListPress: RequestHandler<Request> = async (tx, request, asker) => {
  const texts = textsFor(request.user.languageCode);
  const told = (text: string): Reply[] => [overButton(request, text)];
  const press = readPress(request.data);
  if (press === null) return told(texts.nothingBehindButton);
  const isPrivate = request.chatType === "private" && request.chatId === request.user.id;
  if (press.kind === "help") {
    const answered = told(texts.help.sent);
    if (request.chatType === null || request.chatType === "channel") return answered;
    return [
      ...answered,
      message(request, { html: helpText(texts, asker, { isPrivate, purpose: request.purpose }) }),
    ];
  }
  if (!isPrivate) return told(texts.onlyInPrivate);
  if (!may(asker.viewer, "see-register", asker.access)) return told(texts.refusedShort);
  if (!(await isShown(tx, request, press.shownId))) return told(texts.tooOld);
  const turned = await turn(tx, request.workspaceId, { press, texts, asker });
  if (turned === null) return told(texts.tooOld);
  const { answer, word } = turned;
  const { html, buttons } = answer;
  // The answer first: it expires in seconds.
  return [...told(word), message(request, { edits: press.shownId, html, buttons })];
};

/** The message that was pressed is the list that its own buttons, as the bot made them, are about. */
async function isShown(tx: Transaction, request: Request, id: string): Promise<boolean> {
  const { workspaceId, connectorId, chatId, messageId } = request;
  if (messageId === null) return false;
  const pressed = { workspaceId, connectorId, chatId, id, telegramMessageId: messageId };
  const buttons = (await buttonsShownBy(tx, pressed)) ?? [];
  return buttons.flat().some(({ data = "" }) => {
    const shown = data.startsWith(OWN_DATA) ? readPress(data.slice(OWN_DATA.length)) : null;
    return shown !== null && shown.kind !== "help" && shown.shownId === id;
  });
}

/** Null where what it is about is gone. */
async function turn(
  tx: Transaction,
  workspaceId: string,
  { press, texts, asker }: { press: Exclude<Press, { kind: "help" }>; texts: Texts; asker: Asker },
): Promise<{ answer: Answer; word: string } | null> {
  const { shownId } = press;
  switch (press.kind) {
    case "frameworks": {
      const summary = await readSummary(tx, workspaceId);
      const answer = overviewPage(texts, summary, { page: press.page, shownId });
      return { answer, word: texts.page(answer.page + 1, answer.pages) };
    }
    case "framework": {
      const id = press.frameworkId;
      const answer = await showFramework(tx, workspaceId, { texts, id, shownId });
      return answer && { answer, word: texts.compliance.title };
    }
    case "risks": {
      const { level, page } = press;
      const answer = await showRisks(tx, workspaceId, {
        texts,
        level,
        page,
        shownId,
        mayAssess: mayAssess(asker),
      });
      return { answer, word: texts.page(answer.page + 1, answer.pages) };
    }
  }
}
