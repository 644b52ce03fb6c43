import type { ReplyButton } from "./reply.ts";

/** Everything this room says to people, in one place. Plain text. */

export const BUTTON_DATA = { help: "help", check: "check" } as const;

export const TEXTS = {
  start: [
    "Hello! This bot connects you with our team.",
    "Just write here: your messages reach us, and our answers arrive in this chat.",
  ].join("\n"),
  help: [
    "What you can do here:",
    "/start – a short introduction",
    "/help – this list",
    "/stop – no announcements from us; /start allows them again",
    "",
    "Anything else you write or send goes to our team.",
  ].join("\n"),
  stopped:
    "All right, no more announcements. You can still write here at any time; /start allows them again.",
  unknownCommand: "I don't know this command. /help shows what I understand.",
  acknowledgement: "Thank you, your message has arrived. Our team will answer here.",
  helpSent: "Here is the list of commands.",
  nothingBehindButton: "This button does nothing any more.",
} as const;

export const START_BUTTONS: ReplyButton[][] = [
  [
    { text: "Help", data: BUTTON_DATA.help },
    { text: "Check the connection", data: BUTTON_DATA.check },
  ],
];

/** Says when the tap arrived, which proves the way there and back. */
export function connectionWorks(atMs: number): string {
  return `It works: your tap arrived at ${new Date(atMs).toISOString().slice(11, 19)} UTC.`;
}
