import { type HeldLink, mayTalk } from "../people/index.ts";
import { sha256 } from "../platform/index.ts";
import { type AccessContext, namingKeyOf } from "./access-context.ts";
import {
  ACCESS_TEXTS,
  CONFIRM_BUTTON,
  connectedAs,
  DECLINE_BUTTON,
  isThatYou,
} from "./access-texts.ts";
import { callbackAnswer, reply } from "./answers.ts";
import { isForBot, parseCommand } from "./command.ts";
import type { Context } from "./context.ts";
import type { Effect, Scope } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import { contactKeyOf } from "./keys.ts";
import type { TelegramMessage, Update } from "./telegram-types.ts";

/**
 * How an account becomes a person of the workspace: its owner opens a link (Bot API: deep linking,
 * `/start TOKEN`), is asked whether that is them, and says yes. Open to everybody, whoever may talk:
 * it is how they get in.
 */

type CallbackUpdate = Extract<Update, { kind: "callback" }>;

/** SHA-256 of the token that a message brings, in hex; null: it opens no link. */
export function tokenHashOf({ chat, from, businessConnectionId, startToken }: TelegramMessage) {
  if (startToken === null || chat.type !== "private" || businessConnectionId !== "") return null;
  if (from === null || from.isBot || from.id !== chat.id) return null;
  return sha256(startToken).toString("hex");
}

/** What a link is to an account that opens it, or presses its button. */
type Standing = "gone" | "already" | "taken" | "open";

export function standingOf(
  access: AccessContext,
  scope: Scope,
  link: HeldLink | undefined,
  { userId, atMs }: { userId: string; atMs: number },
): Standing {
  if (link === undefined || link.connectorId !== scope.connectorId) return "gone";
  const personId = access.talkers.get(contactKeyOf(scope, userId))?.personId;
  const isThisPerson = personId === link.person.id;
  if (link.usedBy !== null) return isThisPerson && link.usedBy === userId ? "already" : "gone";
  if (link.expiresAtMs <= atMs) return "gone";
  if (isThisPerson) return "already";
  return personId === undefined ? "open" : "taken";
}

/**
 * Answers `/start TOKEN`; null where the message is none. Which token was wrong is neither said nor
 * counted: guessing is hopeless by size. `isAside`: its writer may not talk, so that the answer makes
 * no conversation either.
 */
export function ofStartToken(
  incoming: Incoming,
  message: TelegramMessage,
  { isAside }: { isAside: boolean },
  { access, botUsernames }: Context,
): Effect[] | null {
  const hash = tokenHashOf(message);
  const command = parseCommand(message.content.text ?? "");
  if (hash === null || command === undefined) return null;
  const { scope, receivedAtMs: atMs } = incoming;
  if (!isForBot(command, botUsernames.get(scope.connectorId) ?? null)) return null;
  const userId = message.chat.id;
  const threadId = (message.isTopicMessage && message.threadId) || "0";
  const aside = isAside ? ({ isAside: true } as const) : {};
  const say = (text: string) => reply(incoming, userId, threadId, { text, ...aside });

  const link = [...access.links.values()].find(
    ({ tokenHash, workspaceId }) => tokenHash === hash && workspaceId === scope.workspaceId,
  );
  const standing = standingOf(access, scope, link, { userId, atMs });
  if (link === undefined || standing === "gone") return [say(ACCESS_TEXTS.linkGone)];
  const { person, workspaceName } = link;
  if (standing === "already") return [say(connectedAs(person.name, workspaceName))];
  if (standing === "taken") return [say(ACCESS_TEXTS.accountTaken)];
  const buttons = [
    [
      { text: CONFIRM_BUTTON, data: BUTTONS.yes + link.id },
      { text: DECLINE_BUTTON, data: BUTTONS.no + link.id },
    ],
  ];
  const text = isThatYou(person.name, workspaceName);
  return [
    { type: "person-link-offered", scope, linkId: link.id, userId, atMs },
    reply(incoming, userId, threadId, { text, buttons, ...aside }),
  ];
}

const BUTTONS = { yes: "person-link-yes:", no: "person-link-no:" } as const;
const BUTTON = /^person-link-(yes|no):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** The link that a button is about, and what it says; null: it is another button. */
export function linkButtonOf({ data }: CallbackUpdate): { linkId: string; yes: boolean } | null {
  const [, answer, linkId] = BUTTON.exec(data ?? "") ?? [];
  return linkId === undefined ? null : { linkId, yes: answer === "yes" };
}

/**
 * Answers a press of one of the two buttons; null where it was another. The data is forgeable, so
 * what counts is that this very account was asked about this very link.
 */
export function ofLinkButton(
  incoming: Incoming,
  update: CallbackUpdate,
  { access }: Context,
): Effect[] | null {
  const button = linkButtonOf(update);
  if (button === null) return null;
  const { scope, receivedAtMs: atMs } = incoming;
  const userId = update.user.id;
  const answer = (text: string) => callbackAnswer(incoming, userId, update.queryId, text);
  const known = access.links.get(button.linkId);
  const isOurs = known?.workspaceId === scope.workspaceId && known.offeredTo.includes(userId);
  const link = isOurs && update.chat?.id === userId ? known : undefined;
  const standing = standingOf(access, scope, link, { userId, atMs });
  if (link === undefined || standing === "gone") return [answer(ACCESS_TEXTS.linkGone)];
  if (standing === "already") return [answer(ACCESS_TEXTS.connected)];
  const { id: linkId, person } = link;
  if (!button.yes) {
    const declined: Effect = { type: "person-link-declined", scope, linkId, userId };
    return [declined, answer(ACCESS_TEXTS.nothingChanged)];
  }
  if (standing === "taken") return [answer(ACCESS_TEXTS.accountTaken)];
  const text = connectedAs(person.name, link.workspaceName);
  const aside = isHeardAs(access, scope, person) ? {} : ({ isAside: true } as const);
  return [
    { type: "person-bound", scope, linkId, personId: person.id, userId, atMs },
    answer(ACCESS_TEXTS.connected),
    reply(incoming, userId, update.threadId ?? "0", { text, ...aside }),
  ];
}

/** Whether the account may talk once it is this person. */
function isHeardAs(access: AccessContext, scope: Scope, person: HeldLink["person"]): boolean {
  const level = access.policies.get(scope.connectorId)?.accessLevel ?? "everyone";
  const named = access.named.has(namingKeyOf(scope.connectorId, person.id));
  return mayTalk(level, { agentEnabled: person.agentEnabled, named });
}
