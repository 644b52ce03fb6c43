import { type LinkFault, MAX_LINK_LENGTH, MAX_LINKS } from "./links.ts";

/** What dialogs say of places and links. Plain text. */

export const PLACES = {
  /** Beside the card: the file of a place that moves says the same. */
  live: "Of a place that moves, only where it was when you sent it is kept: what it does later is not followed.",
  none: "Your message has arrived, but where it is cannot be read from it: nothing was taken.",
} as const;

export const LINKS_REFUSED: Readonly<Record<LinkFault, string>> = {
  "too-many": `Nothing was taken: a message has at most ${MAX_LINKS} links. Please send them in several.`,
  "too-long": `Nothing was taken: a link has at most ${MAX_LINK_LENGTH} characters.`,
  scheme: "Nothing was taken: a link begins with https:// or http://.",
  credentials:
    "Nothing was taken: there is a name or a password in the link. Please change that password, since it was sent here, and send the link without it.",
  unseen: "Nothing was taken: there are characters in the link that nobody sees.",
  malformed: "Nothing was taken: that is not the address of a page.",
};
