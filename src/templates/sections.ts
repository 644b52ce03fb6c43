import { cut, type MarkedText, trimmed } from "./marked-text.ts";

/** A section of a text, by the places of its two tags. */
export interface Section {
  name: string;
  open: number;
  close: number;
}

/** The sections of a text whose tags are known to be in order, the outermost first. */
export function sectionsOf({ slots }: MarkedText): Section[] {
  const sections: Section[] = [];
  const open: Section[] = [];
  for (const { kind, name, at } of slots) {
    if (kind === "open") {
      const section = { name, open: at, close: at };
      sections.push(section);
      open.push(section);
    }
    const closed = kind === "close" ? open.pop() : undefined;
    if (closed !== undefined) closed.close = at;
  }
  return sections;
}

/**
 * The text with the sections that `isShown` wants, without their tags; what is not wanted is gone with
 * its line. Values still have their slots.
 */
export function withSections(marked: MarkedText, isShown: (name: string) => boolean): MarkedText {
  let left = marked;
  for (;;) {
    const [section] = sectionsOf(left);
    if (section === undefined) return trimmed(left);
    const { name, open, close } = section;
    left = isShown(name)
      ? cut(cut(left, close, close + 1), open, open + 1)
      : cut(left, open, close + 1);
  }
}
