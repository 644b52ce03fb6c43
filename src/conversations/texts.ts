import { REQUEST_DATA } from "./chat-request.ts";
import type { ReplyButton } from "./reply.ts";

/** Everything this room says to people, in one place. Plain text. */

/** What can be done here is told by whoever answers requests, as `/help` is. */
export const BUTTON_DATA = { help: `${REQUEST_DATA}l:h`, check: "check" } as const;

export const TEXTS = {
  start: [
    "Hello! This bot connects you with our team.",
    "Just write here: your messages reach us, and our answers arrive in this chat.",
  ].join("\n"),
  stopped:
    "All right, no more announcements. You can still write here at any time; /start allows them again.",
  unknownCommand: "I don't know this command. /help shows what I understand.",
  acknowledgement: "Thank you, your message has arrived. Our team will answer here.",
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
