/** What is said about who may talk and which groups are linked. Plain text. */

export const ACCESS_TEXTS = {
  refused:
    "Thank you for writing. This bot is for certain people only, and you are not among them.",
  refusedPress: "This bot is for certain people only.",
  linkGone: "This link is not valid any more. Ask whoever gave it to you for a new one.",
  accountTaken:
    "Your Telegram account is connected with somebody else of this team already. Nothing was changed.",
  nothingChanged: "All right, nothing was changed.",
  connected: "You are connected.",
  codeWrong: "This code is not valid. Codes work once and not for long: ask for a new one.",
  codeMissing: "Send the command with its code: /link CODE",
  codeNeedsPerson: [
    "Only members of the team can link this group, and your account is not known as one of them.",
    "Ask your team for your personal link, open it, then send the command again.",
  ].join("\n"),
  unlinked: "This group is not linked any more. Nothing that is written here is kept from now on.",
} as const;

export const CONFIRM_BUTTON = "Yes, that is me";
export const DECLINE_BUTTON = "No";

export const isThatYou = (name: string, workspace: string) =>
  `This connects your Telegram account with ${name} at ${workspace}. Is that you?`;

export const connectedAs = (name: string, workspace: string) =>
  `You are connected: ${name} at ${workspace}.`;

export const nowLinked = (workspace: string) => `This group is now linked to ${workspace}.`;
