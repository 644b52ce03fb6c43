/**
 * The Bot API methods that have an effect here. The rest of the schema is known, its parameters are
 * checked, and it is then refused: a sandbox that says yes to what it does not do is worse than
 * none.
 */
import { badRequest } from "../errors.ts";
import * as business from "./business.ts";
import type { Method } from "./call.ts";
import * as chats from "./chats.ts";
import * as edits from "./edits.ts";
import { getFile } from "./files.ts";
import { answerInlineQuery } from "./inline.ts";
import * as members from "./members.ts";
import * as messages from "./messages.ts";
import * as pins from "./pins.ts";
import { sendPoll, stopPoll } from "./polls.ts";
import * as profile from "./profile.ts";
import * as queries from "./queries.ts";
import { setMessageReaction } from "./reactions.ts";
import * as topics from "./topics.ts";
import { deleteWebhook, getUpdates, getWebhookInfo, setWebhook } from "./updates.ts";

export type { Method, MethodCall } from "./call.ts";
export { linkedFile } from "./files.ts";
export { webhookInfo } from "./updates.ts";

const methods = new Map<string, Method>(
  Object.entries({
    ...business,
    ...chats,
    ...edits,
    ...members,
    ...messages,
    ...pins,
    ...profile,
    ...queries,
    ...topics,
    answerInlineQuery,
    sendPoll,
    stopPoll,
    setMessageReaction,
    getFile,
    getUpdates,
    setWebhook,
    deleteWebhook,
    getWebhookInfo,
  }),
);

/** @param name as the schema spells it */
export function methodFor(name: string): Method {
  return (
    methods.get(name) ??
    (() => {
      throw badRequest(`the sandbox does not simulate ${name}`);
    })
  );
}
