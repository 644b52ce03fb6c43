import type { ChatRequest, Reply } from "../../conversations/index.ts";
import type { Transaction } from "../../platform/index.ts";
import type { Asker } from "../request-sink.ts";
import { advance } from "./advance.ts";
import { parseData } from "./button-data.ts";
import { holdByToken, holdConversation } from "./dialog-rows.ts";
import type { Doing } from "./effects.ts";
import { actingOf, finish, inPlace, placeOf, textsOf, whyMayNot } from "./in-chat.ts";
import { beginAssessment } from "./on-command.ts";

type Press = Extract<ChatRequest, { kind: "press" }>;

/**
 * A pressed button whose data begins with `DIALOG_DATA`, as it stands behind `REQUEST_DATA`. Nothing of it
 * is believed: its dialog is looked up at this bot and in this chat, who pressed is asked for their rights,
 * and the card as it is now says what may be pressed. Answered exactly once, whatever it is.
 */
export async function onPress(
  tx: Transaction,
  doing: Doing,
  request: Press,
  asker: Asker,
): Promise<Reply[]> {
  const press = parseData(request.data);
  const { answers } = textsOf(request);
  if (press === null) return [answer(request, answers.unknown)];
  if ("riskId" in press) {
    const begun = await beginAssessment(tx, doing, request, asker, press);
    return typeof begun === "string" ? [answer(request, begun)] : [answer(request, ""), ...begun];
  }
  const place = placeOf(request);
  await holdConversation(tx, place);
  const dialog = await holdByToken(tx, place, press.token);
  if (dialog === null) return [answer(request, answers.unknown)];
  const refused = whyMayNot(dialog, request, asker);
  if (refused !== null) return [answer(request, refused)];
  const { version, action, n } = press;
  const event = { type: "pressed", version, action, n } as const;
  const acting = actingOf(request, asker, doing.clock());
  const advanced = await advance(tx, doing, inPlace(dialog, place), event, acting);
  const replies = await finish(tx, request, [advanced]);
  return [answer(request, advanced.answer ?? ""), ...replies];
}

function answer(request: Press, text: string): Reply {
  const { workspaceId, connectorId, chatId, callbackQueryId, causeId } = request;
  const where = { workspaceId, connectorId, chatId };
  return { kind: "callback-answer", ...where, callbackQueryId, text, causeId };
}
