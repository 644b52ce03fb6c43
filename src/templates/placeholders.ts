import type { Tag } from "./tags.ts";

/**
 * What stands for a tag while a body is parsed. A value is taken for a word, and for an address where it
 * is a link's: so it passes in both places, and is found again in either. A section's tag is taken for
 * punctuation, so that formatting may begin right after it.
 */
const NEVER = "heliographslot";
const VALUES = /https:\/\/heliographslot\.invalid\/s(\d+)e/;

/** Of the tag with that number. */
export const placeholderOf = (n: number, { kind }: Pick<Tag, "kind">): string =>
  kind === "value" || kind === "mark" ? `https://${NEVER}.invalid/s${n}e` : `‹${NEVER}-s${n}›`;

/** Where a body has what could be taken for a placeholder; -1: nowhere. */
export const collisionIn = (body: string): number => body.toLowerCase().indexOf(NEVER);

/** Whether any is in an address, whole or as it was before something was made of it. */
export const hasPlaceholder = (address: string): boolean => collisionIn(address) >= 0;

/** The pieces of an address: text, and the numbers of tags. */
export function piecesOf(address: string): (string | number)[] {
  return address
    .split(VALUES)
    .map((piece, n) => (n % 2 === 1 ? Number(piece) : piece))
    .filter((piece) => piece !== "");
}

export interface Placed {
  /** The body with placeholders for its tags. */
  source: string;
  /** Where in the body it is that is at this place of the source. */
  inBody(at: number): number;
}

export function place(body: string, tags: readonly Tag[]): Placed {
  const placed: { from: number; to: number; tag: Tag }[] = [];
  let source = "";
  let copied = 0;
  tags.forEach((tag, n) => {
    source += body.slice(copied, tag.at);
    const from = source.length;
    source += placeholderOf(n, tag);
    placed.push({ from, to: source.length, tag });
    copied = tag.at + tag.length;
  });
  source += body.slice(copied);
  return {
    source,
    inBody: (at) => {
      const last = placed.findLast(({ from }) => from <= at);
      if (last === undefined) return at;
      const { to, tag } = last;
      return at < to ? tag.at : at - to + tag.at + tag.length;
    },
  };
}
